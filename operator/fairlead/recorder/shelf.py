"""Where pairs stand: files of JSON lines in a private folder, which go as a whole when they are too old or too many.

A file takes pairs for a sixteenth of the time and of the size that are allowed. So a pair goes at the end of its time,
or up to a sixteenth earlier, and all files together are never larger than allowed.
"""

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fairlead.errors import RecorderError

Json = dict[str, Any]
PIECES = 16
_NAME = re.compile(r"^pairs-([0-9]{1,15})\.jsonl$")


class Shelf:
    """One folder with one writer."""

    def __init__(self, folder: Path, *, keep_ms: int, most_bytes: int) -> None:
        """Open the folder, which is made; raises `RecorderError`."""
        self._folder, self._keep_ms, self._most_bytes = folder, keep_ms, most_bytes
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = folder.stat().st_mode
        except OSError as error:
            raise RecorderError(f"{folder}: {error.strerror or error}") from None
        if stat.S_IMODE(mode) & stat.S_IROTH:
            raise RecorderError(f"{folder}: everybody may read it; `chmod o-rwx` it")

    def put(self, pair: Json, now_ms: int) -> bool:
        """Write one down, and remove what is over; False where it alone is larger than all may be.

        Raises:
            RecorderError: the disk does not take it.

        """
        line = json.dumps(pair, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        if len(line) > self._most_bytes // 2:
            return False
        self.clear(now_ms, room=len(line))
        try:
            with os.fdopen(
                os.open(self._open(now_ms, len(line)), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab"
            ) as file:
                file.write(line)
        except OSError as error:
            raise RecorderError(f"{self._folder}: {error.strerror or error}") from None
        return True

    def clear(self, now_ms: int, *, room: int = 0) -> None:
        """Remove what is too old, and the oldest while there is not so much room."""
        files = _files(self._folder)
        total = sum(size for _, _, size in files)
        for began_ms, path, size in files:
            if now_ms - began_ms < self._keep_ms and total + room <= self._most_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size

    def _open(self, now_ms: int, size: int) -> Path:
        """Return the file for the next line: the last one, unless it is full or has run long enough."""
        files = _files(self._folder)
        if files:
            began_ms, path, taken = files[-1]
            is_young = 0 <= now_ms - began_ms < self._keep_ms // PIECES
            if is_young and taken + size <= max(size, self._most_bytes // PIECES):
                return path
            now_ms = max(now_ms, began_ms + 1)
        return self._folder / f"pairs-{now_ms:015d}.jsonl"


def read(folder: Path) -> Iterator[Json]:
    """Yield what stands there, newest first; lines that cannot be read are left out.

    Raises:
        RecorderError: there is no such folder, or it may not be read.

    """
    if not folder.is_dir():
        raise RecorderError(f"{folder}: no recorder ever wrote there")
    for _, path, _ in reversed(_files(folder)):
        try:
            lines = path.read_bytes().splitlines()
        except FileNotFoundError:
            continue  # it has just gone
        except OSError as error:
            raise RecorderError(f"{path}: {error.strerror or error}") from None
        for line in reversed(lines):
            try:
                pair = json.loads(line)
            except ValueError:
                continue
            if isinstance(pair, dict):
                yield pair


def _files(folder: Path) -> list[tuple[int, Path, int]]:
    """List when each file began, itself and its size, oldest first; links and foreign names are none of ours."""
    found = []
    for path in folder.iterdir():
        name = _NAME.match(path.name)
        if name is None:
            continue
        try:
            facts = path.lstat()
        except FileNotFoundError:
            continue
        if stat.S_ISREG(facts.st_mode):
            found.append((int(name[1]), path, facts.st_size))
    return sorted(found)
