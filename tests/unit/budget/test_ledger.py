"""The ledger: transitions one by one."""

from dataclasses import replace

import pytest

from fairlead.budget.ledger import (
    CORRECTABLE_MS,
    EMPTY,
    EXPIRES_AFTER_MS,
    NO_WAIVER,
    REMEMBERED_MS,
    Admission,
    Counter,
    Phase,
    Plan,
    Step,
    Verdict,
    Waiver,
    expire,
    fits,
    reserve,
    settle,
)
from ledger_steps import NOW, hold, opened, posting, report

FITS = [
    (Counter(spent=90), 100, 10, True, "exactly full"),
    (Counter(spent=90), 100, 11, False, "one too many"),
    (Counter(spent=50, reserved=41), 100, 10, False, "reservations count"),
    (Counter(spent=100), 100, 0, False, "nothing left: not even a free request"),
    (Counter(), 0, 0, False, "the kill switch stops free models too"),
    (Counter(spent=10**18), None, 10**18, True, "no cap"),
]


@pytest.mark.parametrize(("counter", "cap", "amount", "room", "why"), FITS, ids=[case[-1] for case in FITS])
def test_fits(counter: Counter, cap: int | None, amount: int, room: bool, why: str) -> None:
    assert fits(counter, posting(cap=cap), amount) is room, why


def test_a_granted_request_is_held_on_every_counter() -> None:
    admission, step = reserve(hold(10, posting("a"), posting("b")), None, {"a": Counter(spent=5)})
    assert admission.verdict is Verdict.GRANTED
    assert step.counters == {"a": Counter(spent=5, reserved=10), "b": Counter(reserved=10)}
    assert step.entry is not None
    assert (step.entry.phase, step.entry.due_ms) == (Phase.OPEN, NOW + EXPIRES_AFTER_MS)
    assert admission.counters == (Counter(spent=5, reserved=10), Counter(reserved=10))


def test_all_or_nothing() -> None:
    counters = {"b": Counter(spent=95)}
    admission, step = reserve(hold(10, posting("a"), posting("b")), None, counters)
    assert admission.verdict is Verdict.REJECTED
    assert step == Step(entry=None, counters={})
    assert admission.counters == (EMPTY, Counter(spent=95))


def test_a_repeated_check_reserves_once() -> None:
    entry, counters = opened()
    admission, step = reserve(hold(), entry, counters)
    assert admission == Admission(verdict=Verdict.REPLAYED, downgraded=False, counters=(Counter(reserved=10),))
    assert step == Step(entry=entry, counters={})


def test_a_check_that_comes_after_its_report_reserves_nothing() -> None:
    settled = settle(report(7), None, {})
    admission, step = reserve(hold(), settled.entry, settled.counters)
    assert admission.verdict is Verdict.REPLAYED
    assert step.counters == {}


def test_a_downgrade_is_judged_by_what_is_spent_and_pays_the_smaller_plan() -> None:
    small = Plan(amount=2, postings=(posting("a", downgrade_at=95), posting("small")))
    ask = hold(10, posting("a", downgrade_at=95), downgrade=small)
    below, _ = reserve(ask, None, {"a": Counter(spent=80, reserved=10)})
    assert (below.verdict, below.downgraded) == (Verdict.GRANTED, False), "reservations are not spent"
    at, step = reserve(ask, None, {"a": Counter(spent=95)})
    assert (at.verdict, at.downgraded) == (Verdict.GRANTED, True)
    assert step.counters == {"a": Counter(spent=95, reserved=2), "small": Counter(reserved=2)}
    full, _ = reserve(ask, None, {"a": Counter(spent=99)})
    assert (full.verdict, full.downgraded) == (Verdict.REJECTED, True)


def test_a_replayed_downgrade_stays_one() -> None:
    small = Plan(amount=2, postings=(posting("a", downgrade_at=95),))
    ask = hold(10, posting("a", downgrade_at=95), downgrade=small)
    _, step = reserve(ask, None, {"a": Counter(spent=95)})
    again, _ = reserve(ask, step.entry, step.counters)
    assert (again.verdict, again.downgraded) == (Verdict.REPLAYED, True)


def test_without_something_smaller_a_downgrade_changes_nothing() -> None:
    admission, step = reserve(hold(5, posting("a", downgrade_at=10)), None, {"a": Counter(spent=50)})
    assert (admission.verdict, admission.downgraded) == (Verdict.GRANTED, False)
    assert step.counters == {"a": Counter(spent=50, reserved=5)}


def test_settle_books_the_cost_and_releases_the_rest() -> None:
    entry, counters = opened(10)
    step = settle(report(7), entry, counters)
    assert step.counters == {"p|t/a|0": Counter(spent=7)}
    assert step.entry is not None
    assert (step.entry.phase, step.entry.booked, step.entry.due_ms) == (Phase.SETTLED, 7, NOW + REMEMBERED_MS)


def test_a_cost_above_the_reservation_is_booked_in_full() -> None:
    entry, counters = opened(10)
    assert settle(report(15), entry, counters).counters == {"p|t/a|0": Counter(spent=15)}


def test_an_estimate_is_cut_at_the_reservation_and_marked() -> None:
    entry, counters = opened(10)
    assert settle(report(15, estimated=True), entry, counters).counters == {"p|t/a|0": Counter(spent=10, estimated=10)}


def test_a_second_report_changes_nothing() -> None:
    entry, counters = opened(10)
    first = settle(report(7), entry, counters)
    assert settle(report(7), first.entry, first.counters).counters == {}


def test_a_report_without_reservation_is_booked_on_the_legs_it_names() -> None:
    step = settle(report(7, posting("a"), posting("b"), posting("a")), None, {"a": Counter(spent=1)})
    assert step.counters == {"a": Counter(spent=8), "b": Counter(spent=7)}


def test_a_reservation_lands_in_the_window_that_it_was_made_in() -> None:
    entry, counters = opened(10)
    step = settle(report(7, posting("p|t/a|999999")), entry, counters)
    assert step.counters == {"p|t/a|0": Counter(spent=7)}


def test_expiry_books_in_full_and_a_late_report_replaces_it() -> None:
    entry, counters = opened(10)
    early = expire(entry, counters, now_ms=entry.due_ms - 1, waiver=NO_WAIVER)
    assert early == Step(entry=entry, counters={})
    step = expire(entry, counters, now_ms=entry.due_ms, waiver=NO_WAIVER)
    assert step.counters == {"p|t/a|0": Counter(spent=10, estimated=10)}
    assert step.entry is not None
    assert (step.entry.phase, step.entry.due_ms) == (Phase.EXPIRED, entry.due_ms + CORRECTABLE_MS)
    assert expire(step.entry, step.counters, now_ms=10**15, waiver=NO_WAIVER).counters == {}, "once"
    late = settle(report(3), step.entry, step.counters)
    assert late.counters == {"p|t/a|0": Counter(spent=3)}


def test_expiry_waives_what_reconciliation_booked() -> None:
    entry, counters = opened(10)
    waiver = Waiver(requests=2, at_ms=NOW + 5)
    step = expire(entry, counters, now_ms=entry.due_ms, waiver=waiver)
    assert (step.counters, step.waived) == ({"p|t/a|0": EMPTY}, -1)
    assert step.entry is not None
    assert step.entry.phase is Phase.WAIVED
    late = settle(report(3), step.entry, step.counters)
    assert (late.counters, late.waived) == ({"p|t/a|0": Counter(spent=3)}, 1), "then it was another that was lost"


def test_a_waiver_does_not_reach_reservations_that_are_younger() -> None:
    entry, counters = opened(10)
    step = expire(entry, counters, now_ms=entry.due_ms, waiver=Waiver(requests=1, at_ms=NOW - 1))
    assert step.counters == {"p|t/a|0": Counter(spent=10, estimated=10)}


def test_a_report_that_waited_while_reconciliation_booked_its_tokens_only_releases() -> None:
    entry, counters = opened(10)
    step = settle(report(7), entry, counters, Waiver(requests=1, at_ms=NOW))
    assert (step.counters, step.waived, step.covered) == ({"p|t/a|0": EMPTY}, -1, True)
    assert step.entry is not None
    again = settle(report(7), step.entry, step.counters, Waiver(requests=1, at_ms=NOW))
    assert (again.counters, again.waived, again.covered) == ({}, 0, False), "once"


def test_so_does_one_without_a_reservation() -> None:
    step = settle(report(7), None, {}, Waiver(requests=1, at_ms=NOW))
    assert (step.counters, step.waived, step.covered) == ({"p|t/a|0": EMPTY}, -1, True)


def test_so_does_one_whose_reservation_was_booked_in_full() -> None:
    entry, counters = opened(10)
    expired = expire(entry, counters, now_ms=entry.due_ms, waiver=NO_WAIVER)
    assert expired.entry is not None
    step = settle(report(7), expired.entry, expired.counters, Waiver(requests=1, at_ms=NOW))
    assert (step.counters, step.waived, step.covered) == ({"p|t/a|0": EMPTY}, -1, True)


def test_so_does_one_whose_reservation_was_waived_already() -> None:
    entry, counters = opened(10)
    waived = expire(entry, counters, now_ms=entry.due_ms, waiver=Waiver(requests=1, at_ms=NOW))
    assert waived.entry is not None
    step = settle(report(7), waived.entry, waived.counters, Waiver(requests=0, at_ms=NOW))
    assert (step.counters, step.waived, step.covered) == ({"p|t/a|0": EMPTY}, 0, True)


UNCOVERED = [
    (Waiver(requests=1, at_ms=NOW - 1), "taken after the reading: it was not missing there"),
    (Waiver(requests=0, at_ms=NOW), "reconciliation has booked no more"),
    (NO_WAIVER, "nothing was reconciled"),
]


@pytest.mark.parametrize(("waiver", "why"), UNCOVERED, ids=[case[-1] for case in UNCOVERED])
def test_every_other_report_is_booked(waiver: Waiver, why: str) -> None:
    entry, counters = opened(10)
    step = settle(report(7), entry, counters, waiver)
    assert (step.counters, step.waived, step.covered) == ({"p|t/a|0": Counter(spent=7)}, 0, False), why


def test_a_report_of_a_reservation_that_is_forgotten_was_booked_long_ago() -> None:
    step = settle(replace(report(7), reserved=True), None, {"p|t/a|0": Counter(spent=7)})
    assert (step.entry, step.counters, step.covered) == (None, {}, True)


def test_a_report_is_known_for_as_long_as_it_says() -> None:
    step = settle(replace(report(7), remembered_ms=CORRECTABLE_MS), None, {})
    assert step.entry is not None
    assert step.entry.due_ms == NOW + CORRECTABLE_MS


def test_who_has_too_many_reservations_open_gets_no_more_whatever_there_is_to_spend() -> None:
    ask = replace(hold(1), most_open=3)
    assert reserve(ask, None, {}, 2)[0].verdict is Verdict.GRANTED
    admission, step = reserve(ask, None, {}, 3)
    assert (admission.verdict, step.entry, step.counters) == (Verdict.CROWDED, None, {})
    entry, counters = opened(10)
    assert reserve(ask, entry, counters, 3)[0].verdict is Verdict.REPLAYED, "it is among them"
