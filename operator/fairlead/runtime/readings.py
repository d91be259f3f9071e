"""Reads from running gateways what traffic told them: attempts by outcome, ejections, names that lead nowhere."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fairlead import ir
from fairlead.adapters.exposition import samples
from fairlead.adapters.gateway_metrics import GatewayMetrics
from fairlead.envoy import names
from fairlead.errors import EnvoyError
from fairlead.health import attempts
from fairlead.health.counted import RouteCounts
from fairlead.health.standing import Reading
from fairlead.runtime.parallel import each
from fairlead.runtime.unread import Unread

_OVERFLOW = (503, "-")
"""What a full bulkhead answers is what its provider may answer, too: it is no evidence. A provider that does so is
ejected behind its bulkhead, and that is."""
AT_ONCE = 16
"""Gateways that are read at the same time."""
_ATTEMPTS, _BROKEN = "envoy_fairlead_attempt_total", "envoy_fairlead_attempt_broken"
_FIRST_BYTES = "envoy_fairlead_attempt_first_byte_ms_bucket"
_ABOVE_ALL, _LAST = "+Inf", 2**31
_EJECTED = "envoy_cluster_outlier_detection_ejections_active"
_HOSTS = "envoy_cluster_membership_total"
_REFUSED = {
    "envoy_http_downstream_rq_overload_close",
    "envoy_http_adaptive_concurrency_gradient_controller_rq_blocked",
    "envoy_listener_downstream_global_cx_overflow",
}
_CLASSIFIED, _CACHED = "envoy_fairlead_classified_requests", "envoy_fairlead_cache_requests"
_SAVED = {f"envoy_fairlead_cache_{kind}_tokens": kind for kind in ("prompt", "completion", "cached")}
_MANAGER, _OURS = "envoy_http_conn_manager_prefix", ("fairlead", None)
"""Whose: the data listener's connection manager; connections have no such label."""
ONLY = r"^fairlead_attempt\.|\.outlier_detection\.ejections_active$|^cluster\..*\.membership_total$"
ONLY += r"|^fairlead_(cache|classified)\."
ONLY += r"|\.downstream_rq_overload_close$|\.gradient_controller\.rq_blocked$|\.downstream_global_cx_overflow$"
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
    targets = tuple(targets)
    by_cluster = {
        names.cluster(target.name) if target.max_in_flight is None else names.limited_cluster(target.name): target.name
        for target in targets
    }
    known = set(by_cluster.values())
    bounded = {target.name for target in targets if target.max_in_flight is not None}
    totals: dict[str, dict[tuple[int, str], int]] = {}
    ejected, nameless = set(), set()
    upto: dict[str, dict[int, int]] = {}
    for sample in samples(text, {_ATTEMPTS, _BROKEN, _FIRST_BYTES, _EJECTED, _HOSTS}):
        if sample.name == _ATTEMPTS:
            target, code = sample.labels.get("target", ""), sample.labels.get("code", "")
            outcome = int(code) if code.isdecimal() else -1, sample.labels.get("flags", "-")
            if target in known and code.isdecimal() and not (target in bounded and outcome == _OVERFLOW):
                counts = totals.setdefault(target, {})
                counts[outcome] = counts.get(outcome, 0) + sample.value  # summed over arms
        elif sample.name == _BROKEN:
            target = sample.labels.get("target", "")
            if target in known:
                counts = totals.setdefault(target, {})
                counts[attempts.BROKEN] = counts.get(attempts.BROKEN, 0) + sample.value
        elif sample.name == _FIRST_BYTES:
            target, bound = sample.labels.get("target", ""), sample.labels.get("le", "")
            if target in known and (bound == _ABOVE_ALL or bound.isdecimal()):
                buckets, at = upto.setdefault(target, {}), _LAST if bound == _ABOVE_ALL else int(bound)
                buckets[at] = buckets.get(at, 0) + sample.value  # summed over arms
        elif (target := by_cluster.get(sample.labels.get("envoy_cluster_name", ""), "")) and sample.name == _EJECTED:
            ejected |= {target} if sample.value else set()
        elif target:
            nameless |= set() if sample.value else {target}
    return Reading(
        gateway=place.name,
        region=place.region,
        totals=totals,
        first_bytes={target: found for target, buckets in upto.items() if (found := _each(buckets))},
        ejected=frozenset(ejected),
        nameless=frozenset(nameless),
        refused=sum(one.value for one in samples(text, _REFUSED) if one.labels.get(_MANAGER) in _OURS),
        counts=_counts(text),
    )


def _counts(text: str) -> RouteCounts:
    """Take apart what a gateway counted of classifiers and of kept answers."""
    classified: dict[tuple[str, str], int] = {}
    cached: dict[tuple[str, str], int] = {}
    saved: dict[tuple[str, str, str], int] = {}
    for one in samples(text, {_CLASSIFIED, _CACHED, *_SAVED}):
        route = one.labels.get("route", "")
        if one.name == _CLASSIFIED:
            how = route, one.labels.get("reason", "")
            classified[how] = classified.get(how, 0) + one.value  # summed over categories
        elif one.name == _CACHED:
            cached[route, one.labels.get("outcome", "")] = one.value
        else:
            saved[route, one.labels.get("target", ""), _SAVED[one.name]] = one.value
    return RouteCounts(classified=classified, cached=cached, saved=saved)


def _each(upto: Mapping[int, int]) -> dict[int, int]:
    """Let each bucket of a cumulative histogram count for itself; what is above all bounds counts at the last."""
    found: dict[int, int] = {}
    below, last = 0, 0
    for bound, count in sorted(upto.items()):
        last = last if bound == _LAST else bound
        if count > below:
            found[last] = found.get(last, 0) + count - below
            below = count
    return found
