"""Ports for servers that a test starts a moment later, as processes of their own.

Below those that the kernel gives away: one that is free now may else be a connection's, or another worker's server's,
before ours listens there.
"""

import os
import random
import socket
from collections.abc import Iterator

FIRST, LAST = 10_240, 31_700
"""Above those of demos and pages; `fairlead up` shows metrics a thousand ports higher, and the kernel's own begin at
32768."""


def _candidates() -> Iterator[int]:
    """Go around, each process from a place of its own: what it gave away does not come back soon."""
    start = random.Random(os.getpid()).randrange(FIRST, LAST)
    while True:
        yield from range(start, LAST)
        yield from range(FIRST, start)


_CANDIDATES = _candidates()


def free_port() -> int:
    """Find a port that nobody listens on, each time another one."""
    for port in _CANDIDATES:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                probe.listen(1)
            except OSError:
                continue
            return port
    raise AssertionError("it goes around forever")
