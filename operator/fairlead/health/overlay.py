"""What is laid over an endpoint's own judgement: drains, and a region that is down."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from fairlead.health.endpoint import Cause, Endpoint, State
from fairlead.health.record import STEPS, WHOLE, Record
from fairlead.health.region import DrainOrder, RegionHealth


def laid(
    endpoint: Endpoint, record: Record, drains: Sequence[DrainOrder], region: RegionHealth | None, now_ms: int
) -> Record:
    """Lay over an endpoint what holds now. When that ends, its traffic comes back by steps, as after an outage."""
    orders = [order for order in drains if order.concerns(endpoint.name, endpoint.region, now_ms)]
    if orders:
        return _under(record, Cause.DRAINED, min(order.share(now_ms) for order in orders), now_ms)
    if region is not None and region.down and not _has_returned(record, region):
        return _under(record, Cause.REGION_DOWN, 0, now_ms)
    return record if record.laid is None else _lifted(record, now_ms)


def drained_until(endpoint: Endpoint, drains: Sequence[DrainOrder], now_ms: int) -> str:
    """Say until when an endpoint is drained."""
    ends_ms = [order.until_ms for order in drains if order.concerns(endpoint.name, endpoint.region, now_ms)]
    if not ends_ms:
        return ""
    return f"drained until {datetime.fromtimestamp(max(ends_ms) / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _has_returned(record: Record, region: RegionHealth) -> bool:
    """Tell whether it was down itself, and began to come back since: it shows how the region is."""
    return record.back_ms is not None and record.back_ms >= region.since_ms


def _under(record: Record, cause: Cause, share: int, now_ms: int) -> Record:
    since_ms = record.laid_ms if record.laid is cause else now_ms
    return replace(record, laid=cause, laid_ms=since_ms, laid_share=share)


def _lifted(record: Record, now_ms: int) -> Record:
    """Take off what was laid over an endpoint."""
    left = record.laid_share
    free = replace(record, laid=None, laid_share=WHOLE)
    if min(record.share, left) == record.share:
        return free
    return replace(
        free,
        state=State.RECOVERING,
        since_ms=now_ms,
        reason=Cause.RETURNING,
        status=0,
        share=max(left, STEPS[1]),
        moved_ms=now_ms,
        returning_ms=now_ms,
        healthy_ms=None,
        window=(),
    )
