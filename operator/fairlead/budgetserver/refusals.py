"""Who was refused for lack of dollars, of each policy in its newest window: so that people can be told why.

A stage tells what was spent; a key is refused a little earlier, when its next request would not fit. Kept by this
process and forgotten with it: the counters do not know, and whoever is refused once is soon refused again.
"""

_MOST = 1000
"""Consumers that are remembered of each policy."""


class Refusals:
    """Names by policy and window."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, set[str]]] = {}

    def note(self, policy: str, consumer: str, start_ms: int) -> None:
        """Remember that a request of a consumer found no room in the window that began at `start_ms`."""
        since, names = self._found.get(policy, (start_ms, set()))
        if since != start_ms:
            names = set()
        if len(names) < _MOST:
            names.add(consumer)
        self._found[policy] = start_ms, names

    def of(self, policy: str, start_ms: int) -> frozenset[str]:
        """Return who was refused in a window."""
        since, names = self._found.get(policy, (start_ms, set()))
        return frozenset(names) if since == start_ms else frozenset()
