"""Leases: how many units there are, and what becomes of each."""

from dataclasses import replace

import pytest

from fairlead.budget import lease, ledger
from fairlead.budget.lease import expire, release, unit_name
from fairlead.budget.ledger import (
    CORRECTABLE_MS,
    EMPTY,
    EXPIRES_AFTER_MS,
    NO_WAIVER,
    REMEMBERED_MS,
    Admission,
    Counter,
    Counters,
    Entry,
    Hold,
    Phase,
    Plan,
    Posting,
    Step,
    Verdict,
    Waiver,
    Wish,
    settle,
)
from ledger_steps import NOW, hold, posting, report

A = "p|t/a|0"
CAP = 256 * 80 + 10
"""Room for 8 units of 10 beside a request of 10."""


def reserve(
    ask: Hold, entry: Entry | None, counters: Counters, already_open: int = 0, *, known: tuple[Entry, ...] = ()
) -> tuple[Admission, Step]:
    units = {unit.request: unit for unit in known}
    return lease.reserve(ask, entry, counters, already_open, known=units.get)


def wishing(*postings: Posting, units: int = 32, amount: int = 10, downgrade: Plan | None = None) -> Hold:
    wish = Wish(lease="l", units=units, amount=amount)
    return replace(hold(10, *postings, downgrade=downgrade), wish=wish)


def granted(ask: Hold, counters: Counters | None = None, already_open: int = 0) -> int:
    admission, step = reserve(ask, None, counters or {}, already_open)
    assert admission.units == len(step.units)
    return admission.units


SMALLER = Plan(amount=1, postings=(posting(),))
ROOMS = [
    (wishing(posting(cap=CAP)), {}, 0, 8, "a 256th of what is left beside the request itself"),
    (wishing(posting(cap=CAP - 1)), {}, 0, 7, "not a nano-dollar more"),
    (wishing(posting(cap=CAP)), {A: Counter(spent=256 * 40)}, 0, 4, "at least four"),
    (wishing(posting(cap=CAP)), {A: Counter(spent=256 * 40 + 1)}, 0, 0, "or none"),
    (wishing(posting(cap=None)), {}, 0, 32, "what nothing bounds gets all that it asks for"),
    (wishing(posting(cap=None), units=5), {}, 0, 5, "and no more"),
    (wishing(posting(cap=None), units=99), {}, 0, 32, "up to 32"),
    (wishing(posting(cap=None), units=3), {}, 0, 0, "of three it is not worth it"),
    (wishing(posting("b", None), posting(cap=CAP)), {}, 0, 8, "each posting must have room"),
    (wishing(posting(cap=CAP), amount=0), {}, 0, 32, "what costs nothing fits"),
    (wishing(posting(cap=10**6)), {A: Counter(reserved=499_000)}, 0, 32, "other reservations leave room"),
    (wishing(posting(cap=10**6)), {A: Counter(reserved=499_920)}, 0, 7, "until half of what is not spent is reserved"),
    (wishing(posting(cap=10**6)), {A: Counter(spent=500_000, reserved=250_000)}, 0, 0, "of what is not spent"),
    (wishing(posting(cap=10**6, downgrade_at=CAP), downgrade=SMALLER), {}, 0, 8, "a downgrade is a limit, too"),
    (wishing(posting(cap=10**6, downgrade_at=CAP)), {}, 0, 32, "where there is something smaller"),
    (wishing(posting(cap=None)), {}, 4_989, 10, "of the reservations of a payer half may be units"),
    (wishing(posting(cap=None)), {}, 4_996, 0, "and no more"),
]


@pytest.mark.parametrize(("ask", "counters", "open_", "units", "why"), ROOMS, ids=[case[-1] for case in ROOMS])
def test_how_many(ask: Hold, counters: Counters, open_: int, units: int, why: str) -> None:
    assert granted(ask, counters, open_) == units, why


def test_units_are_reserved_beside_the_request_and_no_cap_is_passed() -> None:
    admission, step = reserve(wishing(posting(cap=CAP)), None, {A: Counter(spent=0, reserved=0)})
    assert step.counters == {A: Counter(reserved=10 + 8 * 10)}
    assert admission.counters == (Counter(reserved=90),)
    assert [unit.request for unit in step.units] == [f"lease|l.{number}" for number in range(1, 9)]
    assert {(unit.phase, unit.amount, unit.counters, unit.due_ms) for unit in step.units} == {
        (Phase.OPEN, 10, (A,), NOW + EXPIRES_AFTER_MS)
    }
    assert all(lease.is_unit(unit.request) for unit in step.units)
    assert step.entry is not None
    assert not lease.is_unit(step.entry.request)


NO_LEASE = [
    (wishing(posting(cap=9)), {}, None, "it has no room itself"),
    (wishing(posting(cap=10**6, downgrade_at=0), downgrade=SMALLER), {}, None, "the smaller route answers"),
    (wishing(posting(cap=10**6)), {}, ledger.reserve(hold(10), None, {})[1].entry, "it asked before, for none"),
    (replace(wishing(posting(cap=10**6)), most_open=0), {}, None, "too many are open"),
    (hold(10, posting(cap=10**6)), {}, None, "nobody asks for one"),
]


@pytest.mark.parametrize(("ask", "counters", "entry", "why"), NO_LEASE, ids=[case[-1] for case in NO_LEASE])
def test_no_lease(ask: Hold, counters: Counters, entry: Entry | None, why: str) -> None:
    admission, step = reserve(ask, entry, counters)
    assert (admission.units, step.units) == (0, ()), why


def test_who_asks_again_has_the_units_that_it_got() -> None:
    ask = wishing(posting(cap=None), units=6)
    _, step = reserve(ask, None, {})
    first, second, third, *others = step.units
    gone = release(third, step.counters, now_ms=NOW).entry
    assert gone is not None
    for known, units, why in [
        (step.units, 6, "all of them"),
        ((first, second, gone, *others), 2, "up to one that is over"),
        ((first, *others), 1, "or of which nothing is known"),
        ((replace(first, amount=9), second), 0, "of the size that they would have now"),
        ((first, replace(second, counters=("b",))), 1, "and drawn on the same counters"),
        ((), 0, "none, where none was granted"),
    ]:
        admission, after = reserve(ask, step.entry, step.counters, known=known)
        assert (admission.verdict, admission.units, after.units) == (Verdict.REPLAYED, units, ()), why


def test_no_unit_is_reserved_twice() -> None:
    ask = wishing(posting(cap=None))
    _, step = reserve(ask, None, {})
    admission, again = reserve(ask, None, step.counters, known=step.units)
    assert (admission.verdict, again.units) == (Verdict.GRANTED, ()), "the request is forgotten, its units stand"


def test_the_name_of_a_lease_is_its_request_s_and_begins_with_its_payer_s() -> None:
    names = [lease.name(payer, request) for payer in ("t/a", "t/b") for request in ("t/a|1", "t/a|2")]
    assert len(set(names)) == 4
    assert len({name[: lease.PAYER_DIGITS] for name in names}) == 2
    assert names[0] == lease.name("t/a", "t/a|1") == "efb214dfd13762307c022527d7"


ENDS = [
    (10_000, None, 25, "fifteen seconds"),
    (10_999, None, 25, "in whole seconds, not later"),
    (10_000, 14_500, 14, "with the window"),
    (10_000, 11_999, None, "too soon"),
    (10_000, 12_000, 12, "just worth it"),
]


@pytest.mark.parametrize(("now_ms", "until_ms", "end", "why"), ENDS, ids=[case[-1] for case in ENDS])
def test_ends(now_ms: int, until_ms: int | None, end: int | None, why: str) -> None:
    assert lease.end_s(now_ms, until_ms) == end, why


def unit() -> tuple[Entry, dict[str, Counter]]:
    """Return the first of four units, as the only one that is still open."""
    _, step = reserve(wishing(posting(cap=None), units=4), None, {})
    return step.units[0], {A: Counter(reserved=10)}


def used(cost: int, now: int = NOW) -> Step:
    entry, counters = unit()
    return settle(replace(report(cost, request=entry.request, now=now), reserved=True), entry, counters)


def test_a_report_settles_a_unit_as_any_reservation() -> None:
    step = used(7)
    assert step.counters == {A: Counter(spent=7)}
    assert step.entry is not None
    assert step.entry.phase is Phase.SETTLED


def test_a_unit_that_is_given_back_is_released_once() -> None:
    entry, counters = unit()
    step = release(entry, counters, now_ms=NOW + 5)
    assert step.counters == {A: EMPTY}
    assert step.entry is not None
    assert (step.entry.phase, step.entry.booked, step.entry.due_ms) == (Phase.EXPIRED, 0, NOW + 5 + REMEMBERED_MS)
    assert release(step.entry, step.counters, now_ms=NOW + 6).counters == {}


def test_a_unit_whose_report_came_is_not_given_back() -> None:
    step = used(7)
    assert step.entry is not None
    assert release(step.entry, step.counters, now_ms=NOW).counters == {}


def test_a_unit_that_expires_is_released_and_takes_no_waiver() -> None:
    entry, counters = unit()
    waiver = Waiver(requests=3, at_ms=NOW + 5)
    assert expire(entry, counters, now_ms=entry.due_ms - 1, waiver=waiver).counters == {}
    step = expire(entry, counters, now_ms=entry.due_ms, waiver=waiver)
    assert (step.counters, step.waived) == ({A: EMPTY}, 0)
    assert step.entry is not None
    assert (step.entry.phase, step.entry.due_ms) == (Phase.EXPIRED, entry.due_ms + CORRECTABLE_MS)
    assert expire(step.entry, step.counters, now_ms=10**15, waiver=NO_WAIVER).counters == {}, "once"


@pytest.mark.parametrize("how", ["given back", "expired"])
@pytest.mark.parametrize(("cost", "estimated", "booked"), [(7, False, 7), (15, False, 15), (15, True, 10)])
def test_a_report_that_comes_after_all_is_booked(how: str, cost: int, estimated: bool, booked: int) -> None:
    entry, counters = unit()
    gone = (
        release(entry, counters, now_ms=NOW)
        if how == "given back"
        else expire(entry, counters, now_ms=entry.due_ms, waiver=NO_WAIVER)
    )
    late = replace(report(cost, estimated=estimated, request=entry.request), reserved=True)
    step = settle(late, gone.entry, gone.counters)
    assert step.counters == {A: Counter(spent=booked, estimated=booked if estimated else 0)}
    assert settle(late, step.entry, step.counters).counters == {}, "once"


def test_a_report_that_waited_while_reconciliation_booked_its_tokens_only_releases() -> None:
    entry, counters = unit()
    late = replace(report(7, request=entry.request), reserved=True)
    step = settle(late, entry, counters, Waiver(requests=1, at_ms=NOW))
    assert (step.counters, step.waived, step.covered) == ({A: EMPTY}, -1, True)


def test_names() -> None:
    assert lease.is_unit(unit_name("l", 1))
    for name in ("t/a|x1", "lease/a|x1", "t/lease|x1", "r1"):
        assert not lease.is_unit(name)
