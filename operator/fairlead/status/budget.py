"""What a BudgetPolicy's status says of the window that runs, whether the policy is enforced, and which stages are news.

Spending changes with every request; status must not. So a new state is written when it is news: a stage, a window or a
limit at once, spending by steps of a hundredth of the limit, anything else once a minute. What Events have told
stands in the status itself, so that a restarted operator does not repeat it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from fairlead.api import quantity
from fairlead.api.conditions import Condition, ConditionStatus, ConditionType, Reason
from fairlead.api.status import Reach
from fairlead.budget import baseline, cached
from fairlead.budget.policy import SHARED
from fairlead.budget.price import decimal
from fairlead.budget.spend import Account, Reached, SpendSnapshot
from fairlead.budget.usage import moment
from fairlead.ir import word
from fairlead.status.serving import percent
from fairlead.translate import Report, Served

AT_ONCE_S, SOON_S, LATER_S = 5, 15, 60
"""How old a stored state is before one with a new stage, with a hundredth of the limit more, or just another one
follows."""
NAMED = 10
"""How many consumers get an Event of their own for each stage and window; the others are told together."""
_HUNDREDTH = 100
_LISTED = 64
_ALL = "all consumers together"

Json = Mapping[str, Any]


class Availability(StrEnum):
    """Who can decide whether a request fits."""

    ANSWERS = "answers"
    """A budget server with its store."""
    NO_STORE = "no store"
    """Budget servers answer, but none of them has its store."""
    NO_SERVER = "no server"
    """No budget server answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the budget servers last said."""

    availability: Availability
    spend: SpendSnapshot | None
    """The last one of a server that had its store; None = there never was one."""


def enforced(report: Report, reading: Reading | None, *, fail_closed: bool) -> Condition:
    """Say whether requests are checked against a policy. `reading` None: this installation runs no budget server."""

    def state(status: ConditionStatus, reason: Reason, message: str) -> Condition:
        return Condition(
            type=ConditionType.ENFORCED,
            status=status,
            reason=reason,
            message=message,
            observed_generation=report.generation,
        )

    if report.served is Served.NOTHING:
        return state(ConditionStatus.FALSE, Reason.NOT_IN_EFFECT, "nothing of the object is in effect")
    if reading is None:
        message = "this installation runs no budget server, requests pass unchecked, set `budgetServer.enabled`"
        return state(ConditionStatus.FALSE, Reason.NO_BUDGET_SERVER, message)
    if reading.availability is not Availability.ANSWERS:
        who = "no budget server" if reading.availability is Availability.NO_SERVER else "no budget server's store"
        if fail_closed:
            return state(ConditionStatus.FALSE, Reason.FAILING_CLOSED, f"{who} answers, requests are refused with 503")
        return state(ConditionStatus.FALSE, Reason.FAILING_OPEN, f"{who} answers, requests pass unchecked")
    if reading.spend is None or reading.spend.account(f"{report.key.namespace}/{report.key.name}") is None:
        return state(ConditionStatus.UNKNOWN, Reason.PENDING, "no budget server has taken it yet")
    return state(ConditionStatus.TRUE, Reason.ENFORCED, "requests are checked against it")


def budget_state(account: Account, before: Json | None, *, now: datetime) -> Json:
    """Return `status.budget`: a new one if it is news, else the one `before`, which is stored."""
    told = before if before is not None and _same_window(account, before) else None
    fresh = _state(account, told, now)
    if before is None:
        return fresh
    age_s = (now - datetime.fromisoformat(before["observedAt"])).total_seconds()
    if {**fresh, "observedAt": before["observedAt"]} == before:
        return before
    if age_s < 0:  # a clock was set back
        return fresh
    if told is None or _turns(fresh) != _turns(before):
        return fresh if age_s >= AT_ONCE_S else before
    step = account.limit // _HUNDREDTH
    moved = abs(account.spent - quantity.nanodollars(before["spentUSD"])) >= max(1, step)
    return fresh if age_s >= (SOON_S if moved else LATER_S) else before


def shadow_states(spend: SpendSnapshot, route: str, before: Sequence[Json], *, now: datetime) -> Sequence[Json]:
    """Return a route's `status.shadow`: a new one if it is news, else the one `before`, which is stored."""
    fresh = [
        {
            "target": word.decode(one.target),
            "spentUSD": decimal(one.spent),
            "since": moment(one.since_ms),
            "observedAt": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        for one in spend.shadows
        if one.route == route
    ]
    if [_place(one) for one in fresh] != [_place(one) for one in before]:
        return fresh
    ages_s = [(now - datetime.fromisoformat(one["observedAt"])).total_seconds() for one in before]
    moved = any(new["spentUSD"] != old["spentUSD"] for new, old in zip(fresh, before, strict=True))
    return fresh if moved and (max(ages_s) >= LATER_S or min(ages_s) < 0) else before


def savings_state(spend: SpendSnapshot, route: str, before: Json | None, *, now: datetime) -> Json | None:
    """Return a route's `status.savings`: a new one if it is news, else the one `before`, which is stored."""
    one = next((found for found in spend.savings if found.route == route), None)
    if one is None:
        return None
    money = baseline.told(spent=one.spent, cost_there=one.cost_there, estimated=one.estimated)
    del money["savedUSD"]  # no dollars of a resource are negative
    fresh = {"baseline": word.decode(one.baseline), **money, "since": moment(one.since_ms)}
    if before is None or any(fresh[name] != before.get(name) for name in ("baseline", "since")):
        return fresh | {"observedAt": _observed(now)}
    age_s = (now - datetime.fromisoformat(before["observedAt"])).total_seconds()
    moved = any(before.get(name) != value for name, value in money.items())
    return fresh | {"observedAt": _observed(now)} if moved and (age_s >= LATER_S or age_s < 0) else before


def cache_state(spend: SpendSnapshot, route: str, before: Json | None, *, now: datetime) -> Json | None:
    """Return a route's `status.cache`: a new one if it is news, else the one `before`, which is stored."""
    one = next((found for found in spend.caches if found.route == route), None)
    if one is None:
        return None
    counted = cached.told(requests=one.requests, hits=one.hits, saved=one.saved, estimated=one.estimated)
    fresh = {**counted, "since": moment(one.since_ms)}
    if before is None or fresh["since"] != before.get("since"):
        return fresh | {"observedAt": _observed(now)}
    age_s = (now - datetime.fromisoformat(before["observedAt"])).total_seconds()
    moved = any(before.get(name) != value for name, value in counted.items())
    return fresh | {"observedAt": _observed(now)} if moved and (age_s >= LATER_S or age_s < 0) else before


def _observed(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _place(shadow: Json) -> tuple[Any, Any]:
    return shadow["target"], shadow["since"]


def reach(*, is_fleet_wide: bool) -> str:
    """Say whom a limit holds for."""
    return str(Reach.FLEET_WIDE if is_fleet_wide else Reach.THIS_CLUSTER_ONLY)


def consumer_state(budgets: Sequence[str] | None) -> Json:
    """Return what a consumer's status says of its budgets; `budgets` None: it is no caller, so it has none to lack."""
    if budgets is None:
        return {}
    return {"budgets": list(budgets[:_LISTED]), "budgetedBy": ", ".join(budgets[:_LISTED]) or "-"}


def _turns(state: Json) -> Any:
    """Choose what is news at once."""
    return (
        state["limitUSD"],
        state.get("refused", []),
        [(stage["at"], stage["action"], stage["consumers"]) for stage in state.get("stages", ())],
    )


def _same_window(account: Account, before: Json) -> bool:
    return bool(before.get("windowStart") == _start(account))


def _start(account: Account) -> str | None:
    return None if account.end_ms is None else moment(account.start_ms)


def _state(account: Account, told: Json | None, now: datetime) -> Json:
    window = {} if account.end_ms is None else {"windowStart": _start(account), "windowEnd": moment(account.end_ms)}
    stages = [_stage(found, account, told) for found in account.reached]
    refused = list((told or {}).get("refused", ()))
    refused += [who for who in account.refused if who not in refused][: NAMED - len(refused)]
    return {
        "observedAt": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **window,
        "limitUSD": decimal(account.limit),
        "spentUSD": decimal(account.spent),
        "consumers": account.consumers,
        "top": f"{_who(account.top[0].consumer)} {decimal(account.top[0].spent)}" if account.top else "-",
        "topSpenders": [{"consumer": one.consumer, "spentUSD": decimal(one.spent)} for one in account.top],
        "stages": stages,
        "refused": refused,
    }


def _stage(found: Reached, account: Account, told: Json | None) -> Json:
    """Count who reached a stage, and settle who of them is told by name, and whether the others are told."""
    at, action = percent(found.stage.at), found.stage.action.value
    before = _stage_of(told, at, action)
    named = list(before.get("named", ()))
    arrived = [one.consumer for one in account.top if one.spent >= found.threshold and one.consumer not in named]
    named += arrived[: NAMED - len(named)]
    announced = max(before.get("announced", 0), len(named))
    if found.consumers > len(named) and found.consumers >= 2 * max(announced, 1):
        announced = found.consumers
    return {"at": at, "action": action, "consumers": found.consumers, "announced": announced, "named": named}


def _stage_of(state: Json | None, at: str, action: str) -> Json:
    stages: Sequence[Json] = (state or {}).get("stages", ())
    return next((stage for stage in stages if (stage["at"], stage["action"]) == (at, action)), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that deserves an Event."""

    reason: str
    message: str
    warning: bool


def stage_news(before: Json | None, written: Json) -> tuple[Happening, ...]:
    """Tell which stages were reached between two states: once for each window, stage and consumer, in this order."""
    if before == written:
        return ()
    told = before if before is not None and before.get("windowStart") == written.get("windowStart") else None
    spent = {one["consumer"]: one["spentUSD"] for one in written["topSpenders"]}
    until = f" until {written['windowEnd']}" if "windowEnd" in written else ""
    news = []
    for stage in written["stages"]:
        old = _stage_of(told, stage["at"], stage["action"])
        effect = _EFFECTS[stage["action"]] + (until if stage["action"] != "Notify" else "")
        limit = f"{stage['at']} of ${written['limitUSD']}"
        reason, warning = f"Budget{stage['action']}", stage["action"] != "Notify"
        for consumer in stage["named"][len(old.get("named", ())) :]:
            amount = f" with ${spent[consumer]}" if consumer in spent else ""
            message = f"{_who(consumer)} reached {limit}{amount}: {effect}"
            news.append(Happening(reason=reason, message=message, warning=warning))
        if stage["announced"] > max(len(stage["named"]), old.get("announced", 0)):
            message = f"{stage['announced']} consumers have reached {limit}: {effect}"
            news.append(Happening(reason=reason, message=message, warning=warning))
    for consumer in written["refused"][len((told or {}).get("refused", ())) :]:
        amount = f"spent ${spent.get(consumer, '0.00')} of ${written['limitUSD']}"
        message = f"{_who(consumer)} {amount} and is refused what does not fit any more{until}"
        news.append(Happening(reason="BudgetRefused", message=message, warning=True))
    return tuple(news)


_EFFECTS = {
    "Notify": "nothing else happens",
    "Downgrade": "routes answer by their `downgradeTo`",
    "Reject": "requests get 429",
}


def _who(consumer: str) -> str:
    return _ALL if consumer == SHARED else consumer
