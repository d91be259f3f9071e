"""The ledger: transitions one by one, then laws over any sequence of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.budget.ledger import (
    CORRECTABLE_MS,
    EMPTY,
    EXPIRES_AFTER_MS,
    NO_WAIVER,
    REMEMBERED_MS,
    Admission,
    Counter,
    Entry,
    Hold,
    Phase,
    Plan,
    Posting,
    Settlement,
    Step,
    Verdict,
    Waiver,
    expire,
    fits,
    reserve,
    settle,
)

NOW = 1_000_000
PAYER = "t/a|t/chat"


def posting(name: str = "p|t/a|0", cap: int | None = 100, downgrade_at: int | None = None) -> Posting:
    return Posting(counter=name, cap=cap, downgrade_at=downgrade_at, keep_ms=None)


def hold(amount: int = 10, *postings: Posting, downgrade: Plan | None = None, request: str = "r1") -> Hold:
    plan = Plan(amount=amount, postings=postings or (posting(),))
    return Hold(request=request, payer=PAYER, plan=plan, downgrade=downgrade, now_ms=NOW)


def report(cost: int, *postings: Posting, estimated: bool = False, request: str = "r1", now: int = NOW) -> Settlement:
    return Settlement(
        request=request, payer=PAYER, cost=cost, estimated=estimated, postings=postings or (posting(),), now_ms=now
    )


def opened(amount: int = 10) -> tuple[Entry, dict[str, Counter]]:
    _, step = reserve(hold(amount), None, {})
    assert step.entry is not None
    return step.entry, dict(step.counters)


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


# --- laws ---------------------------------------------------------------------------------------------------------


@dataclass
class Books:
    """The smallest store: two dictionaries."""

    counters: dict[str, Counter] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)

    def apply(self, request: str, step: Step) -> None:
        self.counters |= step.counters
        if step.entry is not None:
            self.entries[request] = step.entry

    def reserve(self, ask: Hold) -> Admission:
        admission, step = reserve(ask, self.entries.get(ask.request), self.counters)
        self.apply(ask.request, step)
        return admission

    def settle(self, settlement: Settlement) -> None:
        self.apply(settlement.request, settle(settlement, self.entries.get(settlement.request), self.counters))

    def expire(self, request: str, now_ms: int) -> None:
        if entry := self.entries.get(request):
            self.apply(request, expire(entry, self.counters, now_ms=now_ms, waiver=NO_WAIVER))


NAMES = ("a", "b", "c")
CAPS: Mapping[str, int | None] = {"a": 100, "b": 60, "c": None}
REQUESTS = st.sampled_from([f"r{number}" for number in range(8)])
POSTINGS = st.sets(st.sampled_from(NAMES), min_size=1).map(
    lambda names: tuple(posting(name, CAPS[name], 50 if name == "a" else None) for name in sorted(names))
)
PLANS = st.builds(Plan, amount=st.integers(0, 40), postings=POSTINGS)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), REQUESTS, PLANS, st.none() | PLANS),
        st.tuples(st.just("settle"), REQUESTS, st.integers(0, 60), POSTINGS, st.booleans()),
        st.tuples(st.just("expire"), REQUESTS, st.booleans()),
    ),
    max_size=40,
)


def play(books: Books, step: tuple) -> Admission | None:
    match step:
        case ("reserve", request, plan, smaller):
            return books.reserve(Hold(request=request, payer=PAYER, plan=plan, downgrade=smaller, now_ms=NOW))
        case ("settle", request, cost, postings, estimated):
            books.settle(report(cost, *postings, estimated=estimated, request=request))
        case ("expire", request, ripe):
            books.expire(request, NOW + (EXPIRES_AFTER_MS if ripe else 0))
    return None


def total(books: Books, name: str) -> Counter:
    """Work a counter out from the entries alone."""
    mine = [entry for entry in books.entries.values() if name in entry.counters]
    return Counter(
        spent=sum(entry.booked for entry in mine),
        reserved=sum(entry.amount for entry in mine if entry.phase is Phase.OPEN),
        estimated=sum(entry.booked for entry in mine if entry.estimated),
    )


@settings(max_examples=300)
@given(STEPS)
def test_money_is_neither_made_nor_lost(steps: list[tuple]) -> None:
    books = Books()
    for step in steps:
        play(books, step)
        for name in NAMES:
            assert books.counters.get(name, EMPTY) == total(books, name)


@settings(max_examples=300)
@given(STEPS)
def test_an_admission_never_passes_a_cap(steps: list[tuple]) -> None:
    books = Books()
    for step in steps:
        admission = play(books, step)
        if admission is None or admission.verdict is not Verdict.GRANTED:
            continue
        _, request, plan, smaller = step
        for part in (smaller if admission.downgraded else plan).postings:
            counter = books.counters[part.counter]
            assert part.cap is None or counter.spent + counter.reserved <= part.cap, request


@settings(max_examples=300)
@given(STEPS)
def test_what_is_spent_passes_a_cap_only_by_what_passed_its_reservation_or_was_never_checked(
    steps: list[tuple],
) -> None:
    books = Books()
    for step in steps:
        play(books, step)
    for name, cap in CAPS.items():
        mine = [entry for entry in books.entries.values() if name in entry.counters]
        beyond = sum(max(0, entry.booked - entry.amount) for entry in mine)
        unchecked = sum(entry.booked for entry in mine if entry.request not in reserved_first(steps))
        assert cap is None or books.counters.get(name, EMPTY).spent <= cap + beyond + unchecked


def reserved_first(steps: list[tuple]) -> set[str]:
    """Return the requests whose reservation was granted before anything else was heard of them."""
    books, first = Books(), set()
    for step in steps:
        known = step[1] in books.entries
        admission = play(books, step)
        if admission is not None and admission.verdict is Verdict.GRANTED and not known:
            first.add(step[1])
    return first


@settings(max_examples=200)
@given(STEPS)
def test_repeating_any_step_changes_nothing(steps: list[tuple]) -> None:
    books = Books()
    for step in steps:
        admission = play(books, step)
        before = replace_all(books)
        again = play(books, step)
        assert replace_all(books) == before
        if admission is not None and again is not None and admission.verdict is Verdict.GRANTED:
            assert (again.verdict, again.downgraded) == (Verdict.REPLAYED, admission.downgraded)


def replace_all(books: Books) -> tuple[dict[str, Counter], dict[str, Entry]]:
    return dict(books.counters), {name: replace(entry) for name, entry in books.entries.items()}


@settings(max_examples=200)
@given(
    st.lists(st.tuples(REQUESTS, st.integers(0, 60), st.booleans()), unique_by=lambda report_: report_[0], max_size=8),
    st.sets(REQUESTS),
    st.sets(REQUESTS),
    st.randoms(use_true_random=False),
)
def test_reports_in_any_order_with_repetitions_give_the_same_totals(reports, reserved, expired, shuffler) -> None:  # noqa: ANN001 - hypothesis
    def books() -> Books:
        made = Books()
        for request in sorted(reserved):
            made.reserve(
                Hold(
                    request=request,
                    payer=PAYER,
                    plan=Plan(amount=20, postings=(posting("c", None),)),
                    downgrade=None,
                    now_ms=NOW,
                )
            )
        for request in sorted(expired):
            made.expire(request, NOW + EXPIRES_AFTER_MS)
        return made

    straight, shuffled = books(), books()
    for request, cost, estimated in reports:
        straight.settle(report(cost, posting("c", None), estimated=estimated, request=request))
    mixed = [*reports, *reports]
    shuffler.shuffle(mixed)
    for request, cost, estimated in mixed:
        shuffled.settle(report(cost, posting("c", None), estimated=estimated, request=request))
    assert straight.counters == shuffled.counters
