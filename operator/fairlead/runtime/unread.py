"""Gateways that were asked something and could not be read."""

from collections.abc import Callable, Mapping

from structlog.typing import FilteringBoundLogger


class Unread:
    """Those that could not be read last time. Each is counted every time, and told once until it can be read again."""

    def __init__(self, log: FilteringBoundLogger, count: Callable[[], None] = lambda: None) -> None:
        self._log, self._count = log, count
        self._known: frozenset[str] = frozenset()

    def note(self, problems: Mapping[str, str]) -> None:
        """Take note of who could not be read this time, by name, and why; all others could, or are gone."""
        for name, problem in problems.items():
            self._count()
            if name not in self._known:
                self._log.warning("gateway unread", gateway=name, what=problem)
        self._known = frozenset(problems)
