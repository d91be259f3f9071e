"""Who was refused, by policy and window; bounded."""

from dataclasses import replace

import pytest

from fairlead.budget.admission import Standing
from fairlead.budget.ledger import Counter
from fairlead.budget.policy import Policy, Scope
from fairlead.budget.window import Forever, span
from fairlead.budgetserver.refusals import Refusals


def test_names_of_the_newest_window() -> None:
    refusals = Refusals()
    refusals.note("t/p", "t/a", 1000)
    refusals.note("t/p", "t/b", 1000)
    refusals.note("t/q", "t/c", 1000)
    assert refusals.of("t/p", 1000) == {"t/a", "t/b"}
    refusals.note("t/p", "t/c", 2000)
    assert refusals.of("t/p", 2000) == {"t/c"}
    assert refusals.of("t/p", 1000) == frozenset(), "over"
    assert refusals.of("t/none", 1000) == frozenset()


def test_not_more_than_anybody_reads() -> None:
    refusals = Refusals()
    for number in range(5000):
        refusals.note("t/p", f"t/{number}", 0)
    assert len(refusals.of("t/p", 0)) == 1000


@pytest.mark.parametrize(
    ("spent", "amount", "refused", "at_end"),
    [
        pytest.param(95, 6, True, True, id="it would fit into an empty window"),
        pytest.param(0, 101, True, False, id="it never fits"),
        pytest.param(50, 30, False, False, id="only reservations are in its way"),
    ],
)
def test_who_is_at_the_end_of_a_budget(spent: int, amount: int, *, refused: bool, at_end: bool) -> None:
    policy = Policy(name="t/p", scope=Scope.PER_CONSUMER, limit=100, window=Forever(), stages=(), routes=None)
    counter = Counter(spent=spent, reserved=40, estimated=0)
    lacking = Standing(policy=policy, span=span(policy.window, 0), counter=counter)
    refusals = Refusals()
    refusals.judge("t/a", [lacking], amount)
    start_ms = lacking.span.start_ms
    assert ("t/a" in refusals.of("t/p", start_ms), "t/a" in refusals.at_end("t/p", start_ms)) == (refused, at_end)
    refusals.judge("t/b", [replace(lacking, policy=replace(policy, scope=Scope.SHARED))], amount)
    assert ("*" in refusals.at_end("t/p", start_ms)) == at_end
