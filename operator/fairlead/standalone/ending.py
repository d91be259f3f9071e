"""The end of an Envoy: its last requests, and what is said of them to the budget server."""

import asyncio
import contextlib

from fairlead.adapters.envoy_admin import EnvoyAdmin
from fairlead.envoy.batches import FLUSH_MS
from fairlead.envoy.names import BATCHES_CLUSTER, BUDGET_CLUSTER
from fairlead.errors import EnvoyError

POLL_S = (0.002, 0.05)
"""First and longest pause between two looks at Envoy's counters."""
REPORT_LOOKS = 100
"""Looks at reports that are under way, so five seconds: a budget server that is away is asked again for longer."""
_REQUESTS, _UNSENT = "http.fairlead.downstream_rq_active", "http.fairlead.downstream_cx_tx_bytes_buffered"
_CALLS = [f"cluster.{cluster}.upstream_rq_active" for cluster in (BUDGET_CLUSTER, BATCHES_CLUSTER)]
_BATCHES = f"cluster.{BATCHES_CLUSTER}.upstream_rq_total"


async def in_flight(admin: EnvoyAdmin) -> int:
    """Count the requests that are served right now, and one for answers not yet sent; 0 when no Envoy answers."""
    stats = await _stats(admin, _REQUESTS, _UNSENT)
    return stats.get(_REQUESTS, 0) or (1 if stats.get(_UNSENT) else 0)


async def drain(admin: EnvoyAdmin, *, within_s: float) -> int:
    """Let requests in flight finish while no new connection gets in; returns how many did not in time.

    Then their reports are waited for: those in batches wait for others, and would end with the process.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    with contextlib.suppress(EnvoyError):
        await admin.fail_healthcheck()
        await admin.drain_listeners()
    pause = POLL_S[0]
    while (left := await in_flight(admin)) and loop.time() < until:
        await asyncio.sleep(pause)
        pause = min(2 * pause, POLL_S[1])
    if (await _stats(admin, _BATCHES)).get(_BATCHES):
        await asyncio.sleep(2 * FLUSH_MS / 1000)
    for _ in range(REPORT_LOOKS):
        if not any((await _stats(admin, *_CALLS)).values()):
            break
        await asyncio.sleep(POLL_S[1])
    return left


async def _stats(admin: EnvoyAdmin, *names: str) -> dict[str, int]:
    try:
        found = await admin.stats(f"^({'|'.join(names)})$".replace(".", r"\."))
    except EnvoyError:
        return {}
    return {name: int(value) for name, value in found.items()}
