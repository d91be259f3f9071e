"""Which connections are open, and which of them goes when there are too many."""

import itertools
import resource
from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

_LOOKED_AT = 64
"""Connections that are looked at, to find one that nobody needs."""


class Link(Protocol):
    """A connection."""

    @property
    def is_idle(self) -> bool:
        """Tell whether the client waits for nothing."""


One = TypeVar("One", bound=Link)


class Links(Generic[One]):
    """The connections that are open; those that were silent the longest are first."""

    def __init__(self, most: int, *, share: float) -> None:
        """`most`: how many there may be, or this share of what the process may open."""
        self._most = min(most, int(resource.getrlimit(resource.RLIMIT_NOFILE)[0] * share))
        self._open: OrderedDict[One, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def all(self) -> tuple[One, ...]:
        """Return them all."""
        return tuple(self._open)

    def add(self, link: One) -> One | None:
        """Add one; return which has to go for it, itself where all others are needed."""
        gone = None
        if len(self._open) >= self._most:
            idle = (one for one in itertools.islice(self._open, _LOOKED_AT) if one.is_idle)
            gone = next(idle, link)
            self._open.pop(gone, None)
        if gone is not link:
            self._open[link] = None
        return gone

    def spoke(self, link: One) -> None:
        """Note that one is not silent."""
        if link in self._open:
            self._open.move_to_end(link)

    def discard(self, link: One) -> None:
        """Forget one that is closed."""
        self._open.pop(link, None)
