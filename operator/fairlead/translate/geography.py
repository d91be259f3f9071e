"""Where things stand: regions, geos, how far an endpoint is from a gateway, and what residency lets it serve."""

from collections.abc import Iterable

from fairlead.api.installation import Region
from fairlead.api.route import Residency

ANYCAST = ""
"""The region of an endpoint that has none: it answers from wherever its owner likes."""


class Geography:
    """The regions of an installation, in its order."""

    def __init__(self, regions: Iterable[Region]) -> None:
        self.regions = tuple(regions)
        self._by_name = {region.name: (order, region) for order, region in enumerate(self.regions)}

    def __contains__(self, region: str) -> bool:
        return region in self._by_name

    def names(self) -> tuple[str, ...]:
        """Names of all regions, in the installation's order."""
        return tuple(region.name for region in self.regions)

    def distance(self, gateway: str, endpoint: str) -> tuple[int, int]:
        """Sort key of an endpoint's region on ladders of a gateway; endpoints of equal distance are a spread.

        The gateway's own region, then anycast, then the same geo, then the rest, both in the order of the installation
        (DESIGN section 3). Both regions are known ones, or the endpoint's is `ANYCAST`.
        """
        if endpoint == gateway:
            return 0, 0
        if endpoint == ANYCAST:
            return 1, 0
        order, region = self._by_name[endpoint]
        same_geo = region.geo == self._by_name[gateway][1].geo
        return (2 if same_geo else 3), order

    def allows(self, residency: Residency, gateway: str, endpoint: str) -> bool:
        """Tell whether an endpoint's region is within the residency; nobody knows where an anycast endpoint answers."""
        if residency is Residency.ANY:
            return True
        if endpoint == ANYCAST:
            return False
        if residency is Residency.REGION:
            return endpoint == gateway
        return self._by_name[endpoint][1].geo == self._by_name[gateway][1].geo
