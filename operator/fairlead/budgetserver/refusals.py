"""Who was refused for lack of dollars, of each policy in its newest window: so that people can be told why.

A stage tells what was spent; a key is refused a little earlier, when its next request would not fit. Kept by this
process and forgotten with it: the counters do not know, and whoever is refused once is soon refused again.
"""

from collections.abc import Iterable

from fairlead.budget.admission import Standing, is_exhausted, never_fits
from fairlead.budget.policy import SHARED, Scope

_MOST = 1000
"""Consumers that are remembered of each policy."""

_Names = dict[str, tuple[int, set[str]]]
"""By policy, with the beginning of its window."""


class Refusals:
    """Names by policy and window."""

    def __init__(self) -> None:
        self._found: _Names = {}
        self._at_end: _Names = {}

    def judge(self, consumer: str, lacking: Iterable[Standing], amount: int) -> None:
        """Remember whom a policy refused for good, in its window: not for reservations that may soon be released."""
        for standing in lacking:
            if is_exhausted(standing, amount):
                who = SHARED if standing.policy.scope is Scope.SHARED else consumer
                self.note(standing.policy.name, who, standing.span.start_ms)
                if not never_fits(standing, amount):
                    _note(self._at_end, standing.policy.name, who, standing.span.start_ms)

    def note(self, policy: str, consumer: str, start_ms: int) -> None:
        """Remember that a request of a consumer found no room in the window that began at `start_ms`."""
        _note(self._found, policy, consumer, start_ms)

    def of(self, policy: str, start_ms: int) -> frozenset[str]:
        """Return who was refused in a window."""
        return _named(self._found, policy, start_ms)

    def at_end(self, policy: str, start_ms: int) -> frozenset[str]:
        """Return who was refused in a window though the request fits into an empty one."""
        return _named(self._at_end, policy, start_ms)


def _note(found: _Names, policy: str, consumer: str, start_ms: int) -> None:
    since, names = found.get(policy, (start_ms, set()))
    if since != start_ms:
        names = set()
    if len(names) < _MOST:
        names.add(consumer)
    found[policy] = start_ms, names


def _named(found: _Names, policy: str, start_ms: int) -> frozenset[str]:
    since, names = found.get(policy, (start_ms, set()))
    return frozenset(names) if since == start_ms else frozenset()
