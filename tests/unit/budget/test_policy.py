"""Stages at, just below and just above; caps; counters."""

import pytest

from fairlead.budget.policy import Action, Policy, Scope, Stage, counter, unbudgeted
from fairlead.budget.price import USD
from fairlead.budget.window import Forever, Span

NOTIFY, DOWNGRADE, REJECT = Action.NOTIFY, Action.DOWNGRADE, Action.REJECT


def policy(limit: int, *stages: tuple[int, Action], routes: frozenset[str] | None = None) -> Policy:
    return Policy(
        name="team-web/agents",
        scope=Scope.PER_CONSUMER,
        limit=limit,
        window=Forever(),
        stages=tuple(Stage(at=at, action=action) for at, action in stages),
        routes=routes,
    )


CAPS = [
    (policy(5 * USD), 5 * USD, "no stage: rejected at 100%"),
    (policy(5 * USD, (8000, NOTIFY)), 5 * USD, "stages below 100% do not take the end away"),
    (policy(5 * USD, (10000, NOTIFY)), None, "a stage at 100% says what happens there: told, not stopped"),
    (policy(5 * USD, (10000, DOWNGRADE)), None, "or answered by something smaller"),
    (policy(5 * USD, (12000, REJECT)), 6 * USD, "a stage above 100% gives some slack"),
    (policy(5 * USD, (8000, REJECT)), 4 * USD, "Reject caps where it stands"),
    (policy(5 * USD, (8000, REJECT), (12000, NOTIFY)), 4 * USD, "the lowest Reject counts"),
    (policy(0, (10000, NOTIFY)), 0, "zero is the kill switch whatever the stages say"),
    (policy(3, (5000, REJECT)), 1, "a part of a nano-dollar is not room"),
]


@pytest.mark.parametrize(("given", "cap", "why"), CAPS, ids=[case[-1] for case in CAPS])
def test_cap(given: Policy, cap: int | None, why: str) -> None:
    assert given.cap == cap, why


STAGES = [
    (15 * USD * 8 // 10 - 1, None, "one nano-dollar below"),
    (15 * USD * 8 // 10, NOTIFY, "exactly at 80%"),
    (15 * USD * 95 // 100 - 1, NOTIFY, "just below 95%"),
    (15 * USD * 95 // 100, DOWNGRADE, "exactly at 95%"),
    (15 * USD - 1, DOWNGRADE, "just below the limit"),
    (15 * USD, REJECT, "the limit, without a stage of its own"),
    (400_000_000, None, "$0.40 of $15 is nowhere near anything"),
]


@pytest.mark.parametrize(("spent", "action", "why"), STAGES, ids=[case[-1] for case in STAGES])
def test_reached(spent: int, action: Action | None, why: str) -> None:
    found = policy(15 * USD, (8000, NOTIFY), (9500, DOWNGRADE)).reached(spent)
    assert (found.action if found else None) is action, why


def test_of_two_stages_reached_the_higher_counts() -> None:
    found = policy(10, (5000, DOWNGRADE), (6000, NOTIFY)).reached(7)
    assert found == Stage(at=6000, action=NOTIFY)


def test_downgrade_at_rounds_up_so_that_it_is_never_early() -> None:
    assert policy(3, (9500, DOWNGRADE)).downgrade_at == 3
    assert policy(3).downgrade_at is None


def test_a_policy_counts_its_routes_only() -> None:
    bound = policy(1, routes=frozenset({"team-web/chat"}))
    assert bound.counts(("team-web/chat", "team-web/small"))
    assert not bound.counts(("team-web/small",))
    assert policy(1).counts(("any/thing",))


def test_the_counter_is_named_by_policy_consumer_and_window() -> None:
    window = Span(start_ms=1000, end_ms=2000)
    assert counter(policy(1), "team-web/a", window) == "team-web/agents|team-web/a|1000"
    shared = Policy(name="x/y", scope=Scope.SHARED, limit=1, window=Forever(), stages=(), routes=None)
    assert counter(shared, "team-web/a", window) == "x/y|*|1000"


def test_a_consumer_without_a_policy_is_counted_by_the_month() -> None:
    name, window = unbudgeted("team-web/a", 86_400_000)
    assert name == "unbudgeted|team-web/a|0"
    assert window == Span(start_ms=0, end_ms=31 * 86_400_000)


STAGES = [
    (policy(5 * USD), [(10000, REJECT)], "the end is a stage, too"),
    (policy(5 * USD, (8000, NOTIFY)), [(8000, NOTIFY), (10000, REJECT)], "in the order of shares"),
    (policy(5 * USD, (10000, DOWNGRADE)), [(10000, DOWNGRADE)], "a stage at 100% leaves nothing implied"),
    (policy(5 * USD, (8000, REJECT)), [(8000, REJECT)], "written and implied are one"),
    (policy(0, (8000, NOTIFY)), [], "nobody reaches a stage of the kill switch by spending"),
]


@pytest.mark.parametrize(("given", "stages", "why"), STAGES, ids=[case[-1] for case in STAGES])
def test_all_stages(given: Policy, stages: list[tuple[int, Action]], why: str) -> None:
    assert [(stage.at, stage.action) for stage in given.all_stages] == stages, why
    assert [given.threshold(stage) for stage in given.all_stages] == [5 * USD * at // 10000 for at, _ in stages]
