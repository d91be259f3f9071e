"""When to come back."""

from dataclasses import replace

import pytest

from fairlead.budget.admission import Closes, Standing, closing, retry_after_s, seconds_until, short, tightest
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


def on(
    routes: tuple[str, ...] | None, spent: int, end_ms: int | None, *, limit: int = 100, reserved: int = 0
) -> Standing:
    found = standing(limit, spent, reserved, end_ms)
    return replace(found, policy=replace(found.policy, routes=None if routes is None else frozenset(routes)))


def test_what_is_spent_closes_everything_until_the_last_window_ends() -> None:
    found = closing([on(None, 100, 5), on(None, 120, 7), on(None, 0, 1)], 1, "t/chat")
    assert found is not None
    assert (found.closes, found.until_ms, found.again) == (Closes.EVERYTHING, 7, True)
    assert found.standing.counter.spent == 120, "the one with least left is named"
    forever = closing([on(None, 100, None), on(None, 120, 7)], 1, "t/chat")
    assert forever is not None
    assert (forever.closes, forever.until_ms, forever.again) == (Closes.EVERYTHING, None, False)


def test_what_is_spent_for_some_routes_closes_the_one_that_was_asked() -> None:
    found = closing([on(("t/chat",), 100, 5), on(None, 99, 7)], 1, "t/chat")
    assert found is not None
    assert (found.closes, found.until_ms) == (Closes.ROUTE, 5)


def test_a_policy_of_the_smaller_route_alone_closes_no_more_than_what_was_asked() -> None:
    found = closing([on(("t/small",), 100, 5), on(None, 80, 3)], 1, "t/chat")
    assert found is not None
    assert (found.closes, found.until_ms) == (Closes.LARGER, 3), "pressure may end with the first window"


def test_what_does_not_fit_any_more_closes_what_is_as_large() -> None:
    found = closing([on(None, 95, 5)], 6, "t/chat")
    assert found is not None
    assert (found.closes, found.until_ms, found.again, found.at_end) == (Closes.LARGER, 5, True, True)
    never = closing([on(None, 0, 5)], 101, "t/chat")
    assert never is not None
    assert (never.closes, never.again, never.at_end) == (Closes.LARGER, False, False)
    prepaid = closing([on(None, 95, None)], 6, "t/chat")
    assert prepaid is not None
    assert (prepaid.again, prepaid.at_end) == (False, True), "no window ends, and it is what was spent all the same"


def test_reservations_close_nothing() -> None:
    assert closing([on(None, 50, 5, reserved=50)], 1, "t/chat") is None
    assert closing([on(None, 1, 5, reserved=200)], 99, "t/chat") is None


def test_a_limit_of_nothing_on_one_route_closes_that_route() -> None:
    found = closing([on(("t/chat",), 0, None, limit=0)], 0, "t/chat")
    assert found is not None
    assert found.closes is Closes.ROUTE
