"""How a route's rollout stands: its document, and what it says to people. Pure.

`standing` is what status says of it, in the operator and in `fairlead up`; `progress` is what a live view shows
besides, which is another at each look.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from fairlead import ir
from fairlead.budget.price import USD
from fairlead.rollout import machine
from fairlead.rollout.forecast import Forecast, forecast
from fairlead.rollout.machine import Shares
from fairlead.rollout.plan import WHOLE, Plan
from fairlead.rollout.state import REFUSED, Phase, Reason, State
from fairlead.rollout.tally import ArmCounts
from fairlead.rollout.verdict import P95, Verdict
from fairlead.status.serving import percent

Json = dict[str, Any]
ENOUGH = 5
"""So many callers a share should mean on average: of fewer it may well be none, and then nothing is ever counted."""
PROMOTE = "fairlead rollout promote"
RETRY = "fairlead rollout retry"
_HOUR_S, _DAY_S = 3600, 86_400


def standing(plan: Plan, state: State) -> Json:
    """Return how it stands, of JSON's types only."""
    shares = machine.shares(plan, state)
    return {
        "phase": state.phase.value,
        "reason": state.reason.value,
        "step": state.step,
        "steps": len(plan.steps),
        "traffic": percent(shares.traffic),
        "shadow": percent(shares.shadow),
        "stable": state.stable,
        "candidate": state.candidate,
        "previous": state.previous,
        "since": _time(state.since_ms),
        "verdicts": [_verdict(one) for one in state.verdicts],
        "message": message(state),
    }


def progress(plan: Plan, state: State) -> Json:
    """Return what was counted in the step, and what it waits for."""
    ahead = forecast(plan, state)
    return {
        "stable": arm(state.tally.stable),
        "candidate": arm(state.tally.candidate),
        "minRequests": plan.bounds.min_requests,
        "holdLeftSeconds": None if ahead is None or ahead.hold_ms is None else ahead.hold_ms // 1000,
        "leftSeconds": None if ahead is None or ahead.left_ms is None else -(-ahead.left_ms // 1000),
        "waitsFor": waits_for(state, ahead),
    }


def message(state: State) -> str:
    """Say in one line what the phase does not; of a target that was sent back, what Git asks for and what serves.

    It is of now: why the last order changed nothing is `declined` alone.
    """
    if state.phase in REFUSED and state.reason is not Reason.UNDONE:
        return f"{asked(state.refused, state.stable)}{state.message}"
    return state.message


def asked(refused: str | None, stable: str) -> str:
    """Say what Git asks for and what serves, before why."""
    return f"Git asks for {refused}, {stable} serves: "


def is_degraded(state: State) -> bool:
    """Tell whether Git asks for a target that does not serve, since evidence or a person sent it back."""
    return state.phase in REFUSED


def is_worth_saying(plan: Plan, state: State) -> bool:
    """Tell whether a route has a rollout, or something to go back to; the others just serve what is written."""
    return bool(plan.steps) or state.previous is not None or is_degraded(state)


def sentence(plan: Plan, state: State) -> str:
    """Say how it stands, for a line in a log or an Event."""
    said = message(state)
    because = f": {said}" if said else ""
    if is_degraded(state):
        return f"{state.phase} ({state.reason}){because}"
    if state.candidate is None:
        return f"{state.phase} ({state.reason}), {state.stable} serves{because}"
    return f"{place(plan, state)}{because}"


def place(plan: Plan, state: State) -> str:
    """Say at which step a candidate is under way, with which share."""
    shares = machine.shares(plan, state)
    share = f"{percent(shares.traffic)} of traffic" if shares.traffic else f"{percent(shares.shadow)} copied"
    where = f"step {state.step} of {len(plan.steps)}, {share} to {state.candidate} beside {state.stable}"
    return f"{state.phase} ({state.reason}), {where}"


def small_cohort(gateways: Iterable[ir.Gateway], route: str, shares: Shares) -> str:
    """Say that the candidate's share is of too few callers; empty where it is not, or no side is kept."""
    if not 0 < shares.traffic < WHOLE:
        return ""
    callers: set[str] = set()
    for gateway in gateways:
        if not any(one.name == route and one.stickiness is ir.Stickiness.CONSUMER for one in gateway.routes):
            continue
        scopes = {scope.name for scope in gateway.scopes if any(entry.route == route for entry in scope.entries)}
        callers |= {one.name for one in gateway.consumers if scopes & set(one.scopes)}
    if not callers or len(callers) * shares.traffic >= ENOUGH * WHOLE:
        return ""
    count = "1 caller" if len(callers) == 1 else f"{len(callers)} callers"
    return (
        f"{count} may use the route and each stays on its side, so {percent(shares.traffic)} may be nobody: write"
        " `stickiness: Request`, or larger steps"
    )


def waits_for(state: State, ahead: Forecast | None) -> str:
    """Say why it does not go on; empty where nothing is under way."""
    if ahead is None:
        return f"a further change of `primary`, or `{RETRY}`" if state.phase in REFUSED else ""
    if state.phase is Phase.PAUSED and state.reason is Reason.BY_HAND:
        return "`fairlead rollout resume`, promote or abort: paused by hand"
    if state.phase is Phase.PAUSED and state.reason is Reason.STABLE_GONE:
        return f"{state.stable}, which is served nowhere, or `{PROMOTE}`"
    if ahead.hold_ms is None:
        return f"`{PROMOTE}`: the step has no hold"
    wants = [f"{duration(ahead.hold_ms)} of its hold"] if ahead.hold_ms else []
    if ahead.requests and ahead.requests_ms is None:
        wants.append(f"{ahead.requests} requests at the candidate, which has had none in this step")
    elif ahead.requests:
        wants.append(
            f"{ahead.requests} requests at the candidate, about {duration(ahead.requests_ms or 0)} at this rate"
        )
    return " and ".join(wants) or "the next verdict"


def duration(milliseconds: int) -> str:
    """Write a duration with its two largest units, rounded up to seconds: `1d 2h`, `45s`."""
    seconds = -(-milliseconds // 1000)
    units = ((_DAY_S, "d"), (_HOUR_S, "h"), (60, "m"), (1, "s"))
    parts: list[tuple[int, str]] = []
    for size, unit in units:
        count, seconds = divmod(seconds, size)
        if count or parts or size == 1:
            parts.append((count, unit))
    return " ".join(f"{count}{unit}" for count, unit in parts[:2] if count or len(parts) == 1) or "0s"


def _verdict(one: Verdict) -> Json:
    return {
        "outcome": one.outcome.value,
        "measure": None if one.measure is None else one.measure.value,
        "message": one.message,
        "at": _time(one.at_ms),
    }


def arm(counts: ArmCounts) -> Json:
    """Return what one side counted."""
    late = counts.quantile_ms(P95)
    mean, tokens = counts.mean_nano_usd, counts.tokens_per_request
    return {
        "requests": counts.attempts,
        "failed": counts.failed,
        "errorRate": None if counts.error_rate is None else f"{counts.error_rate:.2%}",
        "worseRate": f"{counts.worse / counts.attempts:.2%}" if counts.attempts else None,
        "firstByteP95Ms": None if late is None or late == float("inf") else round(late),
        "usdPerRequest": None if mean is None else f"{mean / USD:.9f}",
        "tokensPerRequest": None if tokens is None else round(tokens),
        "finishReasons": [
            {"reason": reason, "share": f"{count / counts.ended:.0%}"}
            for reason, count in sorted(counts.finish_reasons.items())
            if count
        ],
    }


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
