"""Where a page's picture comes from: a `fairlead up`, or a cluster."""

from collections.abc import Mapping
from typing import Protocol

from fairlead.adapters.gateway_metrics import GatewayMetrics
from fairlead.budget.price import Price
from fairlead.console.picture import Picture


class Source(Protocol):
    """What is looked at. Nothing is ever written."""

    async def look(self) -> Picture:
        """Return the picture of the moment. Raises `FairleadError` when nobody can be asked."""

    async def gateways(self) -> Mapping[str, tuple[str, ...]]:
        """Return where each region's gateways show their metrics, as `metrics` reads them."""

    async def prices(self) -> Mapping[str, Price]:
        """Return what targets cost; empty where nobody says."""

    @property
    def metrics(self) -> GatewayMetrics:
        """What reads them."""
