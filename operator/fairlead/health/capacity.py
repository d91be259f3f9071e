"""What endpoints carry, and whether those that are left can carry what some are to give up: pure. Requests a minute."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from fairlead.health.endpoint import State, Traffic

MINUTES = 5
_MINUTE_MS = 60_000
_WELL, _UNASKED = State.HEALTHY.value, State.UNKNOWN.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """Attempts by minute since 1970 and endpoint."""

    minutes: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    since_ms: int | None = None
    """When counting began."""

    def added(self, traffic: Sequence[Traffic], now_ms: int) -> "Carried":
        """Add what was counted up to now; what is older than five minutes goes."""
        minute = now_ms // _MINUTE_MS
        kept = {number: counts for number, counts in self.minutes.items() if minute - MINUTES < number <= minute}
        counts = dict(kept.get(minute, {}))
        for one in traffic:
            if one.outcomes:
                counts[one.endpoint] = counts.get(one.endpoint, 0) + sum(one.outcomes.values())
        since_ms = now_ms if self.since_ms is None else min(self.since_ms, now_ms)
        return Carried(minutes={**kept, minute: counts}, since_ms=since_ms)

    def per_minute(self, now_ms: int) -> Mapping[str, int]:
        """Return requests a minute by endpoint, rounded up: of the time that was watched, one minute at least."""
        sums: dict[str, int] = {}
        for counts in self.minutes.values():
            for name, number in counts.items():
                sums[name] = sums.get(name, 0) + number
        first_ms = (now_ms // _MINUTE_MS - MINUTES + 1) * _MINUTE_MS
        watched_ms = max(_MINUTE_MS, now_ms - max(first_ms, self.since_ms or 0))
        return {name: -(-number * _MINUTE_MS // watched_ms) for name, number in sorted(sums.items())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """One endpoint that routes use."""

    name: str
    """`provider/endpoint`."""
    carried: int
    """What it carried in a minute, of the last five."""
    capacity: int | None
    """What it can carry, as its owner says; None: unknown."""
    takes: bool = True
    """Whether it takes traffic now: not while it is down or drained."""
    state: str = ""
    """How it stands, in status' words; empty where nobody says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be said before a drain."""

    refusal: str = ""
    """Why the others cannot carry it; empty where they can, or where nobody knows."""
    remarks: tuple[str, ...] = ()


def unwell(drained: Collection[str], carriers: Sequence[Carrier], ladders: Collection[Sequence[str]]) -> str:
    """Name those who would have to stand in for drained endpoints and are not well; empty where all are.

    Of whom nothing has been told yet is not among them: `unasked` names those.
    """
    found = [
        f"{one.name} is {one.state}"
        for one in _survivors(drained, carriers, ladders)
        if one.state not in ("", _WELL, _UNASKED) or not one.takes
    ]
    return ", ".join(found)


def unasked(drained: Collection[str], carriers: Sequence[Carrier], ladders: Collection[Sequence[str]]) -> str:
    """Name those who would have to stand in for drained endpoints and whom nobody has asked yet."""
    return ", ".join(one.name for one in _survivors(drained, carriers, ladders) if one.state == _UNASKED)


def _survivors(
    drained: Collection[str], carriers: Sequence[Carrier], ladders: Collection[Sequence[str]]
) -> list[Carrier]:
    names = {name for ladder in _concerned(drained, ladders) for name in ladder if name not in drained}
    return sorted((one for one in carriers if one.name in names), key=lambda one: one.name)


def _concerned(drained: Collection[str], ladders: Collection[Sequence[str]]) -> list[Sequence[str]]:
    return [ladder for ladder in ladders if not set(drained).isdisjoint(ladder)]


def verdict(drained: Collection[str], carriers: Sequence[Carrier], ladders: Collection[Sequence[str]]) -> Verdict:
    """Compare what the drained endpoints carry with what is left at those that stand in for them.

    `ladders` are endpoints in the order of attempts, of every route and gateway. What an endpoint carries is known of
    all its ladders together, and each of them may be all of it: so each that they lead has to have room for all
    that they carry, by its own survivors. Whoever stands in another ladder only helps nobody here. Where they
    lead none, and carry something all the same, all ladders that they stand in are looked at.
    """
    known: Mapping[str, Carrier] = {one.name: one for one in carriers}
    concerned = _concerned(drained, ladders)
    led = [ladder for ladder in concerned if _leads(ladder, drained, known)]
    sides = {
        (frozenset(ladder) & frozenset(drained), frozenset(_takers(ladder, drained, known)))
        for ladder in led or concerned
    }
    stuck = sum(1 for ladder in concerned if not _takers(ladder, drained, known))
    remarks = [f"{stuck} ladders have nobody else: their requests stay where they are"] if stuck else []
    refusals: list[tuple[int, str]] = []
    doubts: list[tuple[int, str]] = []
    for leaving, survivors in sides:
        needed = sum(known[name].carried for name in leaving if name in known)
        room = sum(max(0, (known[name].capacity or 0) - known[name].carried) for name in survivors)
        unknown = sorted(name for name in survivors if known[name].capacity is None)
        if needed and not survivors:
            refusals.append((needed, f"{_rate(needed)} have nowhere else to go"))
        elif needed > room and unknown:
            words = f"{_rate(needed)} are to move; what they can carry is unknown of {', '.join(unknown)}"
            doubts.append((needed - room, words))
        elif needed > room:
            names = ", ".join(sorted(survivors))
            words = f"{_rate(needed)} are to move, and {names} have room for {room} by their `capacity`"
            refusals.append((needed - room, words))
    if refusals:
        return Verdict(refusal=max(refusals)[1], remarks=tuple(remarks))
    return Verdict(remarks=(*remarks, *((max(doubts)[1],) if doubts else ())))


def _leads(ladder: Sequence[str], drained: Collection[str], known: Mapping[str, Carrier]) -> bool:
    first = next((name for name in ladder if name in known and known[name].takes), None)
    return first is not None and first in drained


def _takers(ladder: Sequence[str], drained: Collection[str], known: Mapping[str, Carrier]) -> list[str]:
    return [name for name in ladder if name not in drained and name in known and known[name].takes]


def _rate(number: int) -> str:
    return f"{number} requests a minute"
