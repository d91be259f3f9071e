"""Files that only their owner may read, written so that a reader sees the old content or the new one, never half.

Envoy watches folders for renames, so a write that changes nothing must not happen at all.
"""

import contextlib
import errno
import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO

from fairlead.errors import StateError

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
PUBLIC_MODE = 0o666
"""Narrowed by the umask."""


def directory(path: Path) -> Path:
    """Make the folder and the parents that it lacks, for the owner only; what exists stays as it is."""
    try:
        for missing in reversed([path, *path.parents]):
            if not missing.is_dir():
                missing.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    except OSError as error:
        raise StateError(f"{path}: {reason(error)}; choose another folder with --state") from None
    return path


def write(path: Path, content: bytes, *, private: bool = True) -> bool:
    """Replace a file in one step; False when it had this content already.

    What is not private gets the permissions that the user's umask gives, as any file that a command writes.
    """
    if _has(path, content):
        return False
    temporary = path.with_name(f".{path.name}.new")
    try:
        if private:
            directory(path.parent)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        with os.fdopen(
            os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE if private else PUBLIC_MODE), "wb"
        ) as file:
            file.write(content)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()  # half a file on a full disk
        raise StateError(f"{path}: {reason(error)}") from None
    return True


def read(path: Path) -> bytes | None:
    """Read the content, or None when there is no such file."""
    try:
        with reading(path) as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StateError(f"{path}: {reason(error)}") from None


def reading(path: Path) -> BinaryIO:
    """Open a file to read it. Raises `OSError`, also for what is no file: nobody waits for a pipe's writer."""
    return os.fdopen(opened(path, os.O_RDONLY), "rb")


def appending(path: Path) -> BinaryIO:
    """Open a log to write at its end; the owner's only where it is new. Raises as `reading` does."""
    return os.fdopen(opened(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab")


def opened(path: Path, flags: int) -> int:
    """Open a file without waiting for anybody and return its descriptor. Raises `OSError`, also for what is no file."""
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, FILE_MODE)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, or a pipe to write to that nobody reads
            raise OSError(errno.ENXIO, "got a socket or a named pipe, want a file; remove it") from None
        raise
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, f"got {_KINDS.get(stat.S_IFMT(kind), 'a device')}, want a file; remove it")


_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFDIR: "a folder"}


def _has(path: Path, content: bytes) -> bool:
    """Tell whether a file has this content already; what is no file is to be replaced."""
    with contextlib.suppress(OSError):
        if not stat.S_ISREG(path.stat().st_mode):
            return False
    return read(path) == content


def remove(path: Path) -> bool:
    """Remove a file; False when there was none."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StateError(f"{path}: {reason(error)}") from None
    return True


def take_room(path: Path, size: int) -> None:
    """Let a file take so many bytes of the disk, for whoever removes it when there is no other room.

    Nothing is done where as much would not be left beside it.
    """
    temporary = path.with_name(f".{path.name}.new")
    with contextlib.suppress(OSError):
        if path.is_file() and path.stat().st_size == size:
            return
        if shutil.disk_usage(path.parent).free < 2 * size:
            return
        try:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)


def prune(root: Path, keep: frozenset[Path]) -> tuple[Path, ...]:
    """Remove the files under `root` that are not in `keep`, and folders left empty; the removed files, sorted."""
    gone: list[Path] = []
    for folder, _, names in os.walk(root, topdown=False):
        here = Path(folder)
        gone += [path for path in (here / name for name in names) if path not in keep and remove(path)]
        if here != root:
            with contextlib.suppress(OSError):
                here.rmdir()
    return tuple(sorted(gone))


def reason(error: OSError) -> str:
    """Say what the system said, as the middle of a sentence: `permission denied`."""
    return (error.strerror or str(error)).lower()
