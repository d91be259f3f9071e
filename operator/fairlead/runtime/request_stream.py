"""Requests out of lines that keep coming: told once, when all that is to come of one is there. No clock of its own."""

from collections import OrderedDict
from collections.abc import Iterable

from fairlead.envoy.log_lines import Line
from fairlead.runtime.requests import Request, gathered

PATIENCE_MS = 2_000
"""How long the lines of attempts may come after their request's end."""
KEPT = 10_000
"""Requests that have not ended, and those that were told: who floods loses the oldest."""

Key = tuple[str, str]


class RequestStream:
    """Takes lines, gives requests that are whole."""

    def __init__(self) -> None:
        self._open: OrderedDict[Key, list[Line]] = OrderedDict()
        self._ended_ms: dict[Key, int] = {}
        self._told: OrderedDict[Key, None] = OrderedDict()

    def take(self, lines: Iterable[Line], now_ms: int) -> list[Request]:
        """Return what is whole now, or ended so long ago that nothing more will come, by their beginnings."""
        for line in lines:
            key = (line.gateway_region, line.request_id)
            if line.request_id and key not in self._told:
                self._open.setdefault(key, []).append(line)
                if line.kind == "request":
                    self._ended_ms.setdefault(key, now_ms)
        whole = []
        for key, ended_ms in list(self._ended_ms.items()):
            (request,) = gathered(self._open[key])
            if request.is_whole or now_ms - ended_ms >= PATIENCE_MS:
                whole.append(request)
                self._forget(key)
                self._told[key] = None
        while len(self._open) > KEPT:
            self._forget(next(iter(self._open)))
        while len(self._told) > KEPT:
            self._told.popitem(last=False)
        return sorted(whole, key=lambda one: one.began)

    def _forget(self, key: Key) -> None:
        del self._open[key]
        self._ended_ms.pop(key, None)
