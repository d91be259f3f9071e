"""A policy's window in its status: written rarely, and what is told by Events, told once."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builders import budget, compiled
from fairlead.api.conditions import ConditionStatus, Reason
from fairlead.budget.policy import Action, Stage
from fairlead.budget.price import USD
from fairlead.budget.shadow import ShadowAccount
from fairlead.budget.spend import Account, Reached, Spender, SpendSnapshot
from fairlead.compiler import Report
from fairlead.status import Availability, Reading, budget_state, enforced, shadow_states, stage_news
from fairlead.status.budget import consumer_state

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
START, HOUR = int(NOW.timestamp()) * 1000, 3_600_000
NOTIFY, REJECT = Stage(at=8000, action=Action.NOTIFY), Stage(at=10_000, action=Action.REJECT)


def _account(*spent: float, limit: int = 5 * USD, start_ms: int = START, forever: bool = False) -> Account:
    """An account whose consumers `t/a`, `t/b`, ... spent so many dollars each."""
    spenders = [Spender(consumer=f"t/{chr(97 + n)}", spent=round(usd * USD)) for n, usd in enumerate(spent)]
    top = sorted(spenders, key=lambda one: -one.spent)[:10]
    return Account(
        policy="team-web/agents",
        limit=limit,
        start_ms=0 if forever else start_ms,
        end_ms=None if forever else start_ms + HOUR,
        spent=sum(one.spent for one in spenders),
        consumers=len(spenders),
        reached=tuple(
            Reached(
                stage=stage,
                threshold=limit * stage.at // 10_000,
                consumers=sum(one.spent >= limit * stage.at // 10_000 for one in spenders),
            )
            for stage in (NOTIFY, REJECT)
        ),
        top=tuple(one for one in top if one.spent),
    )


def _after(seconds: int) -> datetime:
    return NOW + timedelta(seconds=seconds)


def _messages(before: Mapping[str, Any] | None, written: Mapping[str, Any]) -> list[str]:
    return [f"{one.reason}: {one.message}" for one in stage_news(before, written)]


def test_the_window_and_who_spent() -> None:
    assert budget_state(_account(1, 4.5), None, now=NOW) == {
        "observedAt": "2026-11-21T12:00:00Z",
        "windowStart": "2026-11-21T12:00:00Z",
        "windowEnd": "2026-11-21T13:00:00Z",
        "limitUSD": "5.00",
        "spentUSD": "5.50",
        "consumers": 2,
        "top": "t/b 4.50",
        "topSpenders": [{"consumer": "t/b", "spentUSD": "4.50"}, {"consumer": "t/a", "spentUSD": "1.00"}],
        "stages": [
            {"at": "80%", "action": "Notify", "consumers": 1, "announced": 1, "named": ["t/b"]},
            {"at": "100%", "action": "Reject", "consumers": 0, "announced": 0, "named": []},
        ],
        "refused": [],
    }


def test_a_budget_that_never_resets_has_no_window() -> None:
    state = budget_state(_account(forever=True), None, now=NOW)
    assert "windowStart" not in state
    assert "windowEnd" not in state
    assert state["top"] == "-"


@pytest.mark.parametrize(
    ("account", "seconds", "is_written"),
    [
        pytest.param(_account(1), 3600, False, id="nothing new is never written"),
        pytest.param(_account(1.01), 14, False, id="less than a hundredth waits"),
        pytest.param(_account(1.01), 59, False, id="and waits on"),
        pytest.param(_account(1.01), 60, True, id="but not for ever"),
        pytest.param(_account(1.1), 14, False, id="more than a hundredth waits a little"),
        pytest.param(_account(1.1), 15, True, id="and is written then"),
        pytest.param(_account(4.1), 4, False, id="a stage, just after another write"),
        pytest.param(_account(4.1), 5, True, id="a stage"),
        pytest.param(_account(0, start_ms=START + HOUR), 5, True, id="another window"),
        pytest.param(_account(1, limit=6 * USD), 5, True, id="another limit"),
        pytest.param(_account(1.01), -60, True, id="a clock that was set back"),
    ],
)
def test_when_it_is_written(account: Account, seconds: int, is_written: bool) -> None:
    before = budget_state(_account(1), None, now=NOW)
    written = budget_state(account, before, now=_after(seconds))
    assert (written != before) is is_written


def test_a_busy_hour_is_few_writes() -> None:
    state = budget_state(_account(0), None, now=NOW)
    writes = 0
    for second in range(0, 3600, 5):
        later = budget_state(_account(second / 3600 * 4.99), state, now=_after(second))
        writes += later != state
        state = later
    assert writes <= 110


def test_a_stage_is_told_once_for_each_window_and_consumer() -> None:
    first = budget_state(_account(4.2, 1), None, now=NOW)
    assert _messages(None, first) == ["BudgetNotify: t/a reached 80% of $5.00 with $4.20: nothing else happens"]
    assert _messages(first, first) == []
    second = budget_state(_account(5, 4.1), first, now=_after(60))
    assert _messages(first, second) == [
        "BudgetNotify: t/b reached 80% of $5.00 with $4.10: nothing else happens",
        "BudgetReject: t/a reached 100% of $5.00 with $5.00: requests get 429 until 2026-11-21T13:00:00Z",
    ]
    # a raised limit, and the old one again: the same window, the same consumers
    raised = budget_state(_account(5, 4.1, limit=50 * USD), second, now=_after(120))
    lowered = budget_state(_account(5, 4.1), raised, now=_after(180))
    assert _messages(second, raised) == _messages(raised, lowered) == []
    # the next window
    third = budget_state(_account(0, 4.1, start_ms=START + HOUR), lowered, now=_after(3600))
    assert _messages(lowered, third) == ["BudgetNotify: t/b reached 80% of $5.00 with $4.10: nothing else happens"]


def test_many_are_told_together() -> None:
    state, events, before = None, [], None
    for number in range(1, 401):
        before, state = state, budget_state(_account(*[4.0] * number), state, now=_after(10 * number))
        events += _messages(before, state)
    named = [text for text in events if "with $" in text]
    together = [text for text in events if text not in named]
    assert len(named) == 10
    assert [text.split()[1] for text in together] == ["20", "40", "80", "160", "320"]
    assert together[0] == "BudgetNotify: 20 consumers have reached 80% of $5.00: nothing else happens"


def test_who_is_refused_is_told_once_for_each_window() -> None:
    before = budget_state(_account(4.9), None, now=NOW)
    refused = budget_state(replace(_account(4.9), refused=("t/a",)), before, now=_after(5))
    told = (
        "BudgetRefused: t/a spent $4.90 of $5.00 and is refused what does not fit any more until 2026-11-21T13:00:00Z"
    )
    assert _messages(before, refused) == [told]
    # another server does not know of it, or has forgotten
    assert budget_state(_account(4.9), refused, now=_after(60)) == refused
    more = budget_state(replace(_account(4.9, 4.8), refused=("t/b",)), refused, now=_after(60))
    assert [text.split()[1] for text in _messages(refused, more) if "Refused" in text] == ["t/b"]
    many = budget_state(replace(_account(4.9), refused=tuple("cdefghijklmno")), more, now=_after(120))
    assert len(many["refused"]) == 10
    later = budget_state(replace(_account(4.9, start_ms=START + HOUR), refused=("t/a",)), many, now=_after(3600))
    assert "BudgetRefused" in str(_messages(many, later))


def test_all_that_share_are_one() -> None:
    account = replace(_account(4.2), top=(Spender(consumer="*", spent=42 * USD // 10),))
    state = budget_state(account, None, now=NOW)
    assert state["top"] == "all consumers together 4.20"
    assert _messages(None, state)[0].startswith("BudgetNotify: all consumers together reached 80%")


def _report(*, broken: bool = False) -> Report:
    spec = {"consumers": {"namespaces": {"from": "All"}}} if broken else {}
    (report,) = compiled(budget("agents", **spec)).reports
    return report


SPEND = SpendSnapshot(configuration="b", store_up=True, accounts=(_account(),))
ANSWERS = Reading(availability=Availability.ANSWERS, spend=SPEND)
NO_STORE = Reading(availability=Availability.NO_STORE, spend=SPEND)
NO_SERVER = Reading(availability=Availability.NO_SERVER, spend=None)


ENFORCED = [
    ((_report(), ANSWERS), False, "True", Reason.ENFORCED, "requests are checked", "well"),
    ((_report(), NO_STORE), False, "False", Reason.FAILING_OPEN, "store answers, requests pass", "the store is away"),
    ((_report(), NO_STORE), True, "False", Reason.FAILING_CLOSED, "requests are refused", "and nothing may pass"),
    ((_report(), NO_SERVER), False, "False", Reason.FAILING_OPEN, "no budget server answers", "the servers are away"),
    ((_report(), None), False, "False", Reason.NO_BUDGET_SERVER, "`budgetServer.enabled`", "there are none"),
    (
        (_report(), replace(ANSWERS, spend=replace(SPEND, accounts=()))),
        False,
        "Unknown",
        Reason.PENDING,
        "no budget server has taken it yet",
        "the configuration is on its way",
    ),
    ((_report(broken=True), ANSWERS), False, "False", Reason.NOT_IN_EFFECT, "nothing of the object", "refused"),
]


@pytest.mark.parametrize(
    ("given", "closed", "state", "reason", "said"), [case[:5] for case in ENFORCED], ids=[case[-1] for case in ENFORCED]
)
def test_enforced(given: tuple[Report, Reading | None], closed: bool, state: str, reason: Reason, said: str) -> None:
    found = enforced(*given, fail_closed=closed)
    assert (found.status, found.reason) == (ConditionStatus(state), reason)
    assert said in found.message


def test_of_a_consumer_the_policies_that_bound_it() -> None:
    assert consumer_state(("t/a", "t/b")) == {"budgets": ["t/a", "t/b"], "budgetedBy": "t/a, t/b"}
    assert consumer_state(()) == {"budgets": [], "budgetedBy": "-"}, "unbudgeted"
    assert consumer_state(None) == {}, "a consumer that is not in effect"


def _copies(*spent: int, start_ms: int = START) -> SpendSnapshot:
    """What copies of `t/chat` cost at the first, the second, ... target."""
    shadows = tuple(
        ShadowAccount(route="t/chat", target=f"p/e/{number}", spent=nano, since_ms=start_ms)
        for number, nano in enumerate(spent)
    )
    other = ShadowAccount(route="t/other", target="p/e/0", spent=1, since_ms=start_ms)
    return SpendSnapshot(configuration="c", store_up=True, accounts=(), shadows=(*shadows, other))


def test_what_a_shadow_costs_is_told_once_a_minute_and_another_target_or_month_at_once() -> None:
    first = shadow_states(_copies(USD), "t/chat", (), now=NOW)
    assert first == [
        {"target": "p/e/0", "spentUSD": "1.00", "since": "2026-11-21T12:00:00Z", "observedAt": "2026-11-21T12:00:00Z"}
    ]
    assert shadow_states(_copies(USD), "t/chat", first, now=_after(3_600)) is first, "nothing is news"
    assert shadow_states(_copies(2 * USD), "t/chat", first, now=_after(59)) is first
    assert shadow_states(_copies(2 * USD), "t/chat", first, now=_after(60))[0]["spentUSD"] == "2.00"
    assert shadow_states(_copies(2 * USD), "t/chat", first, now=_after(-60))[0]["spentUSD"] == "2.00", (
        "a clock set back"
    )
    assert len(shadow_states(_copies(USD, USD), "t/chat", first, now=_after(1))) == 2
    assert shadow_states(_copies(0, start_ms=START + HOUR), "t/chat", first, now=_after(1))[0]["spentUSD"] == "0.00"
    assert shadow_states(_copies(), "t/chat", first, now=_after(1)) == [], "the shadow is gone"
