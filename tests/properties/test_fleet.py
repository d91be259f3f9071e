"""Whatever is told of endpoints: what the machine never does, and what it does in the end."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.health import memory
from fairlead.health.attempts import Outcome
from fairlead.health.endpoint import Endpoint, Probe, State, Traffic
from fairlead.health.fleet import Fleet, judge, shares
from fairlead.health.record import STEPS
from fairlead.health.region import DrainKind, DrainOrder
from fairlead.statuses import Failure
from health_stage import BROKEN, HANGS, LIMITED, OK, REFUSED, WRONG_KEY, endpoint

I = 10_000  # noqa: E741  as the documents call it
ENDPOINTS = (
    endpoint("a/us"),
    endpoint("a/eu", "eu-west-1"),
    endpoint("b/us", unhealthy_threshold=1, models=3),
    endpoint("c/any", "", probed=False),
    endpoint("d/eu", "eu-west-1", models=0),
)
NAMES = tuple(one.name for one in ENDPOINTS)
OUTCOMES: tuple[Outcome, ...] = (OK, REFUSED, HANGS, BROKEN, LIMITED, WRONG_KEY, (404, "-"), (400, "-"), (200, "UC"))
END_MS = (32 * 3 + 3 * 5 + 32 * 3) * I
"""Within that every outage has ended: the longest wait, three steps, and the end of a region's outage twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told at one moment."""

    after_ms: int
    probes: Sequence[tuple[str, Failure | None]] = ()
    keyed: bool = False
    """Whether the probes bring the credential."""
    traffic: Sequence[Traffic] = ()
    drains: Sequence[DrainOrder] = ()


failures = st.sampled_from([None, None, Failure.CONNECTION_FAILED, Failure.SERVER_ERROR, Failure.CREDENTIAL_REJECTED])
probes = st.lists(st.tuples(st.sampled_from(NAMES), failures), max_size=5)
counts = st.dictionaries(st.sampled_from(OUTCOMES), st.integers(1, 40), max_size=3)


@st.composite
def seen(draw: st.DrawFn) -> Traffic:
    name = draw(st.sampled_from(NAMES))
    return Traffic(
        endpoint=name,
        target=f"{name}/{draw(st.sampled_from('mn'))}",
        region=draw(st.sampled_from(["us-east-1", "eu-west-1"])),
        outcomes=draw(counts),
        ejected=draw(st.booleans()),
        nameless=draw(st.booleans()),
        first_byte_ms=draw(st.dictionaries(st.sampled_from([100, 1000, 10_000]), st.integers(1, 60), max_size=2)),
    )


@st.composite
def drains(draw: st.DrawFn) -> DrainOrder:
    kind = draw(st.sampled_from(DrainKind))
    began_ms = draw(st.integers(0, 100 * I))
    return DrainOrder(
        kind=kind,
        name=draw(st.sampled_from(NAMES if kind is DrainKind.ENDPOINT else ["us-east-1", "nowhere"])),
        began_ms=began_ms,
        until_ms=began_ms + draw(st.integers(1, 20 * I)),
        over_ms=draw(st.sampled_from([0, I, 3 * I])),
    )


moments = st.builds(
    Told,
    after_ms=st.sampled_from([0, 1, 1_000, I, 3 * I, 5 * I, 40 * I]),
    probes=probes,
    traffic=st.lists(seen(), max_size=4),
)
stories = st.lists(moments, max_size=25)


def run(
    story: Sequence[Told], fleet: Fleet | None = None, *, now_ms: int = 0, orders: Sequence[DrainOrder] = ()
) -> list[Fleet]:
    """All judgements of a story."""
    found = [fleet or Fleet()]
    for told in story:
        now_ms += told.after_ms
        asked = [
            Probe(endpoint=name, began_ms=now_ms, ended_ms=now_ms, failure=one, with_credential=told.keyed)
            for name, one in told.probes
        ]
        found.append(judge(ENDPOINTS, found[-1], probes=asked, traffic=told.traffic, drains=orders, now_ms=now_ms))
    return found


def restarted(fleet: Fleet) -> Fleet:
    kept = memory.fleet(json.loads(json.dumps(memory.document(fleet))))
    assert kept is not None
    return kept


@given(story=stories, orders=st.lists(drains(), max_size=2))
def test_a_restart_at_any_step_changes_nothing(story: list[Told], orders: list[DrainOrder]) -> None:
    for fleet in run(story, orders=orders)[1:]:
        assert restarted(fleet) == fleet


@given(story=stories, orders=st.lists(drains(), max_size=2))
def test_what_is_shown_is_within_its_bounds(story: list[Told], orders: list[DrainOrder]) -> None:
    for fleet in run(story, orders=orders)[1:]:
        assert fleet.endpoints.keys() == set(NAMES)
        for name, one in fleet.endpoints.items():
            assert one.share in STEPS
            assert one.share == 0 or one.state is not State.DOWN
            assert one.state is not State.RECOVERING or name in fleet.records
            assert one.since_ms <= (fleet.judged_ms or 0)
            assert "\n" not in one.message
            assert not one.message.endswith(".")
        assert (fleet.endpoints["d/eu"].state, fleet.endpoints["d/eu"].share) == (State.UNKNOWN, 100)
        assert set(fleet.regions) == {"us-east-1", "eu-west-1"}


@given(story=stories, data=st.data())
def test_observers_that_are_told_the_same_agree(story: list[Told], data: st.DataObject) -> None:
    mixed = [
        replace(told, traffic=data.draw(st.permutations(told.traffic)), probes=sorted(told.probes, key=str))
        for told in story
    ]
    assert run(mixed)[-1] == run([replace(told, probes=sorted(told.probes, key=str)) for told in story])[-1]


@given(story=stories, other=stories)
def test_observers_of_different_pasts_agree_in_the_end(story: list[Told], other: list[Told]) -> None:
    good = [Told(after_ms=3 * I, probes=[(name, None) for name in NAMES], keyed=True)] * (END_MS // (3 * I))
    start_ms = sum(one.after_ms for one in (*story, *other))
    ends = [run(good, run(past)[-1], now_ms=start_ms)[-1] for past in (story, other)]
    assert shares(ends[0]) == shares(ends[1]) == {}
    assert [one.state for one in ends[0].endpoints.values()] == [one.state for one in ends[1].endpoints.values()]


@given(story=stories, orders=st.lists(drains(), max_size=2), way=st.sampled_from(["probes", "traffic", "both", "none"]))
def test_every_outage_ends(story: list[Told], orders: list[DrainOrder], way: str) -> None:
    good = Told(
        after_ms=3 * I,
        probes=[(name, None) for name in NAMES] if way in ("probes", "both") else [],
        traffic=[Traffic(endpoint=name, target=f"{name}/m", region="us-east-1", outcomes={OK: 20}) for name in NAMES]
        if way in ("traffic", "both")
        else [],
        keyed=way == "both",
    )
    past = run(story, orders=orders)[-1]
    last_ms = max([past.judged_ms or 0, *(order.until_ms for order in orders)])
    now = run([good] * (END_MS // (3 * I)), past, now_ms=last_ms, orders=orders)[-1]
    refused = {name: 10 for name, one in now.records.items() if one.refused_ms is not None and one.share < 100}
    assert shares(now) == refused
    assert not refused or way in ("probes", "none"), "only what brings the key can tell that it is taken again"
    states = {one.state for name, one in now.endpoints.items() if name not in refused}
    assert states <= {State.HEALTHY, State.UNKNOWN}
    assert not any(one.down for one in now.regions.values())
    assert now.probes_unreliable_since_ms is None or way in ("traffic", "none")


@given(steps=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60), ejects=st.booleans())
def test_neither_time_nor_probes_without_the_key_nor_restarts_end_what_only_a_request_can(
    steps: list[tuple[bool, bool]], ejects: bool
) -> None:
    one = replace(endpoint("a/us"), models=2)
    seen = Traffic(endpoint="a/us", target="a/us/m", region="us-east-1", outcomes={WRONG_KEY: 10}, ejected=ejects)
    fleet, now_ms = judge([one], Fleet(), traffic=[seen], now_ms=0), 0
    for probes, restarts in steps:
        now_ms += I
        asked = [Probe(endpoint="a/us", began_ms=now_ms, ended_ms=now_ms, failure=None)] if probes else []
        fleet = judge([one], restarted(fleet) if restarts else fleet, probes=asked, now_ms=now_ms)
        assert fleet.endpoints["a/us"].share <= 10
    keyed = [
        Probe(endpoint="a/us", began_ms=at, ended_ms=at, failure=None, with_credential=True) for at in (now_ms + I,)
    ]
    assert judge([one], fleet, probes=keyed, now_ms=now_ms + I).records["a/us"].refused_ms is None


@given(story=stories, well=st.integers(0, 30))
def test_an_endpoint_that_is_always_well_is_never_down(story: list[Told], well: int) -> None:
    def always_well(told: Told) -> Told:
        others = [one for one in told.traffic if one.endpoint != "a/us"]
        own = Traffic(endpoint="a/us", target="a/us/m", region="us-east-1", outcomes={OK: well} if well else {})
        return replace(
            told, probes=[*((n, f) for n, f in told.probes if n != "a/us"), ("a/us", None)], traffic=[*others, own]
        )

    for fleet in run([always_well(told) for told in story])[1:]:
        assert fleet.endpoints["a/us"].state is State.HEALTHY or fleet.regions["us-east-1"].since_ms > 0
        assert fleet.endpoints["a/us"].state in (State.HEALTHY, State.RECOVERING)
        assert fleet.endpoints["a/us"].share == 100 or fleet.regions["us-east-1"].since_ms > 0


@given(story=stories, orders=st.lists(drains(), max_size=2), part=st.floats(0, 1, exclude_max=True))
def test_nothing_changes_by_time_before_it_is_due(story: list[Told], orders: list[DrainOrder], part: float) -> None:
    for fleet in run(story, orders=orders)[1:]:
        now_ms = fleet.judged_ms or 0
        due_ms = now_ms + 50 * I if fleet.due_ms is None else fleet.due_ms
        assert due_ms > now_ms
        between_ms = now_ms + int((due_ms - now_ms - 1) * part)
        later = judge(ENDPOINTS, fleet, drains=orders, now_ms=between_ms)
        assert later.endpoints == fleet.endpoints
        assert later.regions == {
            name: replace(one, held_ms=later.regions[name].held_ms) for name, one in fleet.regions.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Foe:
    """An endpoint that does its worst: it fails as soon as its share is that, after so many intervals."""

    shares: Sequence[int]
    after: int


foes = st.builds(
    Foe,
    shares=st.lists(st.sampled_from([10, 50, 100]), min_size=1, max_size=4),
    after=st.sampled_from([1, 2, 5, 31, 70]),
)


@given(foe=foes, by_traffic=st.booleans(), errors=st.sampled_from([30, 100]))
def test_it_cannot_oscillate_faster_than_its_bound(foe: Foe, by_traffic: bool, errors: int) -> None:
    fleet, rounds, held, falls, risen = Fleet(), 0, 0, [], True
    one = endpoint("a/us")
    for number in range(1, 800):
        now_ms = number * I
        before = fleet.endpoints[one.name].share if fleet.endpoints else 100
        wanted = foe.shares[rounds % len(foe.shares)]
        held = held + 1 if before >= wanted else 0
        bad = held >= foe.after
        told = {BROKEN: errors, OK: 100 - errors} if bad else {OK: 20}
        fleet = judge(
            [one],
            fleet,
            probes=()
            if by_traffic
            else [
                Probe(
                    endpoint=one.name,
                    began_ms=now_ms,
                    ended_ms=now_ms,
                    failure=Failure.SERVER_ERROR if bad or (before == 0 and held) else None,
                )
            ],
            traffic=[Traffic(endpoint=one.name, target="a/us/m", region="us-east-1", outcomes=told)]
            if by_traffic
            else (),
            now_ms=now_ms,
        )
        share = fleet.endpoints[one.name].share
        if share < before and risen:
            falls.append(number)
            rounds, risen = rounds + 1, False
        risen = risen or share > before
    for first in range(len(falls)):
        for last in range(first, len(falls)):
            assert last - first + 1 <= 7 + (falls[last] - falls[first]) / 30


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"fleet": []},
        {"fleet": {"endpoints": {"a": {"share": "x"}}}},
        {"fleet": {"endpoints": {"a": {"state": "Fine"}}}},
        {"record": {"share": 77}},
        {"record": {"wait": 64}},
        {"record": {"row": {"bad": -1}}},
        {"record": {"window": [{"begin_ms": 0, "attempts": {"r t": {"failed": {"no number": 1}}}}]}},
    ],
)
def test_garbage_is_no_memory(change: dict[str, Any]) -> None:
    good = json.loads(json.dumps(memory.document(run([Told(after_ms=I, probes=[("a/us", None)])])[-1])))
    assert memory.fleet(good) is not None
    good["fleet"]["records"]["a/us"].update(change.pop("record", {}))
    assert memory.fleet({**good, **change}) is None


@pytest.mark.parametrize("document", [None, [], {}, "x", 1])
def test_what_is_no_document_is_no_memory(document: object) -> None:
    assert memory.fleet(document) is None


def test_an_endpoint_of_another_identity_begins_anew() -> None:
    sick = run([Told(after_ms=I, probes=[("a/us", Failure.SERVER_ERROR)])] * 2)[-1]
    assert sick.endpoints["a/us"].share == 0
    new: list[Endpoint] = [replace(one, identity="2") if one.name == "a/us" else one for one in ENDPOINTS]
    after = judge(new, sick, now_ms=3 * I)
    assert (after.endpoints["a/us"].state, after.endpoints["a/us"].share) == (State.UNKNOWN, 100)


def test_a_memory_that_would_be_too_large_keeps_states_and_waits() -> None:
    wide = [
        Traffic(endpoint="a/us", target=f"a/us/{number:0100}", region="us-east-1", outcomes={OK: 1})
        for number in range(3_000)
    ]
    sick = Told(after_ms=I, probes=[("a/eu", Failure.SERVER_ERROR)])
    fleet = run([sick, sick, Told(after_ms=I, traffic=wide)])[-1]
    assert fleet.endpoints["a/eu"].state is State.DOWN
    assert fleet.records["a/us"].window
    kept = restarted(fleet)
    assert len(json.dumps(memory.document(fleet))) < memory.LARGEST
    assert kept.endpoints == fleet.endpoints
    assert kept.records["a/us"] == replace(fleet.records["a/us"], window=(), history=())
