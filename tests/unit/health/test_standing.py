"""What real traffic tells of a target, reading by reading."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.health import memory
from fairlead.health.fleet import Fleet
from fairlead.health.standing import NAMELESS_MS, RECENT_MS, Evidence, Reading, gone_on, kept, observe
from fairlead.statuses import Failure

EVERY_MS = 2_000
T = "p/e/m"
WELL, REJECTED, BUSY = (200, "-"), (401, "-"), (503, "-")


class World:
    """One region's gateways, read every two seconds."""

    def __init__(self) -> None:
        self.evidence, self.now_ms = Evidence(), 0
        self.totals: dict[str, dict[str, dict[Any, int]]] = {"one": {}}
        self.identities = {("eu", T): "key 1"}
        self.ejected: frozenset[str] = frozenset()
        self.nameless: frozenset[str] = frozenset()
        self.read()

    def read(self, *outcomes: tuple[int, str], gateway: str = "one", unread: bool = False) -> Failure | None:
        """Let so many attempts come, read all gateways, and say how the target stands."""
        self.now_ms += EVERY_MS
        totals = self.totals.setdefault(gateway, {}).setdefault(T, {})
        for outcome in outcomes:
            totals[outcome] = totals.get(outcome, 0) + 1
        readings = [
            Reading(
                gateway=name,
                region="eu",
                totals={target: dict(counts) for target, counts in found.items()},
                ejected=self.ejected,
                nameless=self.nameless,
            )
            for name, found in self.totals.items()
        ]
        self.evidence = observe(
            self.evidence,
            [] if unread else readings,
            self.identities,
            gateways=tuple(self.totals),
            now_ms=self.now_ms,
        )
        return self.failure

    @property
    def failure(self) -> Failure | None:
        return self.evidence.standings["eu", T].failure(self.now_ms)


def test_the_first_failing_request_is_seen_and_the_first_good_one_ends_it() -> None:
    world = World()
    assert world.read(REJECTED) is Failure.CREDENTIAL_REJECTED
    since_ms = world.evidence.standings["eu", T].since_ms
    assert world.read() is Failure.CREDENTIAL_REJECTED, "no traffic is no recovery"
    assert world.read(REJECTED) is Failure.CREDENTIAL_REJECTED
    assert world.evidence.standings["eu", T].since_ms == since_ms
    assert world.evidence.standings["eu", T].failed == 2
    assert world.read(WELL) is None
    assert world.read() is None


def test_a_target_that_answered_just_now_is_given_the_time_of_two_readings() -> None:
    world = World()
    world.read(WELL)
    assert world.read(REJECTED) is None
    assert world.read(REJECTED) is Failure.CREDENTIAL_REJECTED
    assert 2 * EVERY_MS == RECENT_MS


def test_single_failures_among_answers_say_nothing() -> None:
    world = World()
    assert [world.read(WELL, WELL, BUSY) for _ in range(9)] == [None] * 9


def test_another_credential_or_address_makes_what_was_told_void() -> None:
    world = World()
    assert world.read(REJECTED) is not None
    world.identities = {("eu", T): "key 2"}
    assert world.read(REJECTED) is None, "an attempt of the old one, perhaps"
    assert world.read(REJECTED) is not None


def test_a_request_that_is_wrong_by_itself_neither_breaks_nor_mends() -> None:
    world = World()
    assert world.read((400, "-"), (0, "DC")) is None
    world.read(REJECTED)
    assert world.read((400, "-")) is not None


def test_an_ejected_target_fails_by_the_reason_that_it_was_ejected_for() -> None:
    world = World()
    world.read(WELL)
    world.ejected = frozenset({T})
    assert world.read() is Failure.EJECTED
    assert world.read(BUSY) is Failure.SERVER_ERROR
    world.ejected = frozenset()
    assert world.read() is Failure.SERVER_ERROR, "nothing went well since"
    assert world.read(WELL) is None


def test_a_name_that_leads_nowhere_needs_no_request_to_be_known() -> None:
    world = World()
    world.nameless = frozenset({T})
    failures = [world.read() for _ in range(3)]
    assert failures[0] is None, "it may be on its way"
    assert failures[-1] is Failure.UNRESOLVABLE
    assert NAMELESS_MS < 2 * EVERY_MS
    world.nameless = frozenset()
    assert world.read() is None


def test_a_region_that_cannot_be_read_stays_as_it_was() -> None:
    world = World()
    world.read(REJECTED)
    assert world.read(unread=True) is Failure.CREDENTIAL_REJECTED
    assert world.read(WELL) is None
    assert world.read(WELL, unread=True) is None
    assert world.read(REJECTED) is None


def test_an_answer_at_any_gateway_of_the_region_ends_it() -> None:
    world = World()
    assert world.read(REJECTED, gateway="one") is not None
    assert world.read(WELL, gateway="two") is None


def test_a_gateway_that_began_anew_counts_from_nothing() -> None:
    world = World()
    world.read(WELL, WELL, WELL)
    world.read()
    world.read()
    world.totals["one"] = {}
    assert world.read(REJECTED) is Failure.CREDENTIAL_REJECTED


def test_gateways_that_are_gone_are_forgotten() -> None:
    world = World()
    world.read(WELL, gateway="two")
    del world.totals["two"]
    world.read()
    assert set(world.evidence.totals) == {"one"}


def two_regions(outcome: tuple[int, str]) -> Evidence:
    """What stands after `eu` failed so, and `us` was answered since."""
    identities, evidence = {("eu", T): "key 1", ("us", T): "key 1"}, Evidence()
    totals: list[dict[str, Any]] = [{}, {"eu": {outcome: 3}}, {"eu": {outcome: 3}, "us": {WELL: 1}}]
    for number, told in enumerate(totals):
        readings = [
            Reading(
                gateway=region,
                region=region,
                totals={T: told.get(region, {})},
                ejected=frozenset(),
                nameless=frozenset(),
            )
            for region in ("eu", "us")
        ]
        evidence = observe(evidence, readings, identities, gateways=("eu", "us"), now_ms=(number + 1) * EVERY_MS)
    return evidence


@pytest.mark.parametrize("outcome", [REJECTED, (404, "-"), BUSY])
def test_an_answer_that_any_region_gets_ends_what_was_the_target_s_own_doing(outcome: tuple[int, str]) -> None:
    assert two_regions(outcome).standings["eu", T].failure(60_000) is None


@pytest.mark.parametrize("outcome", [(0, "UF"), (503, "UF"), (0, "UT"), (200, "UC")])
def test_a_region_s_own_way_there_is_not_mended_by_another_s(outcome: tuple[int, str]) -> None:
    assert two_regions(outcome).standings["eu", T].failure(60_000) is not None


@pytest.mark.parametrize(
    ("outcome", "failure"), [((503, "UF"), Failure.CONNECTION_FAILED), (REJECTED, Failure.CREDENTIAL_REJECTED)]
)
def test_what_is_ejected_within_one_reading_is_named_by_what_it_failed_with(
    outcome: tuple[int, str], failure: Failure
) -> None:
    world = World()
    world.read(WELL)
    world.read(*[WELL] * 60, *[outcome] * 5)
    assert world.failure is None, "single failures among answers"
    world.ejected = frozenset({T})
    assert world.read(WELL) is failure, "the last answer was on its way"
    assert world.read() is failure
    assert world.evidence.standings["eu", T].cause == outcome
    world.ejected = frozenset()
    assert world.read(WELL) is None
    assert world.evidence.standings["eu", T].last is None


def restarted(world: World, *, gateways_run_on: bool) -> None:
    told = memory.told(json.loads(json.dumps(memory.document(Fleet(), kept(world.evidence, world.now_ms)))))
    assert told is not None
    world.evidence = gone_on(told, gateways_run_on=gateways_run_on)


@pytest.mark.parametrize("gateways_run_on", [True, False])
def test_what_fails_fails_over_a_restart_until_an_attempt_goes_well(gateways_run_on: bool) -> None:
    world = World()
    world.read(WELL, WELL, WELL)
    world.read()
    world.read()
    assert world.read(REJECTED) is Failure.CREDENTIAL_REJECTED
    restarted(world, gateways_run_on=gateways_run_on)
    if not gateways_run_on:
        world.totals = {"one": {}}
    identities, world.identities = world.identities, {("us", T): "key 1"}
    world.read()
    world.identities = identities
    assert world.read() is Failure.CREDENTIAL_REJECTED, "good answers of before the failure are no news"
    assert world.read() is Failure.CREDENTIAL_REJECTED, "nor is a region that serves a moment later"
    assert world.read(WELL) is None


def test_another_credential_ends_what_was_remembered() -> None:
    world = World()
    world.read(REJECTED)
    restarted(world, gateways_run_on=True)
    world.identities = {("eu", T): "key 2"}
    assert world.read() is None


def test_what_is_well_is_not_kept() -> None:
    world = World()
    world.read(REJECTED)
    world.read(WELL)
    assert kept(world.evidence, world.now_ms) == ()


OUTCOMES = st.lists(st.sampled_from([WELL, REJECTED, BUSY, (400, "-"), (0, "UF"), (0, "DC")]), max_size=4)


@given(st.lists(OUTCOMES, max_size=12))
def test_red_ends_with_the_first_good_reading_and_green_with_failures_alone(story: list[list[Any]]) -> None:
    world = World()
    for outcomes in story:
        world.read(*outcomes)
    assert world.read(WELL) is None
    failures: Mapping[int, Any] = {n: world.read(REJECTED) for n in range(5)}
    assert failures[4] is Failure.CREDENTIAL_REJECTED, "ten seconds later at the latest"
