"""What a simulated provider saw: counters, and the last requests as they came."""

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum

KEPT_REQUESTS = 1_000
KEPT_BYTES = 64 * 1024 * 1024
"""Bodies are kept whole, the oldest requests go first."""


class Outcome(StrEnum):
    """How a request ended."""

    OPEN = "open"
    ANSWERED = "answered"
    DISCONNECTED = "disconnected"
    """The client left before the answer was complete."""
    BROKEN = "broken"
    """The provider broke the connection, by a fault or because it died."""


@dataclass(slots=True, kw_only=True)
class Record:
    """One request; status and outcome are filled in as it goes on."""

    number: int
    method: str
    target: str
    """Path and query as they stood in the request line."""
    headers: tuple[tuple[str, str], ...]
    """In the order and case of the wire."""
    body: bytes
    model: str | None = None
    problem: str | None = None
    """Code of what a strict provider refuses about the request, even where a fault answered first."""
    faulty: bool = False
    """A fault was applied."""
    stream: bool = False
    status: int | None = None
    completion_tokens: int = 0
    chunks: int = 0
    outcome: Outcome = Outcome.OPEN

    def header(self, name: str) -> str | None:
        """Look up the first value of a header, by name in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(slots=True, kw_only=True)
class Stats:
    """Counters since the start or the last reset."""

    requests: int = 0
    in_flight: int = 0
    connections: int = 0
    """TCP connections accepted."""
    disconnects: int = 0
    faults: int = 0
    streams: int = 0
    completion_tokens: int = 0
    by_status: Counter[int] = field(default_factory=Counter)
    by_model: Counter[str] = field(default_factory=Counter)
    by_path: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    """By code: anything here is a mistake of whoever sent the request."""


class Journal:
    """Keeps records and counters; used from one thread."""

    def __init__(self) -> None:
        self.stats = Stats()
        self.records: deque[Record] = deque()
        self._bytes = 0
        self._number = 0

    def open(self, record: Record) -> None:
        """Note a request that came in."""
        self.records.append(record)
        self._bytes += len(record.body)
        while len(self.records) > KEPT_REQUESTS or (self._bytes > KEPT_BYTES and len(self.records) > 1):
            self._bytes -= len(self.records.popleft().body)
        stats = self.stats
        stats.requests += 1
        stats.in_flight += 1
        stats.faults += record.faulty
        stats.streams += record.stream
        stats.by_path[record.target.partition("?")[0]] += 1
        if record.model is not None:
            stats.by_model[record.model] += 1
        if record.problem is not None:
            stats.problems[record.problem] += 1

    def close(self, record: Record, outcome: Outcome) -> None:
        """Note how it ended."""
        record.outcome = outcome
        stats = self.stats
        stats.in_flight -= 1
        stats.disconnects += outcome is Outcome.DISCONNECTED
        stats.completion_tokens += record.completion_tokens
        if record.status is not None:
            stats.by_status[record.status] += 1

    def next_number(self) -> int:
        """Count requests, also across resets."""
        self._number += 1
        return self._number

    def reset(self) -> None:
        """Start counting anew; what is in flight stays in flight."""
        self.stats = Stats(in_flight=self.stats.in_flight)
        self.records.clear()
        self._bytes = 0
