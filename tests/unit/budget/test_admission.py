"""When to come back."""

import pytest

from fairlead.budget.admission import Standing, retry_after_s, seconds_until, short, tightest
from fairlead.budget.ledger import Counter, Posting
from fairlead.budget.policy import Action, Policy, Scope, Stage
from fairlead.budget.window import Forever, Span

NOW = 1_000_000
SOON = 5


def standing(limit: int, spent: int, reserved: int, end_ms: int | None, *stages: Stage, name: str = "a/b") -> Standing:
    policy = Policy(name=name, scope=Scope.SHARED, limit=limit, window=Forever(), stages=stages, routes=None)
    return Standing(
        policy=policy, span=Span(start_ms=0, end_ms=end_ms), counter=Counter(spent=spent, reserved=reserved)
    )


CASES = [
    ([standing(100, 95, 0, NOW + 7_000)], 10, 7, "spent: the window's end"),
    ([standing(100, 95, 0, NOW + 7_001)], 10, 8, "never early: rounded up"),
    ([standing(100, 80, 15, NOW + 7_000)], 10, SOON, "only reserved: soon"),
    ([standing(100, 100, 0, NOW + 7_000)], 0, 7, "a free request against a spent limit"),
    ([standing(0, 0, 0, NOW + 7_000)], 0, 7, "the kill switch"),
    ([standing(100, 95, 0, None)], 10, None, "no window: waiting does not help"),
    (
        [standing(100, 95, 0, NOW + 7_000), standing(100, 80, 15, NOW + 90_000)],
        10,
        7,
        "the latest of those without room",
    ),
    ([standing(100, 95, 0, NOW + 7_000), standing(100, 95, 0, None)], 10, None, "one of them never has room again"),
    ([standing(100, 100, 5, NOW + 9_000, Stage(at=12_000, action=Action.REJECT))], 18, SOON, "the cap is the stage's"),
]


@pytest.mark.parametrize(("lacking", "amount", "wait", "why"), CASES, ids=[case[-1] for case in CASES])
def test_retry_after(lacking: list[Standing], amount: int, wait: int | None, why: str) -> None:
    assert retry_after_s(lacking, amount, NOW) == wait, why


def test_nothing_lacking_means_nothing_to_wait_for() -> None:
    assert retry_after_s([], 1, NOW) is None


def test_short_names_those_without_room() -> None:
    both = [standing(100, 95, 0, None, name="a/a"), standing(100, 0, 0, None, name="a/b")]
    postings = [Posting(counter=s.policy.name, cap=100, downgrade_at=None, keep_ms=None) for s in both]
    assert short(both, postings, 10) == (both[0],)


def test_tightest_is_the_one_with_least_left() -> None:
    both = [standing(100, 10, 0, None), standing(50, 0, 45, None)]
    assert tightest(both) is both[1]
    assert tightest([]) is None


def test_a_wait_is_at_least_a_second() -> None:
    assert seconds_until(NOW, NOW) == 1
    assert seconds_until(NOW + 1, NOW) == 1
