"""Which parts belong together: a question, and what stable and the candidate answered. Pure: time is an argument."""

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class Part(StrEnum):
    """One third of a pair."""

    QUESTION = "question"
    STABLE = "stable"
    CANDIDATE = "candidate"


ALL = frozenset(Part)


@dataclass(slots=True)
class _Waiting:
    since_ms: int
    route: str
    parts: dict[Part, Json] = field(default_factory=dict)
    bytes: int = 0


class Pairs:
    """Parts that wait for the others: no longer than `patience_ms`, no more than `most_bytes` and `most` pairs."""

    def __init__(self, *, patience_ms: int, most: int, most_bytes: int) -> None:
        self._patience_ms, self._most, self._most_bytes = patience_ms, most, most_bytes
        self._waiting: OrderedDict[tuple[str, str], _Waiting] = OrderedDict()
        self._bytes = 0
        self.given_up = 0
        """How many of which parts never came, or had no room to wait."""

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, route: str, request: str, part: Part, content: Json, *, size: int, now_ms: int) -> Json | None:
        """Take one part in; returns the pair when it is whole. A part that came already changes nothing."""
        self.expire(now_ms)
        key = (route, request)
        waiting = self._waiting.setdefault(key, _Waiting(since_ms=now_ms, route=route))
        if part not in waiting.parts:
            waiting.parts[part] = content
            waiting.bytes += size
            self._bytes += size
        if waiting.parts.keys() == ALL:
            self._forget(key)
            return {"route": route, "request": request, **{one.value: waiting.parts[one] for one in Part}}
        while len(self._waiting) > self._most or self._bytes > self._most_bytes:
            self._forget(next(iter(self._waiting)))
            self.given_up += 1
        return None

    def expire(self, now_ms: int) -> None:
        """Give up those that have waited too long."""
        while self._waiting:
            key, oldest = next(iter(self._waiting.items()))
            if now_ms - oldest.since_ms < self._patience_ms:
                return
            self._forget(key)
            self.given_up += 1

    def _forget(self, key: tuple[str, str]) -> None:
        self._bytes -= self._waiting.pop(key).bytes
