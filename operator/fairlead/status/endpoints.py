"""How endpoints stand, in a ModelProvider's status and in Events."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fairlead.health.endpoint import State
from fairlead.health.fleet import Transition
from fairlead.health.record import WHOLE
from fairlead.status.budget import Happening
from fairlead.status.standing import EndpointStanding, rfc3339
from fairlead.translate.endpoints import DeclaredEndpoint

Json = Mapping[str, Any]

_QUIET = (State.UNKNOWN, State.HEALTHY)
_UNBILLED = "/models"


def provider_state(provider: str, declared: Iterable[DeclaredEndpoint], standings: Sequence[EndpointStanding]) -> Json:
    """Return what only a ModelProvider's status has; {} for one that does not count."""
    ours = [one for one in standings if one.provider == provider]
    if not ours:
        return {}
    used = [one for one in ours if one.used]
    unwell = [one for one in used if not one.is_well]
    states: dict[str, Any] = {
        "endpoints": [_endpoint(one) for one in ours],
        "healthy": f"{len(used) - len(unwell)}/{len(used)}",
        "unwell": ", ".join(f"{one.endpoint} {one.state} {one.share}%" for one in unwell) or "-",
    }
    free = all(is_free(one) for one in declared if one.health.provider == provider)
    return states | ({"probeUSD": "0"} if free else {})


def _endpoint(one: EndpointStanding) -> Json:
    return {
        "name": one.endpoint,
        **({"region": one.region} if one.region else {}),
        "state": one.state.value,
        "share": f"{one.share}%",
        **({"since": rfc3339(one.since_ms)} if one.since_ms is not None else {}),
        "reason": one.reason,
        **({"message": one.message} if one.message else {}),
    }


def is_free(one: DeclaredEndpoint) -> bool:
    """Tell whether a probe of it can cost nothing: nobody bills who is not known, nor for a list of models."""
    return not one.sends_credential or one.path.partition("?")[0] == f"{one.upstream.base_path}{_UNBILLED}"


def happening(one: Transition) -> Happening | None:
    """Say what deserves an Event: None for what only begins to be known."""
    if one.before in _QUIET and one.after in _QUIET and one.share_before == one.share_after:
        return None
    why = f": {one.message}" if one.message else "" if one.reason.value == one.after.value else f" ({one.reason.value})"
    if one.is_region:
        down = one.after is State.DOWN
        what = "is down, all endpoints there stand at the end of every ladder" if down else "is up again"
        return Happening(
            reason="RegionDown" if down else "RegionUp", message=f"{one.subject} {what}{why}", warning=down
        )
    name = one.subject.partition("/")[2]
    moved = "" if one.share_before == one.share_after else f", has {one.share_after}% of its traffic"
    before = f", {one.share_before}% before" if moved else ""
    return Happening(
        reason=f"Endpoint{one.after.value}",
        message=f"{name} is {one.after.value}{moved}{before}{why}",
        warning=one.after in (State.DOWN, State.SUSPECT),
    )


def is_ill(shown: Json) -> bool:
    """Tell of an endpoint, as `fairlead status -o json` shows it, whether it is used and has not all of its traffic."""
    return bool(shown["used"]) and (shown["state"] not in _QUIET or shown["share"] != f"{WHOLE}%")


def ill_lines(shown: Sequence[Json]) -> list[str]:
    """Say of all endpoints which are ill and why, for people; nothing where none is."""
    ill = [one for one in shown if is_ill(one)]
    head = f"{len(ill)} of {len(shown)} endpoints have less than their traffic, or fail"
    return [head, *map(_line, ill)] if ill else []


def _line(one: Json) -> str:
    where = f" ({one['region']})" if one["region"] else ""
    since = f" since {one['since']}" if one["since"] else ""
    name = f"{one['provider']}/{one['endpoint']}"
    return f"  {name}{where} {one['state']}, {one['share']}{since}: {one['message'] or one['reason'] or ''}"


def trust(*, lost: bool) -> Happening:
    """Say that probes count for nothing any more, or count again."""
    if lost:
        what = "most endpoints of several regions seem down at once: probes move nothing until one succeeds"
        return Happening(reason="ProbesUnreliable", message=f"{what}, real traffic decides", warning=True)
    return Happening(reason="ProbesReliable", message="a probe succeeded: probes count again", warning=False)


def overload(region: str, *, began: bool) -> Happening:
    """Say that a region's gateways refuse requests for lack of room, or do no longer."""
    if began:
        what = f"gateways of `{region}` refuse requests or connections for lack of room: clients get 503 `overloaded`"
        return Happening(reason="GatewayOverloaded", message=f"{what}; more pods, or more memory", warning=True)
    what = f"gateways of `{region}` have had room for all requests for a minute"
    return Happening(reason="GatewayHasRoom", message=what, warning=False)


def diverted(before: str | None, after: str) -> tuple[Happening, ...]:
    """Say that a route is served by another endpoint than its primary's, or by it again.

    Either is a route's `status.diversion`: what `standing.diversion` says, `-` for one that is served as declared.
    """
    was, now = (before or "-") != "-", after != "-"
    if was == now:
        return ()
    message = after if now else "served by its primary again"
    return (Happening(reason="Diverted" if now else "Undiverted", message=message, warning=now),)
