"""From one set of Envoy's files to another without a moment in which something is named that is not there.

Envoy reads its files one by one, so the order of the writes decides what a request sees. Make before break, in steps of
which most changes need one or two:

1. clusters that are new, beside all old ones as they were: they resolve and warm up while
   nobody asks for them;
2. listeners, still with what only old clusters need (the removal of a credential's header, a hop);
3. clusters as they become, beside those that go: now ladders lead to the new targets;
4. routes;
5. clusters that nothing names any more go, then what the listeners kept for them: a minute later (`Leftovers`), since
   Envoy chooses a request's route when the request begins, and asks for its cluster when the body is there, and again
   for each retry.

Every file carries its digest as `version_info`, which Envoy shows in the stat `version_text` once it serves the file:
that is what is waited for between two steps, never time.
"""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from fairlead.envoy import resources

CLUSTERS = "xds/cds.json"
LISTENERS = "xds/lds.json"
ROUTES = "xds/rds.json"
_ORDERED = (CLUSTERS, LISTENERS, ROUTES)
_BEGIN = b'{"resources":'
"""How the renderer begins a discovery file, and no other."""
_VERSION = re.compile(rb',"version_info":"([^"]*)"}$')
VERSION_CHARACTERS = 16
LINGER_S = 60.0
"""How long what routes led to outlives them: a request has so much time to bring its body (`stream_idle_timeout`)."""

Files = Mapping[str, bytes]
"""Content by path, relative to the region's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One file to write, or to remove where there is no content."""

    path: str
    content: bytes | None
    version: str
    """What Envoy shows when it serves the content; empty when there is nothing to wait for."""


class Leftovers:
    """Clusters and listeners that only old routes lead to, until no request asks for them any more."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def left(self, old: Files, new: Files, now: float) -> frozenset[str]:
        """Note what a change leaves behind; return all that is to stay. `now`: seconds of one clock, here and below."""
        wanted = _names(new)
        left = dict.fromkeys(_names(old) - wanted, now + LINGER_S)
        self._until = {name: until for name, until in (left | self._until).items() if name not in wanted}
        return self.stays(now)

    def stays(self, now: float) -> frozenset[str]:
        """Return what is still to stay."""
        return frozenset(name for name, until in self._until.items() if until > now)

    def are_due(self, now: float) -> bool:
        """Tell whether something has to go."""
        return any(until <= now for until in self._until.values())

    def forget(self, now: float) -> None:
        """Forget what has gone."""
        self._until = {name: until for name, until in self._until.items() if until > now}


def _names(files: Files) -> frozenset[str]:
    return frozenset().union(*(resources.names(files[path]) for path in (CLUSTERS, LISTENERS) if path in files))


def stamped(files: Files) -> dict[str, bytes]:
    """Return the files with each discovery file's own digest as its version; other files as they are."""
    return {path: _stamp(content) for path, content in files.items()}


def version(content: bytes) -> str:
    """Return the version of a stamped file; empty when it carries none."""
    found = _VERSION.search(content)
    return found[1].decode() if found else ""


def steps(
    old: Files, new: Files, *, listeners_between: bytes | None = None, keep: Collection[str] = ()
) -> tuple[Step, ...]:
    """Plan the writes from `old` to `new`, both stamped, without those that change nothing.

    `keep` are clusters and listeners of the old files that stay beside the new ones.
    `listeners_between` is what LISTENERS must be while old and new clusters stand side by side, stamped: it takes off
    the credentials' headers of both. None = the new ones do.
    """
    written = dict(old)
    result: list[Step] = []
    for path, content in _writes(old, new, listeners_between or new[LISTENERS], keep):
        if written.get(path) == content:
            continue
        if content is None:
            written.pop(path)
            result.append(Step(path=path, content=None, version=""))
        else:
            written[path] = content
            result.append(Step(path=path, content=content, version=version(content)))
    return tuple(result)


def _writes(
    old: Files, new: Files, listeners_between: bytes, keep: Collection[str]
) -> Iterator[tuple[str, bytes | None]]:
    for path in sorted(new):
        if path not in _ORDERED:
            yield path, new[path]
    if CLUSTERS in old:
        yield CLUSTERS, _union(first=old[CLUSTERS], second=new[CLUSTERS])
        yield LISTENERS, _union(first=listeners_between, second=old[LISTENERS])
        yield CLUSTERS, _union(first=new[CLUSTERS], second=old[CLUSTERS])
    else:
        yield CLUSTERS, new[CLUSTERS]
        yield LISTENERS, new[LISTENERS]
    yield ROUTES, new[ROUTES]
    for path in (CLUSTERS, LISTENERS):
        yield path, _union(first=new[path], second=old[path], only=keep) if path in old else new[path]
    for path in sorted(old):
        if path not in new:
            yield path, None


def _union(*, first: bytes, second: bytes, only: Collection[str] | None = None) -> bytes:
    """Merge the resources of two files by name, with a version; where both have one, the first's."""
    return _stamp(resources.union(first=first, second=second, only=only))


def _stamp(content: bytes) -> bytes:
    """Put the version at the end, without taking a megabyte of JSON apart."""
    if not content.startswith(_BEGIN) or _VERSION.search(content):
        return content
    digest = hashlib.sha256(content).hexdigest()[:VERSION_CHARACTERS]
    return content[: -len(b"}")] + f',"version_info":"{digest}"}}'.encode()
