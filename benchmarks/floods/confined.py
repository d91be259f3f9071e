"""A control group of its own with a limit of memory, as a pod's container has. Root only."""

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

_ROOT = Path("/sys/fs/cgroup")
_FIRST = _ROOT / "memory"


class Confined(Protocol):
    """A group of processes that may take so many bytes, all together."""

    def join(self) -> None:
        """Put this process into it: what it starts is in it, too."""

    def used(self) -> tuple[int, int]:
        """Return how many bytes it takes without what stands in sockets, and how many those are."""

    def kills(self) -> int:
        """Return how many of its processes the kernel has ended for their memory."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def confined(memory_bytes: int) -> Confined:
    """Make a group; the kernel's first or second interface, as this machine has it."""
    made = _First if _FIRST.is_dir() else _Second
    return made(memory_bytes)


class _Group:
    def __init__(self, place: Path) -> None:
        self._place = place

    def join(self) -> None:
        (self._place / "cgroup.procs").write_text(str(os.getpid()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._place.rmdir()

    def _read(self, name: str) -> int:
        return int((self._place / name).read_text())

    def _entry(self, name: str, key: str) -> int:
        lines = (self._place / name).read_text().splitlines()
        return next((int(line.split()[1]) for line in lines if line.split()[0] == key), 0)


class _First(_Group):
    """The limit does not count what stands in sockets: that is told beside it."""

    def __init__(self, memory_bytes: int) -> None:
        super().__init__(_FIRST / f"floods-{os.getpid()}")
        self._place.mkdir()
        (self._place / "memory.limit_in_bytes").write_text(str(memory_bytes))
        (self._place / "memory.kmem.tcp.limit_in_bytes").write_text(str(1 << 40))

    def used(self) -> tuple[int, int]:
        files = self._entry("memory.stat", "total_inactive_file") + self._entry("memory.stat", "total_active_file")
        return self._read("memory.usage_in_bytes") - files, self._read("memory.kmem.tcp.usage_in_bytes")

    def kills(self) -> int:
        return self._entry("memory.oom_control", "oom_kill")


class _Second(_Group):
    """The limit counts sockets as well."""

    def __init__(self, memory_bytes: int) -> None:
        super().__init__(_ROOT / f"floods-{os.getpid()}")
        self._place.mkdir()
        (self._place / "memory.max").write_text(str(memory_bytes))

    def used(self) -> tuple[int, int]:
        sockets, files = self._entry("memory.stat", "sock"), self._entry("memory.stat", "file")
        return self._read("memory.current") - sockets - files, sockets

    def kills(self) -> int:
        return self._entry("memory.events", "oom_kill")
