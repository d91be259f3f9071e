"""Leases from end to end: a check that asks for one, reports of its units, what is given back, what expires."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from budget_world import HOUR, World, configuration, ended, policy
from fairlead.budget.ledger import CORRECTABLE_MS, EXPIRES_AFTER_MS
from fairlead.budget.policy import Action, Stage
from fairlead.budget.window import Every
from fairlead.budgetserver import billing, descriptor
from fairlead.budgetserver.answer import REMAINING
from fairlead.budgetserver.messages import OK, Response
from fairlead.budgetserver.store import StoreError

RICH = 10**9
UNIT = 150
"""What a request of 100 bytes and 50 tokens may cost."""


def check(
    world: World, request: str = "r1", *, want: str = "8,100,50,1", back: str = "-", consumer: str = "t/a", **words: str
) -> Any:
    said = {"bytes": "100", "limit": "50", "answers": "1"} | words
    text = f"{consumer} {request} chat {said['bytes']} t/chat {said['limit']} {said['answers']} - false {want} {back}"
    return Response.FromString(asyncio.run(world.service.check(descriptor.check(text))))


def lease_of(answer: Any) -> list[str]:
    found = answer.dynamic_metadata.fields
    return found["lease"].string_value.split(" ") if "lease" in found else []


def world(limit: int = RICH, **changes: Any) -> World:
    return World(replace(configuration(policy("t/p", limit, window=Every(length_ms=HOUR))), **changes))


def outcomes(world: World) -> dict[str, float]:
    world.metrics.flush()
    return {
        one: world.sample("fairlead_budget_lease_units_total", outcome=one) or 0
        for one in ("granted", "used", "returned", "expired")
    }


def test_a_lease_says_what_it_is_for_and_how_long() -> None:
    made = world()
    answer = check(made, want="8,128,60,2")
    unit = 128 + 60 * 2
    name, units, end, size, limit, answers, revision, remaining = lease_of(answer)
    assert (units, end, size, limit, answers) == ("8", str(made.now_ms // 1000 + 15), "128", "60", "2")
    assert revision == made.service.configuration.lease_revision_of("t/a")
    assert set(name) <= set("0123456789abcdef")
    assert made.spent("t/p") == (0, UNIT + 8 * unit)
    (header,) = answer.response_headers_to_add
    assert (header.key, header.value) == (REMAINING, remaining)
    assert remaining == "0.999997866", "the units are off"
    assert lease_of(check(made, "r2"))[0] != name


def test_a_unit_is_settled_by_the_report_that_names_it_and_by_no_other() -> None:
    made = world()
    name, *_ = lease_of(check(made))
    made.report("r1")
    assert made.spent("t/p") == (70, 8 * UNIT)
    made.report("r7", reservation=f"{name}.3")
    assert made.spent("t/p") == (140, 7 * UNIT)
    made.report("r7", reservation=f"{name}.3")
    assert made.spent("t/p") == (140, 7 * UNIT), "twice is once"
    assert outcomes(made) == {"granted": 8, "used": 2, "returned": 0, "expired": 0}


def test_what_was_not_used_is_given_back_whoever_speaks_next() -> None:
    made = world()
    name, *_ = lease_of(check(made))
    made.report("r1")
    check(made, "r2", want="-", back=f"{name}:4-8", consumer="t/b")
    assert made.spent("t/p") == (70, 3 * UNIT)
    made.report("r3", reservation=f"{name}.3", usage="-", status="400")
    assert made.spent("t/p") == (70, 2 * UNIT)
    asyncio.run(made.service.report(ended("r4", reservation="-")._replace(route="-", back=(f"lease|{name}.1",))))
    assert made.spent("t/p") == (70, UNIT), "also with a report that is ignored"
    made.report("r9", reservation=f"{name}.8")
    assert made.spent("t/p") == (140, UNIT), "a wrong word loses no money"
    assert outcomes(made) == {"granted": 8, "used": 2, "returned": 6, "expired": 0}


def test_a_stopped_caller_gives_back_what_it_had() -> None:
    made = world()
    name, *_ = lease_of(check(made))
    made.service.use(replace(made.service.configuration, killed=frozenset({"t/a"})))
    assert check(made, "r2", back=f"{name}:1-8").overall_code != OK
    assert made.spent("t/p") == (0, UNIT)


def test_what_is_given_back_makes_room_for_the_request_that_gives_it() -> None:
    made = World(configuration(policy("t/p", 256 * 4 * UNIT + UNIT)))
    name, units, *_ = lease_of(check(made))
    assert units == "4"
    made.service.use(configuration(policy("t/p", 5 * UNIT)))
    assert check(made, "r2").overall_code != OK
    assert check(made, "r2", back=f"{name}:1-4").overall_code == OK


def test_units_that_expire_book_nothing_and_a_report_that_comes_later_does() -> None:
    made = world()
    name, *_ = lease_of(check(made))
    made.report("r1")
    made.now_ms += EXPIRES_AFTER_MS
    gone = asyncio.run(made.store.expire(made.now_ms, 100))
    assert [(one.booked, one.leased) for one in gone] == [(0, True)] * 8
    assert made.spent("t/p") == (70, 0)
    made.now_ms += CORRECTABLE_MS - EXPIRES_AFTER_MS
    made.now_ms -= 2 * HOUR  # still in its day, and in another window
    made.report("r2", reservation=f"{name}.2")
    store = asyncio.run(made.store.counters([f"t/p|t/a|{1_800_000_000_000 // HOUR * HOUR}"]))
    assert (store[0].spent, store[0].reserved) == (140, 0), "it is booked where it was reserved"


def test_no_lease_reaches_over_the_end_of_a_window() -> None:
    made = world()
    made.now_ms = made.now_ms // HOUR * HOUR + HOUR - 5_000
    assert lease_of(check(made))[2] == str(made.now_ms // 1000 + 5)
    made.now_ms += 3_500
    assert not lease_of(check(made, "r2"))


NO_LEASE = [
    ({"want": "-"}, {}, "nobody asked"),
    ({"want": "3,100,50,1"}, {}, "too few"),
    ({"want": "8,1e9,50,1"}, {}, "unreadable"),
    ({"want": "8,100,50"}, {}, "too few words"),
    ({"bytes": "-"}, {}, "a body of unknown size"),
    ({"answers": "free"}, {}, "what costs nothing"),
    ({"answers": "1+"}, {}, "what goes on from an answer"),
    ({"limit": "i3"}, {}, "images"),
    ({}, {"in_flight": {"t/a": 50}}, "a limit in flight"),
    ({}, {"policies": (), "consumers": {}}, "nothing bounds the caller"),
    ({}, {"policies": (policy("t/p", 300),)}, "near the limit"),
    ({}, {"killed": frozenset({"t/a"})}, "stopped"),
]


@pytest.mark.parametrize(("words", "changes", "why"), NO_LEASE, ids=[case[-1] for case in NO_LEASE])
def test_no_lease(words: dict[str, str], changes: dict[str, Any], why: str) -> None:
    made = world(**changes)
    assert not lease_of(check(made, **words)), why
    assert not outcomes(made)["granted"], why


def test_a_lease_keeps_away_from_the_smaller_route() -> None:
    stages = (Stage(at=5_000, action=Action.DOWNGRADE),)
    made = World(configuration(policy("t/p", 2 * (256 * 4 * UNIT + UNIT), stages=stages)))
    assert lease_of(check(made))[1] == "4"
    assert not lease_of(check(made, "r2"))


def test_a_store_that_is_away_does_not_keep_a_check_from_its_answer() -> None:
    made = world()
    name, *_ = lease_of(check(made))

    async def away(*_: Any) -> int:
        raise StoreError("away")

    made.store.give_back = away  # type: ignore[method-assign]
    assert check(made, "r2", want="-", back=f"{name}:1-8").overall_code == OK
    assert made.sample("fairlead_budget_store_errors_total", step="give_back") == 1
    assert made.spent("t/p") == (0, 10 * UNIT), "they expire"


def test_a_report_that_cannot_be_priced_hurts_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    made = world()
    name, *_ = lease_of(check(made))
    good, bad = ended("q1", reservation=f"{name}.1"), ended("q2", reservation=f"{name}.2", target="p/e/odd")
    price = billing.charge

    def charge(report: descriptor.Report, *arguments: Any) -> Any:
        if report.target == "p/e/odd":
            raise RuntimeError("a bug")
        return price(report, *arguments)

    monkeypatch.setattr(billing, "charge", charge)
    with capture_logs() as logs:
        asyncio.run(made.service.report_all([bad, good, bad]))
    assert [line["event"] for line in logs] == ["budget.report_failed"] * 2
    assert made.spent("t/p") == (70, 8 * UNIT)
    assert made.sample("fairlead_budget_malformed_total") == 2
    with pytest.raises(RuntimeError):
        asyncio.run(made.service.report(bad))


GIVEN_UP = {"reservation": "-", "status": "0", "flags": "DC", "attempts": "0", "usage": "-", "target": "-"}


def given_up(world: World, request: str, *, asked: bool = True) -> None:
    """Report a request whose check nobody answered."""
    report = ended(request, **GIVEN_UP)
    asyncio.run(world.service.report(report._replace(asked_lease=asked)))


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_lease_whose_check_was_given_up_is_released_by_the_report(*, elsewhere: bool) -> None:
    made = world()
    check(made)
    check(made, "r2")
    other = World(made.service.configuration, made.store) if elsewhere else made
    given_up(other, "r1", asked=False)
    assert made.spent("t/p") == (0, 1 * UNIT + 16 * UNIT), "its gateway asked for none"
    given_up(other, "r1")
    assert made.spent("t/p") == (0, 9 * UNIT)
    given_up(other, "r1")
    made.report("r2")
    assert made.spent("t/p") == (70, 8 * UNIT), "its check was answered"
    assert outcomes(other)["returned"] == 8


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_repeated_check_gets_its_lease_again(*, elsewhere: bool) -> None:
    made = world()
    first = check(made)
    made.now_ms += 300
    other = World(made.service.configuration, made.store) if elsewhere else made
    other.now_ms = made.now_ms
    assert lease_of(check(other)) == lease_of(first) != []
    assert made.spent("t/p") == (0, 9 * UNIT)
    assert outcomes(made)["granted"] + (outcomes(other)["granted"] if elsewhere else 0) == 8
    other.report("r1")
    name, *_ = lease_of(first)
    made.report("r2", reservation=f"{name}.1")
    assert made.spent("t/p") == (140, 7 * UNIT), "its report gives nothing back"


def test_a_lease_that_the_store_reserved_without_an_answer_is_that_of_the_repeated_check() -> None:
    made = world()
    reserve = made.store.reserve

    async def unanswered(hold: Any) -> Any:
        await reserve(hold)
        raise StoreError("no answer")

    made.store.reserve = unanswered  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        check(made)
    made.store.reserve = reserve  # type: ignore[method-assign]
    assert made.spent("t/p") == (0, 9 * UNIT)
    assert lease_of(check(made))[1] == "8"


def test_a_repeated_check_gets_no_lease_of_other_terms() -> None:
    made = world()
    check(made)
    made.service.use(configuration(policy("t/p", RICH, window=Every(length_ms=HOUR)), policy("t/new", RICH)))
    assert not lease_of(check(made))


def test_a_unit_that_nobody_granted_is_counted() -> None:
    made = world()
    name, *_ = lease_of(check(made))
    made.report("r2", reservation="abc.3")
    made.report("r3", reservation=f"{name}.1")
    made.report("r3", reservation=f"{name}.1")
    made.metrics.flush()
    assert made.sample("fairlead_budget_lease_units_total", outcome="unknown") == 1
    assert made.spent("t/p") == (70, 8 * UNIT)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("check"), st.integers(0, 9), st.sampled_from(["100", "60000"])),
        st.tuples(st.just("report"), st.integers(0, 9)),
        st.tuples(st.just("unit"), st.integers(0, 9), st.integers(1, 5)),
        st.tuples(st.just("back"), st.integers(0, 9)),
        st.tuples(st.just("sweep")),
        st.tuples(st.just("clock"), st.sampled_from([-HOUR, -16_000, 16_000, EXPIRES_AFTER_MS, HOUR])),
    ),
    max_size=40,
)


def sweep(made: World) -> None:
    while asyncio.run(made.store.expire(made.now_ms, 100)):
        pass


def play(made: World, leases: dict[int, str], step: tuple[Any, ...]) -> None:
    match step:
        case ("check", number, size):
            name, _, end, *_ = lease_of(check(made, f"r{number}", want="5,100,50,1", bytes=size)) or ("", "", "0")
            assert int(end) <= made.now_ms // 1000 + 15
            leases |= {number: name} if name else {}
        case ("report", number):
            made.report(f"r{number}")
        case ("unit", number, unit) if number in leases:
            made.report(f"q{number}", reservation=f"{leases[number]}.{unit}")
        case ("back", number) if number in leases:
            check(made, "other", want="-", back=f"{leases[number]}:1-5", consumer="t/b")
        case ("sweep",):
            sweep(made)
        case ("clock", step_ms):
            made.now_ms += step_ms


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_a_clock_that_steps_under_leases_passes_no_limit_and_leaves_nothing_reserved(
    steps: list[tuple[Any, ...]],
) -> None:
    limit = 256 * 8 * UNIT  # five requests of 60,000 bytes
    made, leases = world(limit), {}
    counters: Any = made.store._counters
    for step in steps:
        play(made, leases, step)
        assert all(min(one.spent, one.reserved, one.estimated) >= 0 for one in counters.values()), step
        assert all(one.spent + one.reserved <= limit for one in counters.values()), step
    made.now_ms += 48 * HOUR
    sweep(made)
    assert not any(one.reserved for one in counters.values())
