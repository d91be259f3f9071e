"""Drains in a cluster: annotations that people write, which end by themselves. The operator only reads them.

An endpoint's stands on its ModelProvider, a region's on a ConfigMap that the chart makes for nothing else: whoever is
on call needs no right to rewrite the installation then, and neither an edit of Git's nor an upgrade touches it. The
annotation is `drain.fairlead.dev/<endpoint or region>`, its value `[BEGAN/]UNTIL[ over DURATION]`, times by
RFC 3339: `2026-03-01T10:00:00Z/2026-03-01T10:30:00Z over 5m`.

Nobody has to take one away: what lies in the past has no effect, also for an operator that was away when it ended.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fairlead.adapters.clock import Clock
from fairlead.adapters.kube import Kube
from fairlead.api.quantity import milliseconds, unix_seconds
from fairlead.controller import load
from fairlead.errors import ClusterError
from fairlead.health.endpoint import State
from fairlead.health.region import DrainKind, DrainOrder

Object = Mapping[str, Any]

CONFIG_MAP = "fairlead-drains"
"""In the installation's namespace, made by the chart: regions' annotations; `data.regions` has the names there are."""
PREFIX = "drain.fairlead.dev/"
LONGEST_MS = 7 * 24 * 3_600_000
"""How far from now a drain may end: one that is mistyped does not last for ever."""
_EVERY_S = 0.2
_WANT = "[BEGAN/]UNTIL[ over DURATION], such as `2026-03-01T10:00:00Z/2026-03-01T10:30:00Z over 5m`"
_FORM = re.compile(r"(?:(?P<began>[^/ ]{1,40})/)?(?P<until>[^/ ]{1,40})(?: over (?P<over>[0-9hms]{2,24}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """An annotation without effect."""

    subject: Object
    """The object that has it."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drains:
    """What annotations ask for."""

    orders: tuple[DrainOrder, ...] = ()
    """Sorted by kind and name; those that have ended are among them."""
    mistakes: tuple[Mistake, ...] = ()


def read(providers: Iterable[Object], regions: Object | None, *, known_regions: Collection[str], now_ms: int) -> Drains:
    """Read what the installation's ModelProviders say, and the ConfigMap of drained regions; None: it is not there."""
    orders: list[DrainOrder] = []
    mistakes: list[Mistake] = []
    of_regions = [(regions, DrainKind.REGION, "", frozenset(known_regions))] if regions is not None else []
    of_endpoints = [
        (one, DrainKind.ENDPOINT, f"{one['metadata']['name']}/", frozenset(_endpoints(one))) for one in providers
    ]
    for subject, kind, prefix, names in (*of_endpoints, *of_regions):
        for name, value in sorted(_annotations(subject).items()):
            try:
                orders.append(_order(kind, prefix, name, value, names=names, now_ms=now_ms))
            except ValueError as error:
                mistakes.append(Mistake(subject=subject, message=f"annotation {PREFIX}{name}: {error}"))
    return Drains(orders=tuple(sorted(orders, key=lambda one: (one.kind, one.name))), mistakes=tuple(mistakes))


def _order(kind: DrainKind, prefix: str, name: str, value: str, *, names: Collection[str], now_ms: int) -> DrainOrder:
    """Raise `ValueError`, which says what was got and what is wanted, for an annotation that cannot be followed."""
    if name not in names:
        known = ", ".join(sorted(names)) or "none"
        raise ValueError(f"got no {kind.value.lower()} of this name, want one of: {known}")
    found = _FORM.fullmatch(value)
    if found is None:
        raise ValueError(f"got {value[:100]!r}, want {_WANT}")
    try:
        until_ms = unix_seconds(found["until"]) * 1000
        began_ms = unix_seconds(found["began"]) * 1000 if found["began"] else 0
        over_ms = milliseconds(found["over"]) if found["over"] else 0
    except (ValueError, OverflowError):
        raise ValueError(f"got {value[:100]!r}, want {_WANT}") from None
    if over_ms and not found["began"]:
        raise ValueError("got `over` without a beginning, want BEGAN/UNTIL over DURATION")
    if until_ms > now_ms + LONGEST_MS:
        raise ValueError(f"got an end at {found['until']}, want one within seven days")
    return DrainOrder(kind=kind, name=f"{prefix}{name}", began_ms=began_ms, until_ms=until_ms, over_ms=over_ms)


def _annotations(found: Object) -> Mapping[str, str]:
    """Return what is asked for by name: an endpoint's or a region's."""
    written = found["metadata"].get("annotations") or {}
    return {name.removeprefix(PREFIX): str(value) for name, value in written.items() if name.startswith(PREFIX)}


def _endpoints(provider: Object) -> Iterable[str]:
    """Name the endpoints of a provider, which may not be well-formed."""
    endpoints = (provider.get("spec") or {}).get("endpoints")
    found = endpoints if isinstance(endpoints, list) else ()
    return [str(one["name"]) for one in found if isinstance(one, Mapping) and "name" in one]


def rotation(
    served: Collection[str], drained: Collection[str], *, known_regions: Collection[str], serves_when_all_drained: bool
) -> Mapping[str, bool]:
    """Say of each served region whether clients are sent to its gateways: not while it is drained.

    With every region of the installation drained, to all: there is nobody to go to. With every served one drained, and
    others elsewhere that are not, it is `serves_when_all_drained` that decides.
    """
    nowhere = frozenset(drained).issuperset(known_regions)
    stays = nowhere or (serves_when_all_drained and frozenset(drained).issuperset(served))
    return {region: stays or region not in drained for region in served}


# As a person


async def drain(kube: Kube, namespace: str, order: DrainOrder) -> None:
    """Write what an order says; raises `ClusterError`, also when what is to be drained is not there."""
    value = f"{rfc3339(order.began_ms)}/{rfc3339(order.until_ms)}{_over(order.over_ms)}"
    await _write(kube, namespace, order.kind, order.name, value)


async def undo(kube: Kube, namespace: str, kind: DrainKind, name: str) -> None:
    """Take an order away; raises `ClusterError`. What is not drained is well."""
    await _write(kube, namespace, kind, name, None)


async def standing(kube: Kube, namespace: str, *, now_ms: int) -> tuple[DrainOrder, ...]:
    """Return the orders that have not ended; raises `ClusterError`."""
    regions = await kube.get("ConfigMap", namespace=namespace, name=CONFIG_MAP)
    providers = await kube.list("ModelProvider", namespace=namespace)
    found = read(providers, regions, known_regions=regions_of(regions), now_ms=now_ms)
    return tuple(one for one in found.orders if one.until_ms > now_ms)


async def check_region(kube: Kube, namespace: str, name: str) -> None:
    """Raise `ClusterError` for a region that is not there: nobody would be drained by it."""
    known = regions_of(await kube.get("ConfigMap", namespace=namespace, name=CONFIG_MAP))
    if name not in known:
        raise ClusterError(f"region {name} is not there, want one of: {', '.join(known) or 'none'}")


def regions_of(found: Object | None) -> tuple[str, ...]:
    """Return the regions that may be drained, as the chart has written them."""
    return tuple(str(((found or {}).get("data") or {}).get("regions", "")).split())


async def in_effect(
    kube: Kube, clock: Clock, namespace: str, kind: DrainKind, name: str, *, drained: bool, within_s: float
) -> bool:
    """Wait until the operator says that it is so; raises `ClusterError`."""
    deadline = clock.monotonic() + within_s
    while True:
        if await _is_drained(kube, namespace, kind, name) is drained:
            return True
        if clock.monotonic() >= deadline:
            return False
        await clock.sleep(_EVERY_S)


async def _is_drained(kube: Kube, namespace: str, kind: DrainKind, name: str) -> bool:
    if kind is DrainKind.REGION:
        return name in (await load.read(kube, namespace)).drained
    provider, _, endpoint = name.partition("/")
    found = await kube.get("ModelProvider", namespace=namespace, name=provider) or {}
    states = (found.get("status") or {}).get("endpoints") or ()
    return any(one["name"] == endpoint and one["state"] == State.DRAINED for one in states)


async def _write(kube: Kube, namespace: str, kind: DrainKind, name: str, value: str | None) -> None:
    provider, _, endpoint = name.partition("/")
    of_endpoint = kind is DrainKind.ENDPOINT
    where = ("ModelProvider", provider) if of_endpoint else ("ConfigMap", CONFIG_MAP)
    patch = {"metadata": {"annotations": {f"{PREFIX}{endpoint if of_endpoint else name}": value}}}
    if await kube.merge(where[0], namespace=namespace, name=where[1], patch=patch) is None:
        instead = f"want one of `kubectl get mp -n {namespace}`" if of_endpoint else "upgrade the chart, which makes it"
        raise ClusterError(f"{where[0]} {namespace}/{where[1]} is not there, {instead}")


def rfc3339(at_ms: int) -> str:
    """Write a moment, in whole seconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _over(over_ms: int) -> str:
    return f" over {over_ms // 1000}s" if over_ms else ""


def lasting(clock: Clock, *, for_ms: int) -> tuple[int, int]:
    """Return when an order begins that is given now, and when it ends; whole seconds, as annotations have them."""
    began = clock.now().replace(microsecond=0)
    return int(began.timestamp() * 1000), int((began + timedelta(milliseconds=for_ms)).timestamp() * 1000)
