"""Whether it is the endpoints that fail, or the observer that is cut off."""

from collections.abc import Mapping
from dataclasses import replace

from fairlead.health import machine
from fairlead.health.endpoint import Cause, Endpoint, Probe, State
from fairlead.health.record import WHOLE, Record, Weight, weight

Records = dict[str, Record]


def heard(
    used: Mapping[str, Endpoint], records: Mapping[str, Record], unreliable_ms: int | None, probe: Probe
) -> tuple[Records, int | None]:
    """Take in one probe, and judge its endpoint; return all records, and since when probes are unreliable.

    They are from the moment on when more than half of all endpoints, in at least two regions, began to fail within the
    longest interval, until one that failed is well.
    """
    name, now_ms = probe.endpoint, probe.ended_ms
    before = records[name]
    record = machine.with_probe(used[name], before, probe)
    found = {**records, name: record}
    if record is before:
        return found, unreliable_ms
    if probe.failure is None and before.row.bad and unreliable_ms is not None:
        found, unreliable_ms = _begun_anew(found), None
    elif unreliable_ms is None and record.row.bad == 1 and record.row.bad_since_ms == probe.began_ms:
        failing = _failing_at_once(used, found, probe.began_ms)
        if failing:
            unreliable_ms = now_ms
            found.update({one: _restored(found[one], now_ms) for one in failing})
    found[name] = machine.judged(used[name], found[name], now_ms, reliable=unreliable_ms is None)
    return found, unreliable_ms


def still(used: Mapping[str, Endpoint], records: Records, unreliable_ms: int | None, now_ms: int) -> int | None:
    """Return since when probes are unreliable; None, too, where no probe that failed is recent: nothing is asked."""
    asked = (weight(endpoint, records[name], now_ms, reliable=True) for name, endpoint in used.items())
    return unreliable_ms if any(one in (Weight.DOUBTFUL, Weight.BAD) for one in asked) else None


def _failing_at_once(used: Mapping[str, Endpoint], records: Records, latest_ms: int) -> frozenset[str]:
    """Return what began to fail within the longest interval, if that is most of all; else nothing."""
    asked = {name: endpoint for name, endpoint in used.items() if endpoint.probed}
    earliest_ms = latest_ms - max(endpoint.interval_ms for endpoint in asked.values())
    failing = {name for name in asked if records[name].row.bad and earliest_ms <= (records[name].row.bad_since_ms or 0)}
    regions = {asked[name].region for name in failing}
    return frozenset(failing) if 2 * len(failing) > len(asked) and len(regions) > 1 else frozenset()


def _restored(record: Record, now_ms: int) -> Record:
    """Take back a fall that probes alone brought about."""
    if record.state is not State.DOWN or record.fell_from is None:
        return record
    state = State.SUSPECT if record.fell_from == WHOLE else State.RECOVERING
    return replace(
        record,
        state=state,
        since_ms=now_ms,
        reason=Cause.PROBES_UNRELIABLE,
        status=0,
        share=record.fell_from,
        moved_ms=now_ms,
        fell_from=None,
    )


def _begun_anew(records: Records) -> Records:
    """Count failed probes anew: those of the time in which they were unreliable say nothing."""
    return {name: replace(record, row=replace(record.row, bad=0)) for name, record in records.items()}
