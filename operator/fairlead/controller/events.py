"""Kubernetes Events about users' objects: what has happened, once."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from structlog.typing import FilteringBoundLogger

from fairlead.adapters.clock import Clock
from fairlead.adapters.kube import Kube
from fairlead.controller.metrics import Metrics
from fairlead.errors import ClusterError
from fairlead.status import Happening

Object = Mapping[str, Any]

_LONGEST_MESSAGE = 1024
_UNTOLD = 1_000
"""Events that wait to be written; of more the oldest are lost, and status says it all the same."""


class Events:
    """The writer of all Events."""

    def __init__(self, *, kube: Kube, clock: Clock, metrics: Metrics, log: FilteringBoundLogger) -> None:
        self._kube, self._clock, self._metrics, self._log = kube, clock, metrics, log
        self._untold: deque[tuple[Object, Happening]] = deque(maxlen=_UNTOLD)

    def note(self, found: Object | None, one: Happening, subject: str) -> None:
        """Log what has happened; its Event, if its object is there, is written by `tell`."""
        (self._log.warning if one.warning else self._log.info)(one.reason, what=f"{subject}: {one.message}")
        if found is not None:
            self._untold.append((found, one))

    async def tell(self) -> None:
        """Write the Events that wait."""
        while self._untold:
            found, one = self._untold.popleft()
            await self.record(found, [one])

    async def record(self, found: Object, happenings: Iterable[Happening]) -> None:
        """Write Events about an object; one that is refused is lost, and the status stands all the same."""
        moment = self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata = found["metadata"]
        reference = {
            "apiVersion": found["apiVersion"],
            "kind": found["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata.get("uid", ""),
        }
        for one in happenings:
            event = {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"generateName": f"{metadata['name'][:200]}.", "namespace": metadata["namespace"]},
                "involvedObject": reference,
                "type": "Warning" if one.warning else "Normal",
                "reason": one.reason,
                "message": one.message[:_LONGEST_MESSAGE],
                "source": {"component": "fairlead"},
                "reportingComponent": "fairlead",
                "firstTimestamp": moment,
                "lastTimestamp": moment,
                "count": 1,
            }
            try:
                await self._kube.create(event)
                self._metrics.writes.labels("create", "Event").inc()
            except ClusterError as error:
                self._metrics.errors.labels("event").inc()
                self._log.warning("event lost", what=str(error))
