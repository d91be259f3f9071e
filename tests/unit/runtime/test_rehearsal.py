"""From gateways' metrics to what clients met."""

import asyncio
from dataclasses import replace

from fairlead.adapters.gateway_metrics import HttpGatewayMetrics
from fairlead.budget.price import FREE, USD, Price
from fairlead.errors import EnvoyError
from fairlead.health.rehearsal import Watched, notes
from fairlead.runtime.rehearsal import Counted, Drill, between, read, spent_by_consumer

PRICES = {"p/a/m": Price(input=1 * USD, output=2 * USD, cached_input=0)}


class Shown(HttpGatewayMetrics):
    """What gateways show."""

    def __init__(self, texts: dict[str, str]) -> None:
        super().__init__()
        self.texts = texts

    async def read(self, address: str, *, only: str) -> str:
        assert only
        if address not in self.texts:
            raise EnvoyError("nobody")
        return self.texts[address]


def text(target: str, requests: int, *, code: int = 200, tokens: int = 0, fast: int = 0, slow: int = 0) -> str:
    labels = f'consumer="c",route="r",target="{target}",region="-",model="m"'
    return f"""\
envoy_fairlead_requests{{{labels},code="{code}"}} {requests}
envoy_fairlead_prompt_tokens{{{labels}}} {tokens}
envoy_fairlead_completion_tokens{{{labels}}} {tokens}
envoy_fairlead_cached_tokens{{{labels}}} {tokens}
envoy_fairlead_first_byte_ms_bucket{{{labels},le="10"}} {fast}
envoy_fairlead_first_byte_ms_bucket{{{labels},le="100"}} {fast}
envoy_fairlead_first_byte_ms_bucket{{{labels},le="+Inf"}} {fast + slow}
envoy_fairlead_unknown{{{labels}}} 1
"""


def counted(**texts: str) -> Counted:
    return asyncio.run(read(Shown(texts), ["one", "two"]))


def test_what_came_between_two_readings_is_summed() -> None:
    before = counted(one=text("p/a/m", 5, tokens=10, fast=1), two=text("q/b/m", 7))
    others = (text("-", 2, code=429), text("p/a/m", 1, code=502))
    later = "\n".join([text("p/a/m", 8, tokens=1_000_010, fast=3, slow=1), *(one.split("\n")[0] for one in others)])
    span = between(before, counted(one=later, two=text("q/b/m", 9)), PRICES)
    assert (span.requests, span.errors) == (3 + 2 + 1 + 2, 1)
    assert span.served == {"p/a": 4, "q/b": 2}
    assert span.nanodollars == 2 * USD, "a million tokens that came from the cache are free, and a million of output"


def media(*, answers: int, images: int, asked: int) -> str:
    labels = 'consumer="c",route="r",target="p/a/big%20pictures"'
    return f"""\
envoy_fairlead_requests{{{labels},code="200"}} {asked}
envoy_fairlead_requests{{{labels},code="503"}} {asked}
envoy_fairlead_prompt_tokens{{{labels}}} {10 * asked}
envoy_fairlead_units{{{labels},unit="image"}} {images}
envoy_fairlead_units{{{labels},unit="smell"}} {images}
envoy_fairlead_unit_answers{{{labels},unit="image"}} {answers}
"""


def test_what_is_billed_by_units_is_in_the_dollars_and_what_nobody_counted_is_said() -> None:
    price = replace(FREE, image=40_000_000, input=10**9)
    prices = {"p/a/big pictures": price}
    before, after = media(answers=2, images=4, asked=5), media(answers=5, images=14, asked=10)
    span = between(counted(one=before), counted(one=after), prices)
    assert (span.nanodollars, span.uncounted) == (10 * 40_000_000 + 50 * 1000, 2)
    (note,) = [one for one in notes(Watched(before=span, during=span)) if "nobody counted" in one]
    assert "4 answers are missing" in note
    assert between(counted(one=before), counted(one=after), {"p/a/big pictures": FREE}).uncounted == 0
    assert spent_by_consumer(counted(one=after), prices) == {"c": 14 * 40_000_000 + 100 * 1000}


def test_first_bytes_above_all_bounds_count_at_the_last() -> None:
    none, some = (counted(one=text("p/a/m", 1, fast=fast, slow=slow)) for fast, slow in ((0, 0), (3, 2)))
    assert between(none, some, {}).first_bytes == {10: 3, 100: 2}


def test_a_series_that_was_dropped_began_anew() -> None:
    before, now = counted(one=text("p/a/m", 100), two=""), counted(one=text("p/a/m", 3), two="")
    assert between(before, now, {}).requests == 3


def test_a_gateway_that_was_read_once_counts_for_nothing() -> None:
    before, now = counted(one=text("p/a/m", 1)), counted(one=text("p/a/m", 2), two=text("p/a/m", 5000))
    assert before.unread == {"two"}
    assert between(before, now, {}).requests == 1


def test_what_was_under_way_when_traffic_had_moved_is_not_held_against_the_region() -> None:
    active = 'envoy_cluster_upstream_rq_active{{envoy_cluster_name="{}"}} {}\n'.format

    def at(ours: int, others: int, under_way: int) -> Counted:
        return counted(one=text("p/a/m", ours) + text("q/b/m", others) + active("c1", under_way) + active("c2", 9))

    drill = Drill(first=at(0, 0, 0), clusters={"c1": "p/a"})
    drill.drains(at(30, 0, 4), {}, ["p/a"])
    assert drill.look(at(31, 2, 9), {}, drained_s=1.0).settled.requests == 0
    assert drill.look(at(35, 5, 5), {}, drained_s=4.0).settled.requests == 0, "it begins here"
    seen = drill.look(at(40, 55, 0), {}, drained_s=9.0)
    assert (seen.during.requests, seen.settled.requests, seen.in_flight, seen.stranded) == (65, 55, 5, 0)
    assert drill.look(at(42, 55, 0), {}, drained_s=9.5).stranded == 2
