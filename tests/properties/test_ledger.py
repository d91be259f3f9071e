"""Laws of the ledger over any sequence of its steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from examples import times
from fairlead.budget.lease import expire, names_of, release, reserve, unit_name
from fairlead.budget.ledger import (
    EMPTY,
    EXPIRES_AFTER_MS,
    NO_WAIVER,
    Admission,
    Counter,
    Entry,
    Hold,
    Phase,
    Plan,
    Settlement,
    Step,
    Verdict,
    Wish,
    settle,
)
from ledger_steps import NOW, PAYER, posting, report


@dataclass
class Books:
    """The smallest store: two dictionaries."""

    counters: dict[str, Counter] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)

    def apply(self, request: str, step: Step) -> None:
        self.counters |= step.counters
        if step.entry is not None:
            self.entries[request] = step.entry
        self.entries |= {unit.request: unit for unit in step.units}

    def reserve(self, ask: Hold) -> Admission:
        admission, step = reserve(ask, self.entries.get(ask.request), self.counters, known=self.entries.get)
        self.apply(ask.request, step)
        return admission

    def settle(self, settlement: Settlement) -> None:
        self.apply(settlement.request, settle(settlement, self.entries.get(settlement.request), self.counters))

    def expire(self, request: str, now_ms: int) -> None:
        if entry := self.entries.get(request):
            self.apply(request, expire(entry, self.counters, now_ms=now_ms, waiver=NO_WAIVER))

    def give_back(self, unit: str) -> None:
        if entry := self.entries.get(unit):
            self.apply(unit, release(entry, self.counters, now_ms=NOW))


NAMES = ("a", "b", "c", "rich")
CAPS: Mapping[str, int | None] = {"a": 100, "b": 60, "c": None, "rich": 20_000}
ASKING = [f"r{number}" for number in range(8)]
UNITS = [unit_name(request, number) for request in ASKING[:3] for number in (1, 4, 5)]
REQUESTS = st.sampled_from(ASKING)
ANY = st.sampled_from([*ASKING, *UNITS])
POSTINGS = st.sets(st.sampled_from(NAMES), min_size=1).map(
    lambda names: tuple(posting(name, CAPS[name], 50 if name == "a" else None) for name in sorted(names))
)
PLANS = st.builds(Plan, amount=st.integers(0, 40), postings=POSTINGS)
WISHES = st.tuples(st.integers(1, 40), st.integers(0, 20))
"""Units, and the amount of each."""
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), REQUESTS, PLANS, st.none() | PLANS, st.none() | WISHES),
        st.tuples(st.just("settle"), ANY, st.integers(0, 60), POSTINGS, st.booleans()),
        st.tuples(st.just("expire"), ANY, st.booleans()),
        st.tuples(st.just("give back"), st.sampled_from(UNITS)),
    ),
    max_size=40,
)


def play(books: Books, step: tuple) -> Admission | None:
    match step:
        case ("reserve", request, plan, smaller, wished):
            new = wished and not any(name.startswith(names_of(request)) for name in books.entries)
            wish = Wish(lease=request, units=wished[0], amount=wished[1]) if new else None
            hold = Hold(request=request, payer=PAYER, plan=plan, downgrade=smaller, now_ms=NOW, wish=wish)
            return books.reserve(hold)
        case ("give back", unit):
            books.give_back(unit)
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


@times(6)
@given(STEPS)
def test_money_is_neither_made_nor_lost(steps: list[tuple]) -> None:
    books = Books()
    for step in steps:
        play(books, step)
        for name in NAMES:
            assert books.counters.get(name, EMPTY) == total(books, name)


@times(6)
@given(STEPS)
def test_an_admission_never_passes_a_cap(steps: list[tuple]) -> None:
    books = Books()
    for step in steps:
        admission = play(books, step)
        if admission is None or admission.verdict is not Verdict.GRANTED:
            continue
        _, request, plan, smaller, _ = step
        for part in (smaller if admission.downgraded else plan).postings:
            counter = books.counters[part.counter]
            assert part.cap is None or counter.spent + counter.reserved <= part.cap, request


@times(6)
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
        known = set(books.entries)
        admission = play(books, step)
        if admission is not None and admission.verdict is Verdict.GRANTED:
            first |= set(books.entries) - known
    return first


@times(4)
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


@times(4)
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
