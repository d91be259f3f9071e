"""Files that only their owner may read, written so that a reader sees the old content or the new one, never half.

Envoy watches folders for renames, so a write that changes nothing must not happen at all.
"""

import contextlib
import os
from pathlib import Path

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
    if read(path) == content:
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
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StateError(f"{path}: {reason(error)}") from None


def remove(path: Path) -> bool:
    """Remove a file; False when there was none."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StateError(f"{path}: {reason(error)}") from None
    return True


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
