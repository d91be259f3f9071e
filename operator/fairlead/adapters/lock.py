"""One `fairlead up` per state folder."""

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from fairlead.adapters import disk
from fairlead.errors import StateError

NAME = "up.lock"


class StateLock:
    """An advisory lock that the kernel releases however its holder ends; the file names the holder for messages."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        disk.directory(self._path.parent)
        try:
            descriptor = disk.opened(self._path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise StateError(f"{self._path}: {disk.reason(error)}; choose another folder with --state") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            who = holder(self._path.parent)
            by = f" (process {who})" if who else ""
            raise StateError(
                f"{self._path.parent}: another `fairlead up`{by} uses this folder; stop it, or choose another with"
                " --state"
            ) from None
        os.ftruncate(descriptor, 0)
        with contextlib.suppress(OSError):  # a full disk: the lock holds without its holder's number
            os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def holder(folder: Path) -> int | None:
    """Find the process that holds the folder's lock, 0 if it holds it without a name; None when nobody does."""
    try:
        descriptor = disk.opened(folder / NAME, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        with contextlib.suppress(ValueError):
            return int(os.read(descriptor, 32).decode().strip())
        return 0
    else:
        return None
    finally:
        os.close(descriptor)


def is_stopped(process: int) -> bool:
    """Tell whether a signal or a debugger has stopped a process; False where nobody can tell."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return False
    return state[:1] in (["T"], ["t"])
