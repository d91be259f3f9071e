"""The usage document."""

from fairlead.budget.admission import Standing
from fairlead.budget.ledger import Counter
from fairlead.budget.policy import Action, Policy, Scope, Stage
from fairlead.budget.price import USD
from fairlead.budget.usage import document, dollars, moment
from fairlead.budget.window import Forever, Span


def standing(
    name: str, limit: int, counter: Counter, end_ms: int | None, routes: frozenset[str] | None = None
) -> Standing:
    policy = Policy(
        name=name,
        scope=Scope.PER_CONSUMER,
        limit=limit,
        window=Forever(),
        stages=(Stage(at=8000, action=Action.NOTIFY),),
        routes=routes,
    )
    return Standing(policy=policy, span=Span(start_ms=0, end_ms=end_ms), counter=counter)


def test_the_tightest_budget_comes_first() -> None:
    month = standing("t/month", 100 * USD, Counter(), None)
    hour = standing(
        "t/hour", 5 * USD, Counter(spent=4_180_000_001, reserved=20_000_000), 18_000_000, frozenset({"t/chat"})
    )
    found = document([month, hour])
    assert found["budget"] == {
        "name": "t/hour",
        "scope": "PerConsumer",
        "routes": ["t/chat"],
        "limit": 5.0,
        "spent": 4.180000001,
        "estimated": 0.0,
        "reserved": 0.02,
        "remaining": 0.799999999,
        "stage": "Notify",
        "window_started_at": "1970-01-01T00:00:00Z",
        "resets_at": "1970-01-01T05:00:00Z",
    }
    assert [budget["name"] for budget in found["budgets"]] == ["t/month", "t/hour"]
    assert found["budgets"][0]["resets_at"] is None
    assert found["budgets"][0]["stage"] is None


def test_without_policies_there_is_no_budget() -> None:
    assert document([]) == {"object": "usage", "budget": None, "budgets": []}


def test_dollars_and_moments() -> None:
    assert dollars(-1) == -1e-09
    assert dollars(9_007_199_254_740_993) == 9007199.254740993
    assert moment(1_767_225_600_000) == "2026-01-01T00:00:00Z"
    assert moment(1_767_225_600_250) == "2026-01-01T00:00:00.250Z"
