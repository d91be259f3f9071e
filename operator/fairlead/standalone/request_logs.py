"""The requests of a `fairlead up`, running or not, from its access logs."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from fairlead.adapters.clock import SystemClock
from fairlead.adapters.log_files import Follower, tail
from fairlead.budget.price import Price
from fairlead.envoy.log_lines import decoded
from fairlead.runtime.request_stream import RequestStream
from fairlead.runtime.requests import Request, Wanted, gathered
from fairlead.standalone import status
from fairlead.standalone.state import StateFolder
from fairlead.standalone.target_prices import prices_in

WINDOWS = (2 << 20, 16 << 20, 256 << 20)
"""How many bytes of each log are looked at: more where fewer did not hold enough."""
LOOK_S = 0.3


def prices(folder: StateFolder) -> Mapping[str, Price]:
    """Return what targets cost, as `fairlead up` last said; empty where it never said anything."""
    document = status.read(folder)
    return {} if document is None else prices_in(document)


def newest(folder: StateFolder, wanted: Wanted, *, count: int) -> Sequence[Request]:
    """Return the newest requests that are wanted, the oldest of them first; raises `StateError`."""
    found: list[Request] = []
    for window in WINDOWS if wanted.request_id is None else WINDOWS[-1:]:
        lines = [
            line
            for region in folder.regions()
            for written in tail(region.access_log, window).split(b"\n")
            if (wanted.request_id or "").encode() in written and (line := decoded(written)) is not None
        ]
        found = [request for request in gathered(lines) if wanted.matches(request)]
        if len(found) >= count:
            break
    return found[-count:] if count else []


async def follow(folder: StateFolder, wanted: Wanted, tell: Callable[[Request], None]) -> None:
    """Tell requests as they end, without an end; raises `StateError`."""
    clock, stream = SystemClock(), RequestStream()
    with ExitStack() as stack:
        followers = [stack.enter_context(Follower(region.access_log)) for region in folder.regions()]
        while True:
            lines = [
                line for follower in followers for written in follower.lines() if (line := decoded(written)) is not None
            ]
            for request in stream.take(lines, int(clock.now().timestamp() * 1000)):
                if wanted.matches(request):
                    tell(request)
            await asyncio.sleep(LOOK_S)
