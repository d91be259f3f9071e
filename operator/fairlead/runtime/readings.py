"""Reads from running gateways what traffic told them: attempts by outcome, ejections, names that lead nowhere."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fairlead import ir
from fairlead.adapters.exposition import samples
from fairlead.adapters.gateway_metrics import GatewayMetrics
from fairlead.envoy import names
from fairlead.errors import EnvoyError
from fairlead.health.standing import Reading
from fairlead.runtime.parallel import each
from fairlead.runtime.unread import Unread

AT_ONCE = 16
"""Gateways that are read at the same time."""
_ATTEMPTS = "envoy_fairlead_attempt_total"
_EJECTED = "envoy_cluster_outlier_detection_ejections_active"
_HOSTS = "envoy_cluster_membership_total"
ONLY = r"^fairlead_attempt\.|\.outlier_detection\.ejections_active$|^cluster\..*\.membership_total$"
"""The same, as Envoy names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPlace:
    """One gateway process and where it shows its metrics."""

    name: str
    """Unique among all processes that run."""
    region: str
    address: str
    """`host:port`."""


async def read_all(
    metrics: GatewayMetrics, places: Sequence[GatewayPlace], served: Mapping[str, ir.Gateway], unread: Unread
) -> tuple[Reading, ...]:
    """Read the gateways of regions that are `served`; one that cannot be read is left out, and noted.

    No data is no bad data.
    """
    problems: dict[str, str] = {}

    async def one(place: GatewayPlace) -> Reading | None:
        try:
            text = await metrics.read(place.address, only=ONLY)
        except EnvoyError as error:
            problems[place.name] = str(error)
            return None
        return reading(text, place, served[place.region].targets)

    found = await each([place for place in places if place.region in served], one, at_once=AT_ONCE)
    unread.note(problems)
    return tuple(one for one in found if one is not None)


def reading(text: str, place: GatewayPlace, targets: Iterable[ir.Target]) -> Reading:
    """Take apart what one gateway shows; of targets only."""
    by_cluster = {
        names.cluster(target.name) if target.max_in_flight is None else names.limited_cluster(target.name): target.name
        for target in targets
    }
    known = set(by_cluster.values())
    totals: dict[str, dict[tuple[int, str], int]] = {}
    ejected, nameless = set(), set()
    for sample in samples(text, {_ATTEMPTS, _EJECTED, _HOSTS}):
        if sample.name == _ATTEMPTS:
            target, code = sample.labels.get("target", ""), sample.labels.get("code", "")
            if target in known and code.isdecimal():
                outcome = int(code), sample.labels.get("flags", "-")
                counts = totals.setdefault(target, {})
                counts[outcome] = counts.get(outcome, 0) + sample.value  # summed over arms
        elif (target := by_cluster.get(sample.labels.get("envoy_cluster_name", ""), "")) and sample.name == _EJECTED:
            ejected |= {target} if sample.value else set()
        elif target:
            nameless |= set() if sample.value else {target}
    return Reading(
        gateway=place.name,
        region=place.region,
        totals=totals,
        ejected=frozenset(ejected),
        nameless=frozenset(nameless),
    )
