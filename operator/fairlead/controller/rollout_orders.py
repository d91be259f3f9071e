"""What people ask of rollouts in a cluster: an annotation of the ModelRoute, which the operator only reads.

`fairlead.dev/rollout: "<act> <mark>"`, such as `promote 2026-03-01T10:00:00Z`. An order is carried out once, whatever
stands there afterwards: the mark, any word that is another each time, tells one from the next of the same kind. Nobody
has to take it away, and spec is untouched.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.adapters.clock import Clock
from fairlead.adapters.kube import Kube, NotFoundError
from fairlead.errors import ClusterError
from fairlead.rollout.observation import Act, Order
from fairlead.status import rollout_state

Object = Mapping[str, Any]
Json = dict[str, Any]

ANNOTATION = "fairlead.dev/rollout"
_EVERY_S = 0.2
_LONGEST_SHOWN = 100
_ACTS = "|".join(Act)
_FORM = re.compile(rf"({_ACTS}) ([^\s]{{1,100}})")
_WANT = f"want one of {', '.join(Act)} and a word that is another each time, such as `promote 2026-03-01T10:00:00Z`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What annotations ask for, by route, `namespace/name`."""

    orders: Mapping[str, Order] = field(default_factory=dict)
    mistakes: Mapping[str, str] = field(default_factory=dict)
    """Why an annotation cannot be followed."""


def read(routes: Iterable[Object]) -> Orders:
    """Read what ModelRoutes say."""
    orders: dict[str, Order] = {}
    mistakes: dict[str, str] = {}
    for one in routes:
        value = (one["metadata"].get("annotations") or {}).get(ANNOTATION)
        if value is None:
            continue
        found = _FORM.fullmatch(str(value).strip())
        if found is None:
            shown = str(value)[:_LONGEST_SHOWN]
            mistakes[route_of(one)] = f"annotation `{ANNOTATION}`: got {shown!r}, {_WANT}"
        else:
            orders[route_of(one)] = Order(act=Act(found[1]), mark=found[0])
    return Orders(orders=orders, mistakes=mistakes)


def route_of(found: Object) -> str:
    """Name a ModelRoute, `namespace/name`."""
    return f"{found['metadata']['namespace']}/{found['metadata']['name']}"


# As a person


async def documents(kube: Kube, *, route: str | None, namespace: str | None) -> list[Json]:
    """Return what the operator last said of one route, or of all that have a rollout, of a namespace or of all.

    Raises:
        ClusterError: it cannot be read; a route that is named is not there, or has no rollout.

    """
    if route is None:
        found = await kube.list("ModelRoute", namespace=namespace)
        return [document for one in found if (document := _document(one)) is not None]
    return [_known(await _get(kube, route), route)]


async def give(kube: Kube, clock: Clock, route: str, act: Act, mark: str, *, within_s: float) -> Json | None:
    """Ask for something, and wait until it is answered and its traffic has moved; None where it is not in time.

    Raises:
        ClusterError: it cannot be asked: the route is not there, has no rollout, or may not be annotated.

    """
    namespace, _, name = route.partition("/")
    _known(await _get(kube, route), route)
    order = f"{act} {mark}"
    patch = {"metadata": {"annotations": {ANNOTATION: order}}}
    if await kube.merge("ModelRoute", namespace=namespace, name=name, patch=patch) is None:
        raise ClusterError(_absent(route))
    deadline = clock.monotonic() + within_s
    while clock.monotonic() < deadline:
        document = _known(await _get(kube, route), route)
        if document["order"] == order:
            return document
        await clock.sleep(_EVERY_S)
    return None


async def _get(kube: Kube, route: str) -> Object | None:
    namespace, _, name = route.partition("/")
    try:
        return await kube.get("ModelRoute", namespace=namespace, name=name)
    except NotFoundError as error:
        raise ClusterError(f"{error}; this cluster has no CRDs of Fairlead: install the chart") from error


def _known(found: Object | None, route: str) -> Json:
    if found is None:
        raise ClusterError(_absent(route))
    document = _document(found)
    if document is None:
        raise ClusterError(
            f"ModelRoute {route} has no rollout and nothing to go back to, or no operator has judged it yet"
        )
    return document


def _document(found: Object) -> Json | None:
    said = (found.get("status") or {}).get("rollout")
    return None if said is None else rollout_state.shown(route_of(found), said)


def _absent(route: str) -> str:
    return f"ModelRoute {route} is not there, want one of `kubectl get mr -A`"
