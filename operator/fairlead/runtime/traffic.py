"""Keeps what real traffic told from one reading of all gateways to the next."""

from collections.abc import Mapping, Sequence

from fairlead import ir
from fairlead.adapters.clock import Clock
from fairlead.adapters.gateway_metrics import GatewayMetrics
from fairlead.health.counted import Counted, counted
from fairlead.health.counting import Counting, Refused, count, refused
from fairlead.health.endpoint import Traffic
from fairlead.health.record import Record
from fairlead.health.standing import Evidence, Kept, gone_on, kept, observe
from fairlead.runtime.readings import GatewayPlace, read_all
from fairlead.runtime.unread import Unread
from fairlead.status import Failing, traffic

EVERY_S = 2.0
"""Pause between two readings: what fails is known within ten seconds of the first request."""


class TrafficView:
    """What traffic told. One task calls `look`."""

    def __init__(self, clock: Clock, unread: Unread) -> None:
        self._clock, self._unread = clock, unread
        self.evidence = Evidence()
        self._counting = Counting()
        self.told: tuple[Traffic, ...] = ()
        """What gateways counted between the last two looks."""
        self.began_ms = 0
        """When the last look began."""
        self.failing: tuple[Failing, ...] = ()
        self._refused = Refused()
        self.counted = Counted()
        """Of classifiers and kept answers."""

    def go_on(self, remembered: Sequence[Kept], *, gateways_run_on: bool) -> None:
        """Begin with what the process before this one was told."""
        self.evidence = gone_on(remembered, gateways_run_on=gateways_run_on)

    @property
    def overloaded(self) -> Mapping[str, int]:
        """The regions whose gateways refuse requests for lack of room, and since when."""
        return self._refused.since_ms

    @property
    def kept(self) -> tuple[Kept, ...]:
        """What a restart must not forget: what fails is red until something says that it does not."""
        return kept(self.evidence, self._now_ms())

    async def look(
        self,
        metrics: GatewayMetrics,
        places: Sequence[GatewayPlace],
        served: Mapping[str, ir.Gateway],
        credentials: Mapping[str, str],
        records: Mapping[str, Record],
    ) -> bool:
        """Read all gateways; tell whether anything is said differently now.

        `served` is what each region serves, `credentials` a digest for each credential (`<secret>/<key>`) whose value
        is known here, `records` what health remembers of endpoints: probes may have disproved what traffic told.
        """
        began_ms = self._now_ms()
        readings = await read_all(metrics, places, served, self._unread)
        now_ms = self._now_ms()
        self.evidence = observe(
            self.evidence,
            readings,
            traffic.identities(served, credentials),
            gateways=[place.name for place in places],
            now_ms=now_ms,
        )
        targets = (target for gateway in served.values() for target in gateway.targets)
        self._counting, self.told = count(
            self._counting,
            readings,
            {target.name: f"{target.provider}/{target.endpoint}" for target in targets},
            gateways=[place.name for place in places],
        )
        before, self.began_ms = self._said(), began_ms
        self._refused = refused(self._refused, readings, [place.name for place in places], now_ms)
        self.counted = counted(
            self.counted, {one.gateway: one.counts for one in readings}, [place.name for place in places], now_ms
        )
        self.failing = traffic.failing(self.evidence, served, now_ms=now_ms, records=records)
        return before != self._said()

    def _said(self) -> object:
        return self.failing, self.overloaded, self.counted.open_since_ms

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)
