"""The files that `-f` names: found, read, and kept as they last were when they cannot be read.

A path is a file, or a folder that is searched for `*.yaml`, `*.yml` and `*.json`, recursively, without names that start
with a dot (so the `..data` of a mounted ConfigMap is seen through its links, once).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from fairlead.adapters import disk
from fairlead.adapters.document import Document, DocumentError, parse

SUFFIXES = (".yaml", ".yml", ".json")
MAX_BYTES = 32 * 1024 * 1024
"""More than that is no manifest; reading it would stall everything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What changes when a file does."""

    inode: int
    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFile:
    """One file as it is, or as it last was."""

    path: str
    """As the user would write it: below the path that was given with `-f`."""
    documents: tuple[Document, ...]
    """Of the newest content that could be read."""
    error: DocumentError | None
    """Why the content of now cannot be read; then `documents` are the ones before, if there were any."""
    never_read: bool = False
    """True when there is an error and no content before it: what the file held is not known."""
    being_written: bool = False
    """True when the error is that the file is 0 bytes long: whoever writes it has just begun."""


Signature = tuple[tuple[str, Stamp | None], ...]


class ManifestFiles:
    """The files below some paths, read again and again; unchanged ones are not parsed again."""

    def __init__(self, paths: tuple[Path, ...], *, without: tuple[Path, ...] = ()) -> None:
        """`without` names files that are no manifests though they lie below a path: the installation file."""
        self.paths = paths
        self._without = frozenset(os.path.realpath(path) for path in without)
        self._known: dict[str, tuple[Stamp | None, ManifestFile]] = {}

    def signature(self) -> Signature:
        """Describe what `read` would look at; equal signatures mean that nothing changed."""
        return tuple((str(path), _stamp(path)) for path in _found(self.paths, self._without))

    def read(self) -> tuple[ManifestFile, ...]:
        """Every file, in the order of the paths and by name below each.

        A file that is gone is left out; a path of the command line that is gone keeps its files, with an error.
        """
        missing = [path for path in self.paths if not path.exists()]
        known: dict[str, tuple[Stamp | None, ManifestFile]] = {}
        for path in _found(self.paths, self._without):
            known[str(path)] = self._one(path)
        for path in missing:
            error = DocumentError(
                str(path), "got no such file or folder, want the path given with `-f`; its objects stay as they were"
            )
            kept = {
                name: file
                for name, (_, file) in self._known.items()
                if Path(name) == path or path in Path(name).parents
            }
            for name, file in (
                kept or {str(path): ManifestFile(path=str(path), documents=(), error=error, never_read=True)}
            ).items():
                known[name] = (
                    None,
                    ManifestFile(path=name, documents=file.documents, error=error, never_read=file.never_read),
                )
        self._known = known
        return tuple(file for _, file in known.values())

    def _one(self, path: Path) -> tuple[Stamp | None, ManifestFile]:
        name = str(path)
        stamp = _stamp(path)
        before = self._known.get(name)
        if before and stamp is not None and before[0] == stamp:
            return before
        try:
            text = _text(path)
            documents = parse(text, name)
        except DocumentError as error:
            return stamp, _kept(name, before, error)
        if not text:
            return stamp, replace(_kept(name, before, DocumentError(name, _EMPTY)), being_written=True)
        return stamp, ManifestFile(path=name, documents=documents, error=None)


_EMPTY = "got 0 bytes, want manifests, or a comment where it holds none on purpose"


def _kept(name: str, before: tuple[Stamp | None, ManifestFile] | None, error: DocumentError) -> ManifestFile:
    """Describe a file that cannot be read now: it holds what it held."""
    if before is None:
        return ManifestFile(path=name, documents=(), error=error, never_read=True)
    return ManifestFile(path=name, documents=before[1].documents, error=error, never_read=before[1].never_read)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DocumentError(str(path), f"cannot be read: {disk.reason(error)}") from None
    if len(content) > MAX_BYTES:
        raise DocumentError(str(path), f"got more than {MAX_BYTES} bytes, want manifests; move other files elsewhere")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DocumentError(
            f"{path}:{line}", "got bytes that are not UTF-8, want UTF-8; save the file as UTF-8"
        ) from None


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return Stamp(inode=status.st_ino, size=status.st_size, modified_ns=status.st_mtime_ns)


def _found(paths: tuple[Path, ...], without: frozenset[str]) -> Iterator[Path]:
    """Every file once, though two paths or two links lead to it."""
    seen = set(without)
    for root in paths:
        candidates = _below(root, frozenset()) if root.is_dir() else ([root] if root.exists() else [])
        for path in candidates:
            real = os.path.realpath(path)
            if real not in seen:
                seen.add(real)
                yield path


def _below(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in above:  # a link that leads back up
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _below(folder / entry.name, above | {real})
        elif entry.name.endswith(SUFFIXES) and entry.is_file():
            yield folder / entry.name
