"""What goes wrong on command."""

from dataclasses import dataclass, replace
from random import Random

from pydantic import ConfigDict


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to fail, for the requests that it matches. Fields add up: slow, then 503."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    status: int | None = None
    """Answer with this status and an error body instead of an answer."""
    retry_after: int | None = None
    """Seconds in the `Retry-After` header that goes with `status`."""
    slow_first_byte_ms: int = 0
    """Wait before the response headers."""
    slow_first_chunk_ms: int = 0
    """Streams: wait between the headers and the first chunk."""
    hang: bool = False
    """Read the request and say nothing until the client leaves."""
    reset: bool = False
    """Reset the connection (TCP RST) before any header."""
    drop: bool = False
    """Close the connection in order (TCP FIN) before any header."""
    break_after_chunks: int | None = None
    """Streams: reset the connection after this many chunks."""
    error_after_chunks: int | None = None
    """Streams: end by an error of the provider's after this many chunks."""
    stall_after_chunks: int | None = None
    """Streams: say nothing more after this many chunks, connection open."""
    usage: bool = True
    """False: leave the token counts out of the answer."""
    chunk_gap_ms: int | None = None
    """Streams: wait between chunks, instead of the provider's usual gap."""
    probability: float = 1.0
    """Share of the matching requests that fail."""
    count: int | None = None
    """After so many failures the fault is over; None: it stays until it is cleared."""
    model: str | None = None
    """Only requests for this model."""
    path: str | None = None
    """Only requests whose path ends so, for example `/chat/completions`."""


class Faults:
    """The faults that are set, first match wins."""

    def __init__(self, seed: int = 0) -> None:
        self._set: list[Fault] = []
        self._random = Random(seed)

    def add(self, fault: Fault) -> None:
        """Set one more."""
        self._set.append(fault)

    def clear(self) -> None:
        """Unset all."""
        self._set.clear()

    def take(self, *, path: str, model: str | None, is_probe: bool = False) -> Fault | None:
        """Say how this request fails, if it does, and count it; a probe takes none that is meant for so many."""
        for index, fault in enumerate(self._set):
            if is_probe and fault.count is not None:
                continue
            if fault.model not in (None, model) or (fault.path is not None and not path.endswith(fault.path)):
                continue
            if self._random.random() >= fault.probability:
                continue
            if fault.count is not None:
                self._set[index : index + 1] = [replace(fault, count=fault.count - 1)] if fault.count > 1 else []
            return fault
        return None
