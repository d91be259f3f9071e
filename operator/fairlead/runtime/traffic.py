"""Keeps what real traffic told from one reading of all gateways to the next."""

from collections.abc import Mapping, Sequence

from fairlead import ir
from fairlead.adapters.clock import Clock
from fairlead.adapters.gateway_metrics import GatewayMetrics
from fairlead.health.standing import Evidence, observe
from fairlead.runtime.readings import GatewayPlace, read_all
from fairlead.runtime.unread import Unread
from fairlead.status import EndpointStanding, Failing, traffic

EVERY_S = 2.0
"""Pause between two readings: what fails is known within ten seconds of the first request."""


class TrafficView:
    """What traffic told. One task calls `look`."""

    def __init__(self, clock: Clock, unread: Unread) -> None:
        self._clock, self._unread = clock, unread
        self.evidence = Evidence()
        self.failing: tuple[Failing, ...] = ()
        self.endpoints: tuple[EndpointStanding, ...] = ()

    async def look(
        self,
        metrics: GatewayMetrics,
        places: Sequence[GatewayPlace],
        served: Mapping[str, ir.Gateway],
        credentials: Mapping[str, str],
    ) -> bool:
        """Read all gateways; tell whether anything is said differently now.

        `served` is what each region serves, `credentials` a digest for each credential (`<secret>/<key>`) whose value
        is known here.
        """
        readings = await read_all(metrics, places, served, self._unread)
        now_ms = int(self._clock.now().timestamp() * 1000)
        self.evidence = observe(
            self.evidence,
            readings,
            traffic.identities(served, credentials),
            gateways=[place.name for place in places],
            now_ms=now_ms,
        )
        before = self.failing, self.endpoints
        self.failing = traffic.failing(self.evidence, served, now_ms=now_ms)
        self.endpoints = traffic.endpoints(self.evidence, served, now_ms=now_ms)
        return before != (self.failing, self.endpoints)
