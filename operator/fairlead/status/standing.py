"""How endpoints stand, for people: what health concluded, in the words of real traffic where that fails."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from fairlead.health.endpoint import EndpointHealth, State
from fairlead.health.fleet import Fleet
from fairlead.health.record import WHOLE
from fairlead.status.traffic import Failing
from fairlead.translate.endpoints import DeclaredEndpoint

_QUIET = (State.UNKNOWN, State.HEALTHY)
_MOVED = (State.DRAINED, State.RECOVERING)
_MOST_GATEWAYS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStanding:
    """One endpoint that is declared."""

    provider: str
    endpoint: str
    region: str
    """Empty for an anycast endpoint."""
    used: bool
    """Whether a route uses it."""
    state: State
    share: int
    """Of its traffic, what it has now, in percent."""
    since_ms: int | None
    """When this state began; None while nothing is known."""
    reason: str
    message: str
    """One line; may be empty."""

    @property
    def name(self) -> str:
        """`provider/endpoint`."""
        return f"{self.provider}/{self.endpoint}"

    @property
    def is_well(self) -> bool:
        """Whether nobody need look: Healthy at 100 %, or nothing is known to be wrong, or no route uses it."""
        return not self.used or (self.state in _QUIET and self.share == WHOLE)


def standings(
    declared: Iterable[DeclaredEndpoint],
    fleet: Fleet,
    failing: Sequence[Failing],
    *,
    without_steps: Collection[str] = (),
) -> tuple[EndpointStanding, ...]:
    """List all endpoints, in the order in which they are declared.

    `without_steps` are the regions whose gateways' files have no room for shares between 0 and 100 %.
    """
    whole = {one.subject: one for one in failing if one.whole}
    found = (_standing(one, fleet.endpoints.get(one.name, EndpointHealth()), whole.get(one.name)) for one in declared)
    rounded = f"all or nothing in {', '.join(sorted(without_steps))}, whose files have no room for shares between"
    return tuple(
        replace(one, message=f"{one.message}; {rounded}" if one.message else rounded)
        if without_steps and 0 < one.share < WHOLE
        else one
        for one in found
    )


def _standing(one: DeclaredEndpoint, health: EndpointHealth, failing: Failing | None) -> EndpointStanding:
    state, reason, message = health.state, health.reason.value, health.message
    since_ms = None if state is State.UNKNOWN or not health.since_ms else health.since_ms
    if failing is not None and state not in _MOVED:
        reason, message = failing.failure.value, failing.message
        if state in _QUIET:
            state, since_ms = State.SUSPECT, failing.since_ms
    return EndpointStanding(
        provider=one.health.provider,
        endpoint=one.endpoint,
        region=one.health.region,
        used=one.health.used,
        state=state,
        share=health.share,
        since_ms=since_ms,
        reason=reason,
        message=message,
    )


def diversion(ladders: Mapping[str, Sequence[str]], standings: Iterable[EndpointStanding]) -> str:
    """Say of a route whose primary has less than its whole share who serves instead, since when and why; else ``.

    `ladders` has, by the region of a gateway, the targets that attempts go to as declared, in order.
    """
    by_name = {one.name: one for one in standings}
    told: dict[str, list[str]] = {}
    for region, ladder in sorted(ladders.items()):
        rungs = [found for target in ladder if (found := by_name.get(_endpoint_of(target))) is not None]
        if rungs and rungs[0].share < WHOLE:
            told.setdefault(_diverted(rungs[0], rungs), []).append(region)
    if len(told) == 1 and len(ladders) == len(next(iter(told.values()))):
        return next(iter(told))
    sentences = [f"in {', '.join(regions[:_MOST_GATEWAYS])} {sentence}" for sentence, regions in told.items()]
    return "; ".join(sentences[:_MOST_GATEWAYS])


def _diverted(primary: EndpointStanding, rungs: Sequence[EndpointStanding]) -> str:
    instead = next((one for one in rungs if one.share == WHOLE), None) or max(rungs, key=lambda one: one.share)
    near = instead.region == primary.region or not instead.region or not primary.region
    since = "" if primary.since_ms is None else f" since {rfc3339(primary.since_ms)}"
    partly = f" ({primary.share}% of its traffic)" if primary.share else ""
    why = f": {primary.message}" if primary.message else ""
    return (
        f"served by {instead.name if near else instead.region}{since},"
        f" primary {primary.name if near else primary.region} {primary.state}{partly}{why}"
    )


def _endpoint_of(target: str) -> str:
    return "/".join(target.split("/", 2)[:2])


def rfc3339(at_ms: int) -> str:
    """Write a moment."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
