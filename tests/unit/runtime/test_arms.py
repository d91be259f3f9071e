"""What came to the two sides of a rollout, as Envoy 1.40 shows it."""

import asyncio
from dataclasses import replace
from math import inf

import pytest

from fairlead import ir
from fairlead.budget.price import Price
from fairlead.errors import EnvoyError
from fairlead.rollout.tally import ArmCounts
from fairlead.runtime.arms import ArmReader, Side
from fairlead.runtime.readings import GatewayPlace

ROUTE, OLD, NEW = "team/chat.v2", "p/e/old", "p/e/new"
ARM, STABLE_ARM = "@team/chat~v2/1-candidate", "@team/chat~v2/0"
PLACES = [GatewayPlace(name="eu-1", region="eu", address="1"), GatewayPlace(name="us-1", region="us", address="2")]
STABLE = Side(route=ROUTE, arm=ir.Side.STABLE, targets=frozenset({OLD}))
CANDIDATE = Side(
    route=ROUTE,
    arm=ir.Side.CANDIDATE,
    targets=frozenset({NEW}),
    prices={NEW: Price(input=2_000_000, output=5_000_000, cached_input=0)},
)
COPIES = replace(CANDIDATE, copies=True)


def attempts(count: int, *, code: int = 200, target: str = NEW, arm: str = ARM, flags: str = "-") -> str:
    return f'envoy_fairlead_attempt_total{{arm="{arm}",target="{target}",code="{code}",flags="{flags}"}} {count}'


def tokens(name: str, count: int, *, arm: str = ARM) -> str:
    return f'envoy_fairlead_attempt_{name}_tokens{{arm="{arm}",target="{NEW}"}} {count}'


def finished(reason: str, count: int, *, flags: str = "-") -> str:
    return f'envoy_fairlead_attempt_finished{{arm="{ARM}",target="{NEW}",reason="{reason}",flags="{flags}"}} {count}'


def buckets(*counts: int, prefix: str = "attempt", label: str = f'arm="{ARM}"') -> str:
    bounds = ("100", "250", "+Inf")
    return "\n".join(
        f'envoy_fairlead_{prefix}_first_byte_ms_bucket{{{label},target="{NEW}",le="{bound}"}} {count}'
        for bound, count in zip(bounds, counts, strict=True)
    )


class Metrics:
    """Gateways that show one text after the other."""

    def __init__(self, **texts: list[str | None]) -> None:
        self._texts = {"1": texts.get("eu", []), "2": texts.get("us", [])}

    async def read(self, address: str, *, only: str) -> str:
        assert only
        text = self._texts[address].pop(0)
        if text is None:
            raise EnvoyError(f"{address}: nobody answers")
        return text


def last(*sides: Side, **texts: list[str | None]) -> tuple[tuple[ArmCounts, ...], str]:
    """Read as often as there are texts; return what the last reading told."""
    metrics, reader = Metrics(**{"us": [""] * len(texts["eu"]), **texts}), ArmReader()
    for _ in range(len(texts["eu"]) - 1):
        asyncio.run(reader.read(metrics, PLACES, sides))
    return asyncio.run(reader.read(metrics, PLACES, sides))


def test_a_broken_stream_is_a_failed_attempt_that_was_counted_before() -> None:
    broken = f'envoy_fairlead_attempt_broken{{arm="{ARM}",target="{NEW}"}}'
    shown = "\n".join((attempts(3), f"{broken} 2", finished("", 2), finished("stop", 1)))
    ((counts,), _) = last(CANDIDATE, eu=["", shown])
    assert (counts.attempts, counts.failed, counts.unended) == (3, 2, 0)


def test_attempts_since_the_reading_before_count_by_side() -> None:
    before = "\n".join((attempts(5), attempts(1, target=OLD, arm=STABLE_ARM)))
    after = "\n".join(
        (
            attempts(8),
            attempts(2, code=503),
            attempts(1, code=0, flags="UF"),
            attempts(4, code=400),
            attempts(10, target=OLD, arm=STABLE_ARM),
            attempts(10, arm="@team/chat~v22/1-candidate"),
        )
    )
    (stable, mine), problem = last(STABLE, CANDIDATE, eu=[before, after])
    assert (stable.attempts, stable.failed) == (9, 0)
    assert (mine.attempts, mine.failed) == (10, 3), "a request that is wrong is not its model's failure"
    assert not problem


def test_the_first_reading_of_a_gateway_says_nothing() -> None:
    (mine,), _ = last(CANDIDATE, eu=[attempts(5)])
    assert mine == ArmCounts()


def test_all_gateways_count_together_and_one_that_began_anew_from_nothing() -> None:
    (mine,), _ = last(CANDIDATE, eu=[attempts(5), attempts(2)], us=[attempts(1), attempts(4)])
    assert mine.attempts == 5


def test_a_gateway_that_does_not_answer_is_told_and_nothing_of_it_is_lost() -> None:
    (mine,), problem = last(CANDIDATE, eu=[attempts(5), None, attempts(9)])
    assert (mine.attempts, problem) == (4, "")
    _, problem = last(CANDIDATE, eu=[attempts(5), None])
    assert problem == "1: nobody answers"


def test_first_bytes_are_told_by_bucket_and_empty_ones_too() -> None:
    (mine,), _ = last(CANDIDATE, eu=[buckets(1, 1, 1), buckets(1, 4, 6)])
    assert mine.first_bytes == {100.0: 0, 250.0: 3, inf: 2}


def test_a_candidate_that_is_a_fallback_of_stable_counts_in_its_own_arms_only() -> None:
    theirs = "\n".join((attempts(7, code=500, arm=STABLE_ARM), tokens("prompt", 9, arm=STABLE_ARM)))
    own = "\n".join((attempts(1), attempts(2, arm=f"{ARM}-0a1b2c3d"), tokens("prompt", 5)))
    (mine,), _ = last(CANDIDATE, eu=["", f"{theirs}\n{own}"])
    assert (mine.attempts, mine.failed, mine.input_tokens) == (3, 0, 5)


def test_tokens_are_priced() -> None:
    after = "\n".join((tokens("prompt", 35), tokens("completion", 4), tokens("prompt", 9, arm=f"{ARM}-0a1b2c3d")))
    (mine,), _ = last(CANDIDATE, eu=[tokens("prompt", 10), after])
    assert (mine.input_tokens, mine.output_tokens, mine.nano_usd) == (34, 4, 88)


def test_why_answers_ended() -> None:
    shown = "\n".join((attempts(9), finished("stop", 4), finished("length", 2), finished("", 3)))
    left = "\n".join((finished("", 5, flags="DC"), finished("stop", 1, flags="UC"), attempts(2, code=0, flags="DC")))
    (mine,), _ = last(CANDIDATE, eu=["", f"{shown}\n{left}"])
    assert mine.finish_reasons == {"length": 2, "stop": 4}
    assert (mine.attempts, mine.failed, mine.unended) == (11, 0, 5), "clients that did not wait for a first byte"


@pytest.mark.parametrize("flags", ["SI", "UT", "DT", "DT,SI"])
def test_an_answer_that_stalled_or_timed_out_failed(flags: str) -> None:
    shown = "\n".join(
        (attempts(12), finished("", 9, flags=flags), finished("stop", 1, flags=flags), finished("stop", 2))
    )
    (mine,), _ = last(CANDIDATE, eu=["", shown])
    assert (mine.attempts, mine.failed, mine.unended) == (12, 9, 0)
    assert mine.finish_reasons == {"stop": 2}, "one that had said why it ends is no failure, and not whole"


@pytest.mark.parametrize("flags", ["UC", "UR", "UPE", "UT"])
def test_what_its_attempt_says_already_fails_once(flags: str) -> None:
    shown = "\n".join((attempts(4), attempts(3, flags=flags), finished("", 3, flags=flags), finished("stop", 4)))
    stalled = finished("", 2, flags="SI")
    (mine,), _ = last(CANDIDATE, eu=["", f"{shown}\n{stalled}"])
    assert (mine.attempts, mine.failed, mine.unended) == (7, 5, 0)


@pytest.mark.parametrize("flags", ["DC", "DR", "DC,SI", "DPE", "OM"])
def test_what_a_client_or_the_gateway_ends_is_no_failure(flags: str) -> None:
    (mine,), _ = last(CANDIDATE, eu=["", "\n".join((attempts(3), finished("", 3, flags=flags)))])
    assert (mine.attempts, mine.failed, mine.unended) == (3, 0, 0)


def test_a_copy_that_stalled_failed_and_one_that_timed_out_once() -> None:
    of = f'envoy_fairlead_copy_%s{{route="{ROUTE}",target="{NEW}",%s,flags="%s"}} %d'
    totals = (of % ("total", 'code="200"', flags, count) for flags, count in (("SI", 2), ("UT", 3), ("-", 1)))
    ends = (of % ("finished", 'reason=""', flags, count) for flags, count in (("SI", 2), ("UT", 3)))
    (copied,), _ = last(COPIES, eu=["", "\n".join((*totals, *ends))])
    assert (copied.attempts, copied.failed, copied.unended) == (6, 5, 0)


def test_copies_are_another_side() -> None:
    copies = f'envoy_fairlead_copy_total{{route="{ROUTE}",target="{NEW}",code="%d",flags="%s"}} %d'
    shown = "\n".join(
        (
            copies % (200, "-", 3),
            copies % (500, "-", 1),
            copies % (504, "UT", 2),
            copies % (503, "UO", 9),
            f'envoy_fairlead_copy_prompt_tokens{{route="{ROUTE}",target="{NEW}"}} 8',
            buckets(2, 2, 3, prefix="copy", label=f'route="{ROUTE}"'),
        )
    )
    (copied, mine), _ = last(COPIES, CANDIDATE, eu=["", "\n".join((shown, attempts(7)))])
    assert (copied.attempts, copied.failed, copied.first_bytes) == (6, 3, {100.0: 2, 250.0: 0, inf: 1})
    assert (copied.input_tokens, copied.nano_usd) == (8, 16)
    assert mine.attempts == 7
