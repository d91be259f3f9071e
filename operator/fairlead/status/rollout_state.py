"""A route's rollout in the status of its ModelRoute, in its conditions and in Events. Pure.

`document` is what `fairlead up` and clusters say alike; `stored` is the form that the API server keeps, `shown` the way
back, and `restored` goes on from it where nothing else was kept.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fairlead.api.conditions import Reason as ConditionReason
from fairlead.rollout.plan import Plan
from fairlead.rollout.state import REFUSED, RUNNING, Phase, Reason, State, decode, encode
from fairlead.rollout.tally import ArmCounts
from fairlead.rollout.transition import kept
from fairlead.status import rollout
from fairlead.status.budget import Happening
from fairlead.status.verdict import Rolling

Json = dict[str, Any]
LATER_S = 60
"""How often numbers of a step are written anew; what a person may wait for is written at once."""
_PERSON = {Phase.AWAITING_PROMOTION: ConditionReason.AWAITING_PROMOTION, Phase.ROLLED_BACK: ConditionReason.ROLLED_BACK}
_EVENTS = {
    Reason.STARTED: "RolloutStarted",
    Reason.STEPPED: "RolloutStepped",
    Reason.RESUMED: "RolloutResumed",
    Reason.AT_ONCE: "PrimaryChanged",
}
_WARNINGS = frozenset({Phase.PAUSED, *REFUSED})


def document(route: str, plan: Plan, state: State, *, cohort: str, order: str) -> Json:
    """Say all of a rollout. `cohort`: that its share is of too few callers; `order`: the mark that was answered."""
    return {
        "route": route,
        **rollout.standing(plan, state),
        "degraded": rollout.is_degraded(state),
        "order": order,
        "declined": state.declined,
        "cohort": cohort,
        "progress": rollout.progress(plan, state),
    }


def stored(said: Json, state: State, *, now: datetime) -> Json:
    """Return `status.rollout`: the same without what is absent, and what a restart needs if nothing else was kept."""
    fields = {name: value for name, value in said.items() if name not in ("route", "degraded")}
    moment = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    found: Json = _without_none({**fields, "refused": state.refused, "observedAt": moment})
    return found


def told(fresh: Json, before: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return `status.rollout`: a new one if it is news, or its numbers are old, else the one `before`, as stored."""
    if before is None or _news(fresh) != _news(before):
        return fresh
    age_s = (_moment(fresh["observedAt"]) - _moment(before.get("observedAt", ""))).total_seconds()
    moved = _numbers(fresh) != _numbers(before)
    return fresh if moved and not 0 <= age_s < LATER_S else before


def shown(route: str, found: Mapping[str, Any]) -> Json:
    """Return of a `status.rollout` what `document` said."""
    progress = found.get("progress") or {}
    return {
        "route": route,
        **{name: found.get(name, "") for name in ("phase", "reason")},
        **{name: found.get(name, 0) for name in ("step", "steps")},
        **{name: found.get(name, "0%") for name in ("traffic", "shadow")},
        "stable": found.get("stable", ""),
        **{name: found.get(name) for name in ("candidate", "previous")},
        "since": found.get("since", ""),
        "verdicts": [{"measure": None, **one} for one in found.get("verdicts") or ()],
        "message": found.get("message", ""),
        "degraded": found.get("phase") in REFUSED,
        **{name: found.get(name, "") for name in ("order", "declined", "cohort")},
        "progress": {
            **{side: _arm(progress.get(side) or {}) for side in ("stable", "candidate")},
            "minRequests": progress.get("minRequests", 0),
            **{name: progress.get(name) for name in ("holdLeftSeconds", "leftSeconds")},
            "waitsFor": progress.get("waitsFor", ""),
        },
        "observedAt": found.get("observedAt", ""),
    }


def restored(status: Mapping[str, Any], now_ms: int) -> State | None:
    """Go on from a ModelRoute's status: where nothing was kept of it but that; None where it says nothing.

    What was counted in the step is not there, so its hold begins anew. A status that cannot be followed still says what
    was stable.
    """
    found, stable = status.get("rollout") or {}, _target(status.get("stable"))
    stable = str(found.get("stable") or stable or "")
    if not stable:
        return None
    try:
        state = {
            **encode(kept(stable, now_ms)),
            **{name: found[name] for name in ("phase", "reason", "step")},
            **{name: found.get(name) for name in ("candidate", "previous", "refused")},
            "since_ms": min(_moment_ms(found["since"]), now_ms),
            "done": found.get("order", ""),
            "declined": found.get("declined", ""),
            "message": _reason_of(found, stable),
            "verdicts": [{**one, "at_ms": _moment_ms(one.pop("at"))} for one in map(dict, found.get("verdicts", ()))],
        }
        running = found["phase"] in RUNNING
        return decode(state | ({"step_since_ms": now_ms, "judged_ms": now_ms} if running else {"step": 0}))
    except (KeyError, ValueError, TypeError, AttributeError):
        return kept(stable, now_ms)


def target(name: str | None) -> Json | None:
    """Write a target, `provider/model`, as `status.stable` has it."""
    provider, _, model = (name or "").partition("/")
    return {"provider": provider, "model": model} if name else None


def rolling(plan: Plan, state: State) -> Rolling | None:
    """Say what conditions say of it; None where Git's target serves. Without counts: conditions do not move with them.

    What waits for a person is told from what goes on by itself.
    """
    if state.phase in REFUSED:
        reason = _PERSON.get(state.phase, ConditionReason.ABORTED)
        return Rolling(reason=reason, message=rollout.message(state), stalled=True)
    if state.phase not in RUNNING:
        return None
    by_hand = state.phase is Phase.PAUSED and state.reason is Reason.BY_HAND
    reason = ConditionReason.PAUSED_BY_HAND if by_hand else _PERSON.get(state.phase, ConditionReason.ROLLING_OUT)
    return Rolling(reason=reason, message=rollout.place(plan, state), stalled=False)


def happening(plan: Plan, state: State) -> Happening:
    """Say in an Event that a rollout stands otherwise than before."""
    by_hand = "RolloutStepped" if state.phase is Phase.PROGRESSING else "RolloutPromoted"
    named = {**_EVENTS, Reason.BY_HAND: by_hand, Reason.PROMOTED: "RolloutPromoted"}
    by_phase = state.phase in (Phase.PROGRESSING, Phase.STABLE)
    reason = named.get(state.reason, f"Rollout{state.phase}") if by_phase else f"Rollout{state.phase}"
    return Happening(reason=reason, message=rollout.sentence(plan, state), warning=state.phase in _WARNINGS)


def _news(found: Mapping[str, Any]) -> Any:
    verdicts = found.get("verdicts") or [{}]
    quiet = ("verdicts", "message", "cohort", "progress", "observedAt")
    fields = {name: value for name, value in found.items() if name not in quiet}
    return fields, verdicts[-1].get("outcome"), verdicts[-1].get("measure")


def _numbers(found: Mapping[str, Any]) -> Any:
    progress = found.get("progress") or {}
    return [progress.get(side) for side in ("stable", "candidate")], found.get("message"), found.get("cohort")


def _moment(text: Any) -> datetime:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _reason_of(found: Mapping[str, Any], stable: str) -> str:
    """Take `rollout.message` apart again; operators of before had `declined` at its end, too."""
    said, declined = str(found.get("message", "")), str(found.get("declined", ""))
    said = said.removesuffix(declined).removesuffix("; ") if declined else said
    return said.removeprefix(rollout.asked(found.get("refused"), stable))


def _moment_ms(text: Any) -> int:
    return int(_moment(text).timestamp() * 1000)


def _target(found: Any) -> str:
    return f"{found.get('provider', '')}/{found.get('model', '')}" if isinstance(found, Mapping) else ""


def _arm(found: Mapping[str, Any]) -> Json:
    return {**rollout.arm(ArmCounts()), **found}


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(one) for name, one in value.items() if one is not None}
    return [_without_none(one) for one in value] if isinstance(value, list) else value
