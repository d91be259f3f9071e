"""All endpoints and regions together: evidence in, shares out. Pure, and total."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fairlead.health import machine, observer, overlay, region, window
from fairlead.health.endpoint import Cause, Endpoint, EndpointHealth, Probe, State, Traffic, words
from fairlead.health.record import STEP, WHOLE, Record
from fairlead.health.region import DrainOrder, RegionHealth
from fairlead.statuses import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Everything that is known of health: what is shown, and the whole memory of the machine."""

    endpoints: Mapping[str, EndpointHealth] = field(default_factory=dict)
    """By `provider/endpoint`."""
    regions: Mapping[str, RegionHealth] = field(default_factory=dict)
    """Those that have endpoints in use."""
    probes_unreliable_since_ms: int | None = None
    """Since when probes decide nothing, because the observer seems to be cut off; None while they do."""
    records: Mapping[str, Record] = field(default_factory=dict)
    """What is remembered of each endpoint in use."""
    judged_ms: int | None = None
    """When all this was concluded."""
    due_ms: int | None = None
    """When it can change without further evidence; None: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One endpoint or region that stands otherwise than before."""

    subject: str
    """`provider/endpoint`, or a region's name."""
    is_region: bool
    before: State
    """Of a region Healthy or Down."""
    after: State
    share_before: int
    share_after: int
    reason: Failure | Cause
    message: str


def judge(
    declared: Sequence[Endpoint],
    before: Fleet,
    *,
    probes: Sequence[Probe] = (),
    traffic: Sequence[Traffic] = (),
    drains: Sequence[DrainOrder] = (),
    now_ms: int,
) -> Fleet:
    """Judge all endpoints by what was told since the last judgement; time that passed is evidence too.

    `probes` are those that ended since, in any order; `traffic` is what gateways counted since, `drains` are all orders
    that stand, ended ones too. An empty `traffic` says nothing; of a gateway that could not be read nothing is said.
    Memory of endpoints that are declared no longer goes. A clock that was set back makes everything happen now.
    """
    used = {one.name: one for one in declared if one.used}
    records = {name: _known(one, before, now_ms) for name, one in used.items()}
    unreliable_ms = before.probes_unreliable_since_ms
    for probe in sorted(probes, key=lambda one: (one.ended_ms, one.endpoint, one.began_ms)):
        if probe.endpoint in used and probe.began_ms <= probe.ended_ms <= now_ms:
            records, unreliable_ms = observer.heard(used, records, unreliable_ms, probe)
    unreliable_ms = observer.still(used, records, unreliable_ms, now_ms)
    told: dict[str, list[Traffic]] = {}
    for seen in traffic:
        told.setdefault(seen.endpoint, []).append(seen)
    for name, endpoint in used.items():
        record = machine.with_traffic(endpoint, records[name], told.get(name, ()), now_ms)
        records[name] = machine.judged(endpoint, record, now_ms, reliable=unreliable_ms is None)
    regions = {
        name: region.next_health(
            before.regions.get(name),
            region.is_down((one, records[one.name].state is State.DOWN) for one in endpoints),
            STEP * max(one.interval_ms for one in endpoints),
            now_ms,
        )
        for name, endpoints in sorted(region.by_region(declared).items())
    }
    for name, endpoint in used.items():
        records[name] = overlay.laid(endpoint, records[name], drains, regions.get(endpoint.region), now_ms)
    return Fleet(
        endpoints={
            one.name: _shown(records[one.name], drains, regions.get(one.region), one, now_ms) if one.used else _UNUSED
            for one in sorted(declared, key=lambda one: one.name)
        },
        regions=regions,
        probes_unreliable_since_ms=unreliable_ms,
        records=records,
        judged_ms=now_ms,
        due_ms=_due_ms(used, records, regions, drains, now_ms),
    )


def shares(fleet: Fleet) -> Mapping[str, int]:
    """Return what `Observed.health` wants: the share of each endpoint that has less than the whole."""
    return {name: health.share for name, health in fleet.endpoints.items() if health.share < WHOLE}


def transitions(before: Fleet, after: Fleet) -> tuple[Transition, ...]:
    """List endpoints whose state, reason or share is another, then regions, each sorted by name."""
    found = []
    for name, now in sorted(after.endpoints.items()):
        then = before.endpoints.get(name, EndpointHealth())
        if (then.state, then.reason, then.share) != (now.state, now.reason, now.share):
            found.append(
                Transition(
                    subject=name,
                    is_region=False,
                    before=then.state,
                    after=now.state,
                    share_before=then.share,
                    share_after=now.share,
                    reason=now.reason,
                    message=now.message,
                )
            )
    return (*found, *_of_regions(before, after))


_UNUSED = EndpointHealth(reason=Cause.NOT_USED, message="no route uses it")
_REGION_STATES = {False: State.HEALTHY, True: State.DOWN}


def _known(endpoint: Endpoint, before: Fleet, now_ms: int) -> Record:
    """Return what is remembered of an endpoint, if it is the same still."""
    record = before.records.get(endpoint.name)
    if record is None or record.identity != endpoint.identity:
        fresh = machine.began(endpoint, now_ms)
        if record is None:
            return fresh
        return replace(fresh, laid=record.laid, laid_ms=record.laid_ms, laid_share=record.laid_share)
    judged_ms = before.judged_ms
    if judged_ms is not None and judged_ms > now_ms:
        return machine.set_back(record, now_ms)
    if judged_ms is None or now_ms - judged_ms > window.INTERVALS * endpoint.interval_ms:
        return replace(record, watched_ms=now_ms)
    return record


def _shown(
    record: Record, drains: Sequence[DrainOrder], region: RegionHealth | None, endpoint: Endpoint, now_ms: int
) -> EndpointHealth:
    share = min(record.share, record.laid_share)
    if record.laid is Cause.DRAINED:
        message = overlay.drained_until(endpoint, drains, now_ms)
        return EndpointHealth(
            state=State.DRAINED, since_ms=record.laid_ms, reason=Cause.DRAINED, message=message, share=share
        )
    if record.laid is Cause.REGION_DOWN and record.share > 0:
        message = "" if region is None else region.reason
        return EndpointHealth(
            state=record.state, since_ms=record.laid_ms, reason=Cause.REGION_DOWN, message=message, share=share
        )
    return EndpointHealth(
        state=record.state,
        since_ms=record.since_ms,
        reason=record.reason,
        message=_own_words(record) or words(record.reason, record.status),
        share=share,
        status=record.status,
    )


def _own_words(record: Record) -> str:
    """Say what the last probe met in the words of system or TLS, where that is the reason."""
    return record.row.detail if record.reason is record.row.failure else ""


def _due_ms(
    used: Mapping[str, Endpoint],
    records: Mapping[str, Record],
    regions: Mapping[str, RegionHealth],
    drains: Sequence[DrainOrder],
    now_ms: int,
) -> int | None:
    moments = [machine.due_ms(endpoint, records[name], now_ms) for name, endpoint in used.items()]
    moments += [edge_ms for order in drains for edge_ms in order.edges_ms()]
    for name, endpoints in region.by_region(used.values()).items():
        if regions[name].down:
            moments.append(regions[name].held_ms + STEP * max(one.interval_ms for one in endpoints))
    return min((moment for moment in moments if moment is not None and moment > now_ms), default=None)


def _of_regions(before: Fleet, after: Fleet) -> list[Transition]:
    found = []
    for name, now in sorted(after.regions.items()):
        then = before.regions.get(name, RegionHealth())
        if then.down != now.down:
            found.append(
                Transition(
                    subject=name,
                    is_region=True,
                    before=_REGION_STATES[then.down],
                    after=_REGION_STATES[now.down],
                    share_before=0 if then.down else WHOLE,
                    share_after=0 if now.down else WHOLE,
                    reason=Cause.REGION_DOWN if now.down else Cause.HEALTHY,
                    message=now.reason,
                )
            )
    return found
