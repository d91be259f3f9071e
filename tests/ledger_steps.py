"""Steps of the ledger for tests: small ones, changed by keyword."""

from fairlead.budget.ledger import (
    Counter,
    Entry,
    Hold,
    Plan,
    Posting,
    Settlement,
    reserve,
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
