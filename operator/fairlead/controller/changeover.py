"""From one configuration of a region to the next, so that no pod ever leads a request to what it does not hold. Pure.

A kubelet swaps all files of a pod at once, and Envoy then reads them one by one: for some milliseconds the routes of
one version stand beside the clusters of another. Seen on 1.40, in a gateway of 300 routes: each rename of one answers
requests with 503 for a tenth of a second. So a change that needs it is written in up to three versions, each when all
pods serve the one before:

1. what is new beside all that is there as it was, with the old routes;
2. everything as it becomes, beside what old routes lead to;
3. without that, a minute after the last pod left it: Envoy chooses a request's route when the request begins, and asks
   for its cluster when the body is there, and again for each retry.

A change that leads only to what is there takes effect in one version: the order of a ladder, another model at the same
endpoint. A pod that does not say what it serves holds nobody back for longer than `PATIENCE_S`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from fairlead import envoy
from fairlead.envoy import resources

Files = Mapping[str, bytes]

PATIENCE_S = 10.0
"""How long a version waits for pods to say that they serve the one before."""
LINGER_S = 60.0
"""How long what routes led to outlives them: a request has so much time to bring its body (`stream_idle_timeout`)."""
_SWAPPED = (envoy.CLUSTERS, envoy.LISTENERS)
_A_CHANGE = 2
"""Versions that pods may serve while one follows another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What stands where pods take it from."""

    files: Files
    digest: str
    is_between: bool = False
    """Whether its routes are those of before: what is wanted is not in effect with it."""
    again_in_s: float | None = None
    """When the next version may be due, whatever pods say; None = this is the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    written: Written
    holds: frozenset[str]
    leads_to: frozenset[str]
    """What a request may be led to by its routes, among what it holds."""
    at: float
    """Monotonic seconds."""


class Changeover:
    """The versions of one region that some pod may serve now; none = nobody is known to serve anything."""

    def __init__(self, there: Files | None = None, *, now: float = 0.0, limit_bytes: int) -> None:
        """`there`: the files that pods serve, made by whoever led before. `now`: monotonic seconds, here and below.

        `limit_bytes`: how long a file may be.
        """
        self._limit_bytes = limit_bytes
        self._versions: list[_Version] = []
        self._lingers: dict[str, float] = {}
        """When what old routes led to may go, by name."""
        self._settled = ""
        """The digest of what was wanted last, if no version is to come after the last one."""
        if there is not None and _is_whole(there):
            names = _names(there)
            self._note(Written(files=there, digest=envoy.digest(there)), holds=names, leads_to=names, now=now)

    @property
    def is_between(self) -> bool:
        """Whether what is wanted waits for pods to serve what comes before it."""
        return bool(self._versions) and self._versions[-1].written.is_between

    def confirm(self, answers: Collection[str], *, now: float) -> bool:
        """Take note of the digests that the ready pods of the region serve; tell whether the next version is due."""
        if len(self._versions) < _A_CHANGE or {*answers} != {self._versions[-1].written.digest}:
            return False
        self._leave(len(self._versions) - 1, now)
        return self.is_between

    def write(self, wanted: Files, digest: str, *, now: float) -> Written:
        """Return what is to be written so that `wanted`, which has this digest, is served now or after that."""
        if self._settled == digest:
            return self._versions[-1].written
        self._give_up_waiting(now)
        names = _names(wanted)
        written, leads_to = self._next(Written(files=wanted, digest=digest), names, now)
        self._settled = digest if written.again_in_s is None else ""
        holds = names if written.files is wanted else _names(written.files)
        return self._note(written, holds=holds, leads_to=leads_to, now=now)

    def _next(self, wanted: Written, names: frozenset[str], now: float) -> tuple[Written, frozenset[str]]:
        """Return the next version, and what its routes lead to. Files that have no room for two versions get one."""
        if not self._versions:
            return wanted, names
        last = self._versions[-1]
        held = frozenset.intersection(*(version.holds for version in self._versions))
        if _leads_astray(wanted.files, names, held):
            files = _beside(last.written.files, wanted.files)
            if self._fits(files):
                return _made(files, is_between=True, again_in_s=PATIENCE_S), last.leads_to
        led = last.holds & _all(version.leads_to for version in self._versions) - names
        lingers = {name: until for name, until in self._lingers.items() if name in last.holds - names}
        if not (led or lingers):
            return wanted, names
        files = _beside(wanted.files, last.written.files, only=led | lingers.keys())
        if not self._fits(files):
            return wanted, names
        waits = [until - now for until in lingers.values()] + [PATIENCE_S] * bool(led)
        return _made(files, again_in_s=min(waits)), names

    def _note(self, written: Written, *, holds: frozenset[str], leads_to: frozenset[str], now: float) -> Written:
        at = now
        if self._versions and self._versions[-1].written.digest == written.digest:
            at = self._versions.pop().at
        self._versions.append(_Version(written=written, holds=holds, leads_to=leads_to, at=at))
        return written

    def _give_up_waiting(self, now: float) -> None:
        self._lingers = {name: until for name, until in self._lingers.items() if until > now}
        late = [number for number, version in enumerate(self._versions) if now - version.at >= PATIENCE_S]
        if late:
            self._leave(late[-1], now)

    def _leave(self, number: int, now: float) -> None:
        """Forget the versions before this one: no pod serves them any more."""
        left, self._versions = self._versions[:number], self._versions[number:]
        served = _all(version.leads_to for version in self._versions)
        for version in left:
            self._lingers |= dict.fromkeys(version.leads_to - served, now + LINGER_S)

    def _fits(self, files: Files) -> bool:
        return all(len(content) <= self._limit_bytes for content in files.values())


def _all(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)


def _names(files: Files) -> frozenset[str]:
    return _all(resources.names(files[path]) for path in _SWAPPED)


def _is_whole(files: Files) -> bool:
    """Tell whether these files can be read: anybody may have edited them, and what nobody can read nobody serves."""
    try:
        there = (_names(files), resources.ladders(files[envoy.CLUSTERS]), resources.names(files[envoy.ROUTES]))
        return all(there) and bool(envoy.digest(files))
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _leads_astray(wanted: Files, names: frozenset[str], held: frozenset[str]) -> bool:
    """Tell whether a request could be led to what some pod does not hold.

    A rung that is new is none of that as long as its ladder has another that is there: Envoy takes the next one.
    """
    ladders = resources.ladders(wanted[envoy.CLUSTERS]).values()
    return not (names - _all(map(frozenset, ladders))).issubset(held) or any(map(held.isdisjoint, ladders))


def _beside(first: Files, second: Files, *, only: Collection[str] | None = None) -> Files:
    """Return the first's files with what the second has besides, all of it or what is named."""
    merged = {path: resources.union(first=first[path], second=second[path], only=only) for path in _SWAPPED}
    return envoy.restamp({**second, **first, **merged})


def _made(files: Files, *, is_between: bool = False, again_in_s: float) -> Written:
    return Written(files=files, digest=envoy.digest(files), is_between=is_between, again_in_s=again_in_s)
