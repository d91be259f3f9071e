"""What has to be known before a drain: what endpoints carry and can carry, and who stands in for whom.

The operator writes it beside the memory of health, at most once a minute; `fairlead drain` reads it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.adapters.kube import Kube
from fairlead.compiler import CompiledGateway, DeclaredEndpoint
from fairlead.errors import ClusterError, StateError
from fairlead.health.capacity import Carrier
from fairlead.health.endpoint import EndpointHealth, State
from fairlead.health.fleet import Fleet
from fairlead.runtime import saved
from fairlead.status import counted

CONFIG_MAP, FILE = "fairlead-health", "load.json"
_MOST_LADDERS = 2_000
"""So many different ones are written down; a catalogue of many models has few."""
_STANDING = (State.DOWN, State.DRAINED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """All of it."""

    carriers: tuple[Carrier, ...] = ()
    """The endpoints that routes use."""
    regions: Mapping[str, str] = field(default_factory=dict)
    """Where each endpoint is, used or not; empty for an anycast one."""
    ladders: tuple[tuple[str, ...], ...] = ()
    """Different ones of all routes and gateways, by endpoints, in the order of attempts."""
    drained: frozenset[str] = frozenset()
    """Regions that clients are to leave now."""
    percents: Mapping[str, int] = field(default_factory=dict)
    """By region, how much the fullest file of its gateways takes of what it may."""
    overloaded: frozenset[str] = frozenset()
    """Regions whose gateways refuse requests for lack of room."""
    caches: tuple[counted.Cache, ...] = ()
    classifiers: tuple[counted.Classifier, ...] = ()
    """What gateways counted of each route that has one: as `status.counted` describes them."""


def load(
    declared: Collection[DeclaredEndpoint],
    gateways: Iterable[CompiledGateway],
    fleet: Fleet,
    *,
    carried: Mapping[str, int],
    drained: Collection[str],
    overloaded: Collection[str] = (),
    caches: Iterable[counted.Cache] = (),
    classifiers: Iterable[counted.Classifier] = (),
) -> Load:
    """Put it together from what was compiled and what was observed."""
    gateways = tuple(gateways)
    found = (
        tuple(dict.fromkeys("/".join(target.split("/", 2)[:2]) for target in share.targets))
        for gateway in gateways
        for route in gateway.routes
        for answer in route.answers
        for share in answer.ladders
    )
    return Load(
        carriers=tuple(
            Carrier(
                name=one.name,
                carried=carried.get(one.name, 0),
                capacity=one.capacity.requests,
                takes=fleet.endpoints.get(one.name, EndpointHealth()).state not in _STANDING,
                state=fleet.endpoints.get(one.name, EndpointHealth()).state.value,
            )
            for one in declared
            if one.health.used
        ),
        regions={one.name: one.health.region for one in declared},
        ladders=tuple(sorted(set(found))[:_MOST_LADDERS]),
        drained=frozenset(drained),
        percents={one.ir.region: one.fullness[0] for one in gateways if one.fullness[1]},
        overloaded=frozenset(overloaded),
        caches=tuple(caches),
        classifiers=tuple(classifiers),
    )


def encode(found: Load) -> Mapping[str, Any]:
    """Write it down; of JSON's types only."""
    return {
        "carriers": {
            one.name: {
                "requestsPerMinute": one.carried,
                "capacity": one.capacity,
                "takes": one.takes,
                "state": one.state,
            }
            for one in found.carriers
        },
        "regions": dict(found.regions),
        "ladders": [list(ladder) for ladder in found.ladders],
        "drained": sorted(found.drained),
        "percents": dict(found.percents),
        "overloaded": sorted(found.overloaded),
        "caches": list(found.caches),
        "classifiers": list(found.classifiers),
    }


def decode(document: Any) -> Load:
    """Read what `encode` wrote; raises what `saved` takes for damage."""
    return Load(
        carriers=tuple(
            Carrier(
                name=name,
                carried=int(one["requestsPerMinute"]),
                capacity=None if one["capacity"] is None else int(one["capacity"]),
                takes=bool(one["takes"]),
                state=str(one.get("state", "")),
            )
            for name, one in document["carriers"].items()
        ),
        regions={name: str(region) for name, region in document["regions"].items()},
        ladders=tuple(tuple(map(str, ladder)) for ladder in document["ladders"]),
        drained=frozenset(map(str, document["drained"])),
        percents={name: int(percent) for name, percent in document.get("percents", {}).items()},
        overloaded=frozenset(map(str, document.get("overloaded", ()))),
        caches=tuple(counted.CACHES.validate_python(document.get("caches", []))),
        classifiers=tuple(counted.CLASSIFIERS.validate_python(document.get("classifiers", []))),
    )


async def read(kube: Kube, namespace: str) -> Load:
    """Read what the operator wrote last; raises `ClusterError`, also where it has written nothing that can be read."""
    found = await kube.get("ConfigMap", namespace=namespace, name=CONFIG_MAP)
    written = ((found or {}).get("data") or {}).get(FILE)
    if not isinstance(written, str):
        raise ClusterError(f"ConfigMap {namespace}/{CONFIG_MAP} has no `{FILE}`: does an operator run there?")
    try:
        return saved.decoded(written.encode(), decode, f"ConfigMap {namespace}/{CONFIG_MAP}, `{FILE}`")
    except StateError as error:
        raise ClusterError(str(error)) from error
