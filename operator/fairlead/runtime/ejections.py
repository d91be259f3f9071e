"""Which targets gateways leave out at this moment, each by what it saw itself."""

from collections.abc import Iterable
from dataclasses import dataclass

from fairlead.adapters.exposition import samples
from fairlead.adapters.gateway_metrics import GatewayMetrics
from fairlead.envoy import names
from fairlead.errors import EnvoyError
from fairlead.runtime.parallel import each

AT_ONCE = 8
_SERIES = "envoy_cluster_outlier_detection_ejections_active"
_ONLY = r"\.outlier_detection\.ejections_active$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ejections:
    """What the gateways of a region said."""

    targets: frozenset[str] = frozenset()
    """Those that one of them leaves out, by name."""
    problems: tuple[str, ...] = ()
    """Why some could not be asked."""
    answered: bool = False
    """Whether one of them was asked."""


async def ejections(metrics: GatewayMetrics, gateways: Iterable[str]) -> Ejections:
    """Ask gateways, each at the address that `metrics` reads."""

    async def one(address: str) -> frozenset[str] | EnvoyError:
        try:
            return told(await metrics.read(address, only=_ONLY))
        except EnvoyError as error:
            return error

    answers = await each(tuple(gateways), one, at_once=AT_ONCE)
    targets = [one for one in answers if isinstance(one, frozenset)]
    return Ejections(
        targets=frozenset().union(*targets),
        problems=tuple(str(one) for one in answers if isinstance(one, EnvoyError)),
        answered=bool(targets),
    )


def told(text: str) -> frozenset[str]:
    """Read the targets that are left out, out of what a gateway shows."""
    left_out = (one.labels.get("envoy_cluster_name", "") for one in samples(text, {_SERIES}) if one.value)
    return frozenset(target for cluster in left_out if (target := names.target_of(cluster)))
