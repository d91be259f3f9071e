"""Says what real traffic told the gateways of `fairlead up`: events `failing` and `recovered`."""

from collections.abc import Callable, Mapping

from structlog.typing import FilteringBoundLogger

from fairlead import ir
from fairlead.adapters.clock import Clock
from fairlead.adapters.gateway_metrics import HttpGatewayMetrics
from fairlead.runtime.readings import GatewayPlace
from fairlead.runtime.snapshot import fingerprint
from fairlead.runtime.traffic import EVERY_S, TrafficView
from fairlead.runtime.unread import Unread
from fairlead.standalone.addresses import Addresses, shown
from fairlead.standalone.gateways import LocalGateway
from fairlead.status import Failing, traffic


class LocalTraffic:
    """What the local gateways' traffic told."""

    def __init__(self, clock: Clock, log: FilteringBoundLogger) -> None:
        self._clock, self._log = clock, log
        self.view = TrafficView(clock, Unread(log))

    async def watch(
        self, regions: Mapping[str, LocalGateway], addresses: Mapping[str, Addresses], changed: Callable[[], None]
    ) -> None:
        """Look again and again; `changed` is called when `status` has something else to say. Ends with its task."""
        places = [
            GatewayPlace(name=name, region=name, address=shown(address.metrics)) for name, address in addresses.items()
        ]
        async with HttpGatewayMetrics() as metrics:
            while True:
                before = self.view.failing
                if await self.view.look(metrics, places, _served(regions), _credentials(regions)):
                    self._tell(before)
                    changed()
                await self._clock.sleep(EVERY_S)

    def _tell(self, before: tuple[Failing, ...]) -> None:
        began, ended = traffic.news(before, self.view.failing)
        for one in began:
            self._log.error(
                "failing",
                what=f"{one.subject}: {one.message}",
                endpoint=f"{one.provider}/{one.endpoint}",
                reason=one.failure.value,
                seen_by=",".join(one.regions),
            )
        for one in ended:
            endpoint = f"{one.provider}/{one.endpoint}"
            how = "answers again" if self._is_well(one) else "is another than before, and nobody has asked it yet"
            self._log.info("recovered", what=f"{one.subject} {how}", endpoint=endpoint)

    def _is_well(self, ended: Failing) -> bool:
        standings = self.view.evidence.standings.items()
        return any(target in ended.targets and standing.well_ms is not None for (_, target), standing in standings)


def _served(regions: Mapping[str, LocalGateway]) -> dict[str, ir.Gateway]:
    return {name: region.serving.gateway for name, region in regions.items() if region.serving is not None}


def _credentials(regions: Mapping[str, LocalGateway]) -> dict[str, str]:
    return {
        f"{secret}/{key}": fingerprint(value)
        for region in regions.values()
        if region.serving is not None
        for (secret, key), value in region.serving.credentials.items()
    }
