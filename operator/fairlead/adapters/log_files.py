"""Logs on disk that grow and are renamed: their ends, and what comes after."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

from fairlead.adapters import disk
from fairlead.errors import StateError

_BLOCK = 1 << 20


def tail(log: Path, most_bytes: int) -> bytes:
    """Return the last bytes of a log and of the one before it (`<name>.1`), from a line's beginning on.

    Raises:
        StateError: it is there and cannot be read.

    """
    newest = _end(log, most_bytes)
    if len(newest) < most_bytes:
        return _end(log.with_name(f"{log.name}.1"), most_bytes - len(newest)) + newest
    return newest


def _end(path: Path, most_bytes: int) -> bytes:
    try:
        with disk.reading(path) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - most_bytes))
            content = file.read(most_bytes)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StateError(f"{path}: {disk.reason(error)}") from None
    return content if size <= most_bytes else content.partition(b"\n")[2]


class Follower:
    """Reads what is written to a log from now on, also after it was renamed and begun anew."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._rest = b""
        self._file = self._opened()
        if self._file is not None:
            self._file.seek(0, os.SEEK_END)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def lines(self) -> Iterator[bytes]:
        """Return the whole lines that came since the last look."""
        yield from self._new()
        if self._is_renamed():
            yield from self._new()  # what was written between the look and the renaming
            if self._file is not None:
                self._file.close()
            self._file, self._rest = self._opened(), b""
            yield from self._new()

    def _new(self) -> Iterator[bytes]:
        while self._file is not None and (block := self._file.read(_BLOCK)):
            *whole, self._rest = (self._rest + block).split(b"\n")
            yield from whole
            if len(self._rest) > _BLOCK:
                self._rest = b""  # no line of ours

    def _is_renamed(self) -> bool:
        try:
            there = self._log.stat()
        except OSError:
            return False
        if self._file is None:
            return True
        mine = os.fstat(self._file.fileno())
        return (there.st_ino, there.st_dev) != (mine.st_ino, mine.st_dev)

    def _opened(self) -> BinaryIO | None:
        try:
            return disk.reading(self._log)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(f"{self._log}: {disk.reason(error)}") from None
