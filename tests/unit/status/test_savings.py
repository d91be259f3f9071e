"""A route's savings as its status says them."""

from datetime import UTC, datetime, timedelta

from fairlead.budget.baseline import SavingsAccount, lines, told
from fairlead.budget.spend import SpendSnapshot
from fairlead.status import savings_state

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
USD = 10**9


def snapshot(spent: int, baseline: str = "big/e/best") -> SpendSnapshot:
    account = SavingsAccount(
        route="t/chat", baseline=baseline, spent=spent, cost_there=10 * USD, estimated=0, since_ms=1_793_491_200_000
    )
    return SpendSnapshot(configuration="c", store_up=True, accounts=(), savings=(account,))


def test_savings_are_told_once_a_minute_and_another_baseline_at_once() -> None:
    first = savings_state(snapshot(USD), "t/chat", None, now=NOW)
    assert first == {
        "baseline": "big/e/best",
        "spentUSD": "1.00",
        "baselineUSD": "10.00",
        "estimatedUSD": "0.00",
        "since": "2026-11-01T00:00:00Z",
        "observedAt": "2026-11-21T12:00:00Z",
    }
    soon, late = NOW + timedelta(seconds=59), NOW + timedelta(seconds=60)
    assert savings_state(snapshot(2 * USD), "t/chat", first, now=soon) is first
    assert (savings_state(snapshot(2 * USD), "t/chat", first, now=late) or {})["spentUSD"] == "2.00"
    assert savings_state(snapshot(USD), "t/chat", first, now=late) is first, "nothing is news"
    assert (savings_state(snapshot(USD, "big/e/other"), "t/chat", first, now=soon) or {})["baseline"] == "big/e/other"


def test_a_route_without_a_baseline_has_none() -> None:
    assert savings_state(snapshot(USD), "t/other", None, now=NOW) is None


def test_a_baseline_that_is_cheaper_saves_less_than_nothing() -> None:
    money = told(spent=3 * USD, cost_there=USD, estimated=USD)
    assert money["savedUSD"] == "-2.00"
    (_, line) = lines([{"route": "t/chat", "baseline": "p/e/m", "since": "2026-11-01T00:00:00Z", **money}])
    assert "-$2.00 saved: $3.00 spent ($1.00 of it estimated), $1.00 at p/e/m" in line
