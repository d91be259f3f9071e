"""What stands below the paths that `-f` names: files that may be manifests, and what is in the way of finding them.

A path is a file, or a folder that is searched for `*.yaml`, `*.yml` and `*.json`, recursively, without names that start
with a dot (so the `..data` of a mounted ConfigMap is seen through its links, once). Total: what the system says of one
name is an `Obstacle` there, and nothing elsewhere.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from fairlead.adapters import disk

SUFFIXES = (".yaml", ".yml", ".json")
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What changes when a file does, or who may read it."""

    inode: int
    size: int
    modified_ns: int
    changed_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why what stands at a path is no file that can be read."""

    why: str
    """The middle of a sentence: `cannot be read: permission denied`."""
    is_gone: bool = False
    """Nothing stands there."""
    is_named: bool = True
    """By its name it is a manifest, or a person named it; else it matters only where manifests were found below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One path, as it is now."""

    path: str
    at: Stamp | Obstacle


def shown(path: str) -> str:
    """Return a path as every file and terminal can have it: bytes that are no UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def find(roots: tuple[str, ...], *, without: frozenset[str]) -> Iterator[Found]:
    """Every file once, though two paths or two links lead to it; `without` has real paths that do not count."""
    seen = set(without)
    for root in roots:
        yield from _at(root, seen, is_named=True)


def _at(path: str, seen: set[str], *, is_named: bool) -> Iterator[Found]:
    real = os.path.realpath(path)
    if real in seen:  # a second link to it, or one that leads back up
        return
    try:
        status = os.stat(path)  # noqa: PTH116  see `_below`
    except OSError as error:
        yield Found(path=path, at=_unreachable(path, error, is_named=is_named))
        return
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR:
        seen.add(real)
        yield from _below(path, seen)
    elif is_named:
        seen.add(real)
        yield Found(path=path, at=_stamp(status) if kind == stat.S_IFREG else _no_file(kind))


def _below(folder: str, seen: set[str]) -> Iterator[Found]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208  pathlib would make objects of every name, twice a second
    except OSError as error:
        is_gone = isinstance(error, FileNotFoundError)  # while it was looked at
        yield Found(path=folder, at=Obstacle(why=f"cannot be searched: {disk.reason(error)}", is_gone=is_gone))
        return
    for name in names:
        if not name.startswith("."):
            yield from _at(os.path.join(folder, name), seen, is_named=name.endswith(SUFFIXES))  # noqa: PTH118


def _unreachable(path: str, error: OSError, *, is_named: bool) -> Obstacle:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        if os.path.islink(path):  # noqa: PTH114  pathlib raises where the name is too long
            return Obstacle(why="is a link that leads nowhere, want a file; remove it or mend it", is_named=is_named)
        return Obstacle(why="got no such file or folder", is_gone=True, is_named=is_named)
    return Obstacle(why=f"cannot be read: {disk.reason(error)}", is_named=is_named)


def _no_file(kind: int) -> Obstacle:
    return Obstacle(why=f"got {_KINDS.get(kind, 'something else')}, want a file; move it elsewhere")


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(
        inode=status.st_ino, size=status.st_size, modified_ns=status.st_mtime_ns, changed_ns=status.st_ctime_ns
    )
