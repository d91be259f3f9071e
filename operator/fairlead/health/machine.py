"""The state machine of one endpoint: its record and the time in, its next record out.

Real traffic outweighs probes, both ways; evidence older than 5 I counts for nothing; every return goes by steps.
"""

from collections.abc import Sequence
from dataclasses import replace

from fairlead.health import latency, window
from fairlead.health.attempts import moves_traffic, went_well
from fairlead.health.endpoint import Cause, Endpoint, Probe, State, Traffic
from fairlead.health.finding import RATED, Finding, Kind, finding
from fairlead.health.record import (
    FORGIVEN,
    HEARD_MS,
    LONGEST_SILENCE,
    LONGEST_WAIT,
    STEP,
    STEPS,
    WHOLE,
    Record,
    Row,
    Weight,
    weight,
)
from fairlead.health.standing import NAMELESS_MS
from fairlead.statuses import Failure

Ground = tuple[Failure | Cause, int]
"""A reason, and the HTTP status that it is about; 0 for none."""

_REFUSALS = frozenset({Failure.CREDENTIAL_REJECTED, Failure.PAYMENT_REQUIRED, Failure.REDIRECTED})
"""What only a request, or a probe with the credential, can show to be over. Not a rate limit: that ends by time."""
_BAD_TRAFFIC = frozenset({Kind.FAILING, Kind.SLOW, Kind.ERRORS, Kind.DEAD})


def began(endpoint: Endpoint, now_ms: int) -> Record:
    """Return what is known of an endpoint of which nothing is known."""
    return Record(identity=endpoint.identity, since_ms=now_ms, moved_ms=now_ms, watched_ms=now_ms, healthy_ms=now_ms)


def with_probe(endpoint: Endpoint, record: Record, probe: Probe) -> Record:
    """Take in one probe; one that ended before the last one taken in, or with it, says nothing."""
    row = record.row
    if row.began_ms is not None and probe.ended_ms <= row.ended_ms:
        return record
    if probe.began_ms - row.ended_ms > window.INTERVALS * endpoint.interval_ms:
        row = Row(keyed_ms=row.keyed_ms)
    row = replace(row, began_ms=probe.began_ms, ended_ms=probe.ended_ms)
    if probe.failure is None:
        good = row.good + 1 if probe.began_ms >= record.moved_ms or record.share > 0 else row.good
        row = replace(row, good=good, bad=0, bad_since_ms=None, failure=None, status=0, detail="", well=0, failed=0)
        row = replace(row, keyed_ms=probe.began_ms if probe.with_credential else row.keyed_ms)
        refused_ms = None if probe.with_credential else record.refused_ms
        return replace(record, row=row, proven=True, refused_ms=refused_ms)
    bad_since_ms = probe.began_ms if row.bad_since_ms is None else row.bad_since_ms
    row = replace(row, good=0, bad=row.bad + 1, bad_since_ms=bad_since_ms)
    row = replace(row, failure=probe.failure, status=probe.status, detail=probe.detail)
    return replace(record, row=row)


def with_traffic(endpoint: Endpoint, record: Record, traffic: Sequence[Traffic], now_ms: int) -> Record:
    """Take in what gateways counted at the endpoint up to now."""
    if not traffic:
        return record
    well = sum(count for one in traffic for outcome, count in one.outcomes.items() if went_well(outcome))
    failed = sum(count for one in traffic for outcome, count in one.outcomes.items() if moves_traffic(outcome))
    row = record.row
    if row.bad:
        row = replace(row, well=row.well + well, failed=row.failed + failed)
    regions = {one.region for one in traffic}
    kept = {name: told_ms for name, told_ms in record.ejected.items() if window.region_of(name) not in regions}
    ejected = kept | {window.place(one.region, one.target): now_ms for one in traffic if one.ejected}
    nameless = all(one.nameless for one in traffic)
    return replace(
        record,
        row=row,
        window=window.added(record.window, traffic, endpoint.interval_ms, now_ms),
        well_ms=now_ms if well else record.well_ms,
        proven=record.proven or well > 0,
        refused_ms=None if well else record.refused_ms,
        ejected=dict(sorted(ejected.items())),
        nameless_ms=(now_ms if record.nameless_ms is None else record.nameless_ms) if nameless else None,
        looked_ms=now_ms,
    )


def judged(endpoint: Endpoint, record: Record, now_ms: int, *, reliable: bool) -> Record:
    """Draw the conclusion: at most one step."""
    record = _aged(endpoint, record, now_ms)
    told = _told(endpoint, record, now_ms)
    if told.kind in (Kind.FAILING, Kind.DEAD) and told.failure in _REFUSALS and record.refused_ms is None:
        record = replace(record, refused_ms=now_ms)
    record = _soured(record, told, now_ms)
    said = weight(endpoint, record, now_ms, reliable=reliable)
    if record.share > 0 and told.kind is Kind.DEAD:
        return _fallen(record, 0, State.DOWN, (told.failure or Cause.ERROR_RATE, told.status), now_ms)
    contradicted = _contradicted(endpoint, record, told, now_ms)
    if record.share > 0 and said is Weight.BAD and not (contradicted or _is_unheard(record, now_ms)):
        row = record.row
        fallen = _fallen(record, 0, State.DOWN, (row.failure or Cause.PENDING, row.status), now_ms)
        return replace(fallen, fell_from=record.share)
    if told.kind in (Kind.ERRORS, Kind.SLOW) and record.share > 0:
        return _lowered(endpoint, record, told, now_ms)
    if record.share == 0:
        return _returned(endpoint, record, told, said, now_ms)
    if record.share < WHOLE or record.state is State.RECOVERING:
        return _raised(endpoint, record, told, said, now_ms)
    return _rested(endpoint, record, _doubt(endpoint, record, told, now_ms, reliable=reliable), now_ms)


def due_ms(endpoint: Endpoint, record: Record, now_ms: int) -> int | None:
    """Return the next moment, after `now_ms`, at which time alone may change the judgement; None: never.

    It may name a moment too many, never one too few.
    """
    step_ms, old_ms = STEP * endpoint.interval_ms, window.INTERVALS * endpoint.interval_ms + 1
    moments = [record.row.ended_ms + old_ms]
    if record.share < WHOLE or record.state is State.RECOVERING:
        moments += [record.moved_ms + steps * step_ms for steps in (1, record.wait)]
        moments += [record.moved_ms + old_ms - 1, record.watched_ms + old_ms - 1]
        moments += [since_ms + LONGEST_SILENCE * step_ms for since_ms in (record.moved_ms, record.soured_ms or 0)]
    if record.window:
        moments.append(record.window[0].begin_ms + old_ms)
    if record.looked_ms is not None:
        moments.append(record.looked_ms + old_ms)
    moments += [told_ms + old_ms for told_ms in record.ejected.values()]
    if record.row.bad and record.looked_ms is not None:
        moments.append(record.looked_ms + HEARD_MS + 1)
    if record.nameless_ms is not None:
        moments.append(record.nameless_ms + max(NAMELESS_MS, endpoint.interval_ms))
    if record.row.bad and record.well_ms is not None:
        moments.append(record.well_ms + step_ms + 1)
    if record.healthy_ms is not None and (record.wait or record.returning_ms is not None):
        moments.append(record.healthy_ms + FORGIVEN * step_ms)
    moments += [stretch.begin_ms + latency.REMEMBERED_MS + 1 for stretch in record.history]
    return min((moment for moment in moments if moment > now_ms), default=None)


def _aged(endpoint: Endpoint, record: Record, now_ms: int) -> Record:
    """Forget evidence that is too old; first bytes of streams become the measure for later ones, unless slow."""
    old, fresh = window.divided(record.window, endpoint.interval_ms, now_ms)
    oldest_ms = now_ms - window.INTERVALS * endpoint.interval_ms
    looked = record.looked_ms is not None and record.looked_ms >= oldest_ms
    return replace(
        record,
        window=fresh,
        history=_learned(record, old, now_ms),
        ejected={name: told_ms for name, told_ms in record.ejected.items() if told_ms >= oldest_ms},
        nameless_ms=record.nameless_ms if looked else None,
        looked_ms=record.looked_ms if looked else None,
    )


def _learned(record: Record, slots: window.Window, now_ms: int) -> latency.History:
    slow = record.reason is Cause.SLOW or latency.is_slow(record.history, window.streams(record.window))
    history = latency.remembered(record.history, {}, now_ms, now_ms)
    for slot in () if slow else slots:
        history = latency.remembered(history, slot.streams, slot.begin_ms, now_ms)
    return history


def _told(endpoint: Endpoint, record: Record, now_ms: int) -> Finding:
    nameless_ms = record.nameless_ms
    return finding(
        window.total(window.latest(record.window, endpoint.interval_ms, now_ms, RATED)),
        models=endpoint.models,
        ejected=record.ejected,
        nameless=nameless_ms is not None and now_ms - nameless_ms >= max(NAMELESS_MS, endpoint.interval_ms),
        slow=latency.is_slow(record.history, window.streams(record.window)),
        suspected=record.row.bad > 0,
    )


def _soured(record: Record, told: Finding, now_ms: int) -> Record:
    """Remember of a return that attempts fail: evidence is soon too old, and where few ask there is no other."""
    if told.kind in (Kind.WELL, Kind.FEW) and not told.poor:
        return replace(record, soured_ms=None)
    return replace(record, soured_ms=now_ms) if told.kind is Kind.FAILING or told.poor else record


def _contradicted(endpoint: Endpoint, record: Record, told: Finding, now_ms: int) -> bool:
    """Tell whether real traffic goes well while probes fail: three of four attempts, within the last step."""
    row = record.row
    if record.well_ms is None or now_ms - record.well_ms > STEP * endpoint.interval_ms or told.kind in _BAD_TRAFFIC:
        return False
    if row.bad == 1 and told.kind is Kind.WELL:  # hardly anybody can have asked since
        return True
    return row.well > 0 and 4 * row.failed < row.well + row.failed


def _is_unheard(record: Record, now_ms: int) -> bool:
    """Tell whether gateways are to be heard first: nobody has read them since probes began to fail, and will soon."""
    looked_ms, since_ms = record.looked_ms, record.row.bad_since_ms
    return looked_ms is not None and looked_ms < (since_ms or 0) and now_ms - looked_ms <= HEARD_MS


def _fallen(record: Record, share: int, state: State, ground: Ground, now_ms: int) -> Record:
    """Lower the share. A return that ends so has failed, and the next one waits twice as long."""
    failed = record.returning_ms is not None
    return _moved(
        replace(
            record,
            wait=min(LONGEST_WAIT, max(1, 2 * record.wait)) if failed else record.wait,
            returning_ms=None,
            healthy_ms=None,
            row=replace(record.row, good=0),
        ),
        share,
        state,
        ground,
        now_ms,
    )


def _moved(record: Record, share: int, state: State, ground: Ground, now_ms: int) -> Record:
    """Set the share: a step begins, which is judged by what is told from now on."""
    return replace(
        _stated(record, state, ground, now_ms),
        share=share,
        moved_ms=now_ms,
        window=(),
        history=_learned(record, record.window, now_ms),
        fell_from=None,
    )


def _stated(record: Record, state: State, ground: Ground, now_ms: int) -> Record:
    since_ms = record.since_ms if state is record.state else now_ms
    return replace(record, state=state, since_ms=since_ms, reason=ground[0], status=ground[1])


def _lowered(endpoint: Endpoint, record: Record, told: Finding, now_ms: int) -> Record:
    """Take a brown-out or a slow-down one step down, 10 % at the least: a trickle tells when it is over."""
    in_trouble = record.state is State.SUSPECT and record.share < WHOLE
    if in_trouble and (now_ms - record.moved_ms < STEP * endpoint.interval_ms or record.share == STEPS[1]):
        return record
    reason = Cause.SLOW if told.kind is Kind.SLOW else Cause.ERROR_RATE
    below = max(STEPS[1], STEPS[STEPS.index(record.share) - 1])
    return _fallen(record, below, State.SUSPECT, (reason, told.status), now_ms)


def _returned(endpoint: Endpoint, record: Record, told: Finding, said: Weight, now_ms: int) -> Record:
    """Begin the return of an endpoint that is down, if its wait is over and it is well, or nothing is said of it."""
    step_ms = STEP * endpoint.interval_ms
    if record.fell_from is not None and record.row.failure is not None:
        record = replace(record, reason=record.row.failure, status=record.row.status)
    if now_ms < record.moved_ms + record.wait * step_ms or _is_ejected(endpoint, record) or told.kind in _BAD_TRAFFIC:
        return record
    if told.kind is not Kind.WELL:
        if record.ejected:
            return record
        by_time = said is Weight.SILENT and (told.kind is Kind.FEW or _is_silent(endpoint, record, now_ms))
        if said is not Weight.GOOD and not by_time:
            return record
    return replace(
        _moved(record, STEPS[1], State.RECOVERING, (Cause.RETURNING, 0), now_ms),
        returning_ms=now_ms,
        back_ms=now_ms,
        soured_ms=None,
    )


def _raised(endpoint: Endpoint, record: Record, told: Finding, said: Weight, now_ms: int) -> Record:
    """Go one step up, if the step is over and nothing was wrong with it; down, if gateways leave it out meanwhile."""
    if record.state is State.RECOVERING and _is_left_out(endpoint, record):
        return _fallen(record, 0, State.DOWN, (told.failure or Failure.EJECTED, told.status), now_ms)
    steps = max(1, record.wait) if record.state is State.SUSPECT else 1
    if now_ms < record.moved_ms + steps * STEP * endpoint.interval_ms or not _is_step_good(
        endpoint, record, told, said, now_ms
    ):
        return record
    returning_ms = now_ms if record.returning_ms is None else record.returning_ms
    if record.share == WHOLE:
        return replace(_at_rest(record, now_ms), healthy_ms=now_ms, recovered_ms=now_ms)
    above = STEPS[STEPS.index(record.share) + 1]
    return replace(_moved(record, above, State.RECOVERING, (Cause.RETURNING, 0), now_ms), returning_ms=returning_ms)


def _is_step_good(endpoint: Endpoint, record: Record, told: Finding, said: Weight, now_ms: int) -> bool:
    """Tell whether a step that is over was good: by ten requests where there is traffic, else by probes, or by time."""
    if told.kind in _BAD_TRAFFIC or told.poor:
        return False
    if told.kind is Kind.WELL:
        return not _is_ejected(endpoint, record)
    if record.ejected or record.refused_ms is not None:
        return False  # that no attempts come there is the gateways' doing, and says nothing good of it
    if told.kind is Kind.FEW and now_ms - record.moved_ms < window.INTERVALS * endpoint.interval_ms:
        return False
    return _is_credible(endpoint, record, told, said, now_ms)


def _is_credible(endpoint: Endpoint, record: Record, told: Finding, said: Weight, now_ms: int) -> bool:
    """Tell whether few requests, or none, are reason enough: where nobody asks, nobody notices that it is not well."""
    if told.kind is Kind.FEW:
        return said is Weight.SILENT or record.row.bad == 0
    long_ms = LONGEST_SILENCE * STEP * endpoint.interval_ms
    if record.soured_ms is not None and now_ms - record.soured_ms < long_ms:
        return False
    if said is not Weight.SILENT:
        return record.row.bad == 0
    proven = record.well_ms is not None and record.well_ms >= (record.returning_ms or 0)
    known = proven or record.share <= STEPS[1] or now_ms - record.moved_ms >= long_ms
    return known and _is_silent(endpoint, record, now_ms)


def _rested(endpoint: Endpoint, record: Record, doubt: Ground | None, now_ms: int) -> Record:
    """Say how an endpoint with its whole share stands, and forgive what was long ago."""
    if doubt is not None:
        return replace(_stated(record, State.SUSPECT, doubt, now_ms), healthy_ms=None)
    record = _at_rest(record, now_ms)
    healthy_ms = now_ms if record.healthy_ms is None else record.healthy_ms
    forgiven_ms = FORGIVEN * STEP * endpoint.interval_ms
    wait, returning_ms = record.wait, record.returning_ms
    while now_ms - healthy_ms >= forgiven_ms and (wait or returning_ms is not None):
        wait, returning_ms, healthy_ms = wait // 2, None, healthy_ms + forgiven_ms
    return replace(record, healthy_ms=healthy_ms, wait=wait, returning_ms=returning_ms)


def _at_rest(record: Record, now_ms: int) -> Record:
    if record.proven:
        return _stated(record, State.HEALTHY, (Cause.HEALTHY, 0), now_ms)
    return _stated(record, State.UNKNOWN, (Cause.PENDING, 0), now_ms)


def _doubt(endpoint: Endpoint, record: Record, told: Finding, now_ms: int, *, reliable: bool) -> Ground | None:
    """Return what is wrong with an endpoint that keeps its whole share, and the HTTP status of it."""
    row = record.row
    if told.kind is Kind.FAILING and told.failure is not None:
        return told.failure, told.status
    if weight(endpoint, record, now_ms, reliable=True) not in (Weight.BAD, Weight.DOUBTFUL) or row.failure is None:
        return None
    if reliable:
        return row.failure, row.status
    return None if told.kind is Kind.WELL else (Cause.PROBES_UNRELIABLE, 0)


def _is_ejected(endpoint: Endpoint, record: Record) -> bool:
    """Tell whether gateways leave out most of its models: nothing would come of a step."""
    return 2 * len({window.target_of(name) for name in record.ejected}) > endpoint.models


def _is_left_out(endpoint: Endpoint, record: Record) -> bool:
    """Tell whether gateways leave out most of its models, in most of the regions that ask it at all."""
    leaving = {window.region_of(name) for name in record.ejected}
    asking = {window.region_of(name) for slot in record.window for name in slot.attempts}
    return _is_ejected(endpoint, record) and 2 * len(leaving) > len(leaving | asking)


def _is_silent(endpoint: Endpoint, record: Record, now_ms: int) -> bool:
    """Tell whether nothing has been said for 5 I although somebody looked: then time alone goes on."""
    return now_ms - max(record.moved_ms, record.watched_ms) >= window.INTERVALS * endpoint.interval_ms


def set_back(record: Record, now_ms: int) -> Record:
    """Let nothing be later than now: the clock was set back."""
    row = record.row
    return replace(
        record,
        since_ms=min(record.since_ms, now_ms),
        moved_ms=min(record.moved_ms, now_ms),
        watched_ms=now_ms,
        returning_ms=_capped(record.returning_ms, now_ms),
        healthy_ms=_capped(record.healthy_ms, now_ms),
        recovered_ms=_capped(record.recovered_ms, now_ms),
        back_ms=_capped(record.back_ms, now_ms),
        well_ms=_capped(record.well_ms, now_ms),
        nameless_ms=_capped(record.nameless_ms, now_ms),
        refused_ms=_capped(record.refused_ms, now_ms),
        soured_ms=_capped(record.soured_ms, now_ms),
        looked_ms=_capped(record.looked_ms, now_ms),
        ejected={name: min(told_ms, now_ms) for name, told_ms in record.ejected.items()},
        laid_ms=min(record.laid_ms, now_ms),
        row=replace(
            row,
            began_ms=_capped(row.began_ms, now_ms),
            ended_ms=min(row.ended_ms, now_ms),
            bad_since_ms=_capped(row.bad_since_ms, now_ms),
            keyed_ms=_capped(row.keyed_ms, now_ms),
        ),
        window=tuple(slot for slot in record.window if slot.begin_ms <= now_ms),
        history=tuple(stretch for stretch in record.history if stretch.begin_ms <= now_ms),
    )


def _capped(moment_ms: int | None, now_ms: int) -> int | None:
    return None if moment_ms is None else min(moment_ms, now_ms)
