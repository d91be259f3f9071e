"""Ports that are free, also for demos that start at the same moment.

A port that nobody listens on yet may be another demo's a second later. So each demo locks the bytes of its ports in one
file of this user (byte *n* stands for port *n*); the kernel gives them back however the demo ends.
"""

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

ADDRESS = "127.0.0.1"
STEP = 100
"""From a port in use to the next that is tried."""
EPHEMERAL = 32_768
"""From here on the kernel gives ports to outgoing connections: one could take the port of a server that restarts."""


class PortError(Exception):
    """No port is free."""


class PortClaims:
    """The ports of this demo, until the context ends."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or Path(tempfile.gettempdir()) / f"fairlead-demo-{os.getuid()}.ports"
        self._descriptor = -1

    def __enter__(self) -> Self:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def claim(self, wanted: set[int]) -> dict[int, int]:
        """Map every wanted port to itself if it is free, else to one that is; raise `PortError` if there is none."""
        found: dict[int, int] = {}
        with ExitStack() as held:
            for port in sorted(wanted):
                candidates = (port, *(each for each in range(port + STEP, EPHEMERAL, STEP) if each not in wanted))
                found[port] = self._first_free(candidates, set(found.values()), held)
        return found

    def _first_free(self, candidates: Iterable[int], chosen: set[int], held: ExitStack) -> int:
        for port in candidates:
            if port in chosen:
                continue
            sock = held.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((ADDRESS, port))
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            except OSError:
                continue
            return port
        raise PortError(f"{ADDRESS}: got no free port below {EPHEMERAL}, want one")
