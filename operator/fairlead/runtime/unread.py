"""Gateways that were asked something and could not be read."""

from collections.abc import Callable, Mapping

from structlog.typing import FilteringBoundLogger

_TOLD_AT = 2
"""Looks in a row that fail before a person is told: a gateway that just starts, or ends, misses one."""


class Unread:
    """Those that could not be read last time. Each is counted every time, and told once until it can be read again."""

    def __init__(self, log: FilteringBoundLogger, count: Callable[[], None] = lambda: None) -> None:
        self._log, self._count = log, count
        self._in_a_row: Mapping[str, int] = {}

    def note(self, problems: Mapping[str, str]) -> None:
        """Take note of who could not be read this time, by name, and why; all others could, or are gone."""
        self._in_a_row = {name: self._in_a_row.get(name, 0) + 1 for name in problems}
        for name, problem in problems.items():
            self._count()
            if self._in_a_row[name] == _TOLD_AT:
                self._log.warning("gateway unread", gateway=name, what=problem)
