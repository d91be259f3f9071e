"""The files that `-f` names: found, read, and kept as they last were when they cannot be read."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from fairlead.adapters import disk, manifest_paths
from fairlead.adapters.document import Document, DocumentError, parse
from fairlead.adapters.manifest_paths import Found, Obstacle, Stamp, shown

MAX_BYTES = 32 * 1024 * 1024
"""More than that is no manifest; reading it would stall everything else."""


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
    """True when there is an error and no content before it: what the file held, or the files below it, is not known."""
    being_written: bool = False
    """True when the error is that nothing stands in the file: whoever writes it has just begun."""
    is_cut: bool = False
    """True when the end looks like that of half a file: what it no longer names may come yet."""


Signature = tuple[tuple[str, Stamp | Obstacle, str], ...]
_Known = tuple[Stamp | None, ManifestFile]


class ManifestFiles:
    """The files below some paths, read again and again; unchanged ones are not parsed again.

    Total: whatever stands there, no call raises `OSError`. What cannot be read is the error of its own file.
    """

    def __init__(self, paths: tuple[Path, ...], *, without: tuple[Path, ...] = ()) -> None:
        """`without` names files that are no manifests though they lie below a path: the installation file."""
        self._paths = tuple(map(str, paths))
        self._without = frozenset(os.path.realpath(path) for path in without)
        self._known: dict[str, _Known] = {}
        self._unread: dict[str, str] = {}
        """Why the system did not give a file's content: its stamp does not tell when it does."""
        self._heads: dict[str, str] = {}
        """The comments and blanks before the first document of each file that had one."""

    def signature(self) -> Signature:
        """Describe what `read` would look at; equal signatures mean that nothing changed."""
        return tuple((found.path, found.at, self._told_of(found.path)) for found in self._find())

    def read(self) -> tuple[ManifestFile, ...]:
        """Every file, in the order of the paths and by name below each.

        A file that is gone is left out; what cannot be reached keeps its files, with an error, and so does a path of
        the command line that is gone.
        """
        known: dict[str, _Known] = {}
        self._unread = {}
        for found in self._find():
            if isinstance(found.at, Stamp):
                known[found.path] = self._one(found.path, found.at)
            else:
                known |= self._behind(found.path, found.at)
        self._known = known
        return tuple(file for _, file in known.values())

    def _find(self) -> Iterator[Found]:
        return manifest_paths.find(self._paths, without=self._without)

    def _told_of(self, path: str) -> str:
        if path not in self._unread:
            return ""
        try:
            _bytes(path)
        except OSError as error:
            return disk.reason(error)
        return ""

    def _behind(self, path: str, obstacle: Obstacle) -> dict[str, _Known]:
        """Keep what was known of a path that cannot be reached, and of all below it."""
        if obstacle.is_gone and path not in self._paths:  # just now, while it was looked at
            return {}
        why = obstacle.why
        if obstacle.is_gone:
            why += ", want the path given with `-f`"
        error = DocumentError(shown(path), why)
        below = path.rstrip("/") + "/"
        kept = {name: file for name, (_, file) in self._known.items() if name == path or name.startswith(below)}
        if kept:
            return {name: (None, replace(file, error=error, being_written=False)) for name, file in kept.items()}
        if not obstacle.is_named:
            return {}
        return {path: (None, ManifestFile(path=shown(path), documents=(), error=error, never_read=True))}

    def _one(self, path: str, stamp: Stamp) -> _Known:
        name, before = shown(path), self._known.get(path)
        if before and before[0] == stamp:
            return before
        try:
            content = _bytes(path)
        except OSError as error:
            why = disk.reason(error)
            self._unread[path] = why
            return None, _kept(name, before, DocumentError(name, f"cannot be read: {why}"))
        try:
            text = _text(content, name)
            documents = parse(text, name)
        except DocumentError as error:
            return stamp, _kept(name, before, error)
        head = _head(text)
        if documents:
            self._heads[path] = head
        elif "#" not in head or self._heads.get(path, "").startswith(text):
            got = "the beginning of what it held" if "#" in head else "nothing but blanks" if text else "0 bytes"
            return stamp, replace(_kept(name, before, DocumentError(name, f"got {got}, {_WANTED}")), being_written=True)
        return stamp, ManifestFile(path=name, documents=documents, error=None, is_cut=_is_cut(text, name))


_WANTED = "want manifests, or a comment of its own where it holds none on purpose"


def _head(text: str) -> str:
    """Return the lines before the first one of a document."""
    lines = text.splitlines(keepends=True)
    return "".join(takewhile(lambda line: line.lstrip().startswith("#") or line.strip() in ("", "---"), lines))


def _is_cut(text: str, name: str) -> bool:
    """Tell whether whoever wrote the file may not have come to its end; a cut JSON is none at all."""
    return not name.endswith(".json") and (not text.endswith(("\n", "\r")) or text.rstrip().endswith("\n---"))


def _kept(name: str, before: _Known | None, error: DocumentError) -> ManifestFile:
    """Describe a file that cannot be read now: it holds what it held."""
    if before is None:
        return ManifestFile(path=name, documents=(), error=error, never_read=True)
    return ManifestFile(path=name, documents=before[1].documents, error=error, never_read=before[1].never_read)


def _bytes(path: str) -> bytes:
    """Return a file's content, and a byte more than `MAX_BYTES` where there is more.

    Raises:
        OSError: the system does not give it, or something else took the file's place.

    """
    with disk.reading(Path(path)) as file:
        return file.read(MAX_BYTES + 1)


def _text(content: bytes, name: str) -> str:
    if len(content) > MAX_BYTES:
        raise DocumentError(name, f"got more than {MAX_BYTES} bytes, want manifests; move other files elsewhere")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DocumentError(
            f"{name}:{line}", "got bytes that are not UTF-8, want UTF-8; save the file as UTF-8"
        ) from None
