"""What several clusters serve, side by side, for `fairlead status --context a,b`: each as `overview` describes it.

Clusters know nothing of each other: each steers its own rollouts and health, and whoever compares them is here.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from fairlead.controller import overview
from fairlead.errors import FairleadError
from fairlead.status import is_ill

Json = dict[str, Any]
NOTHING = "-"
"""Stands where a cluster has nothing to say of a route."""


def describe(found: Mapping[str, Json | FairleadError]) -> Json:
    """Describe clusters by their contexts: `error` says why one told nothing, else it is empty."""
    return {
        "clusters": [
            {"context": context, "error": str(one)}
            if isinstance(one, FairleadError)
            else {"context": context, "error": "", **one}
            for context, one in found.items()
        ]
    }


def is_wrong(described: Json) -> bool:
    """Tell whether anything wants a look: a cluster that told nothing, or something in one of them."""
    return any(one["error"] or overview.is_wrong(one) for one in described["clusters"])


def lines(described: Json) -> list[str]:
    """Write a description for a person: a row for each cluster, then one for each route, then what is wrong."""
    clusters = described["clusters"]
    told = [one for one in clusters if not one["error"]]
    written = _table([["cluster", "regions", "objects ready", "endpoints"], *map(_summary, clusters)])
    if routes := _routes(told):
        head = ["route", *(one["context"] for one in told)]
        written += ["", *_table([head, *([route, *cells] for route, cells in routes.items())])]
    for one in told:
        if overview.is_wrong(one):
            written += ["", one["context"], *(f"  {line}".rstrip() for line in overview.unwell(one))]
    return written


def _summary(cluster: Json) -> list[str]:
    if cluster["error"]:
        return [cluster["context"], f"tells nothing: {cluster['error']}"]
    objects, endpoints = cluster["objects"], [one for one in cluster["endpoints"] if one["used"]]
    ready, ill = sum(one["ready"] for one in objects), sum(map(is_ill, endpoints))
    return [
        cluster["context"],
        ", ".join(one["name"] for one in cluster["regions"]) or NOTHING,
        f"{ready} of {len(objects)}",
        f"{ill} of {len(endpoints)} not whole" if ill else f"{len(endpoints)} well",
    ]


def _routes(clusters: Sequence[Json]) -> dict[str, list[str]]:
    """Say of each route, cluster by cluster, where its requests go first, and how its rollout stands there."""
    first = [_first_rungs(one) for one in clusters]
    rolling = [{one["route"]: overview.rollout_line(one) for one in cluster["rollouts"]} for cluster in clusters]
    return {
        route: [
            "; ".join(filter(None, (", ".join(rungs.get(route, ())), said.get(route)))) or NOTHING
            for rungs, said in zip(first, rolling, strict=True)
        ]
        for route in sorted({*chain.from_iterable(first)})
    }


def _first_rungs(cluster: Json) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for region in cluster["regions"]:
        for route in region["routes"]:
            known = found.setdefault(route["name"], [])
            known += [rung for rung in route["ladder"][:1] if rung not in known]
    return found


def _table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Write rows as columns of one width each; the last cell of a row may be longer, and rows may end early."""
    cells = list(rows)
    widths = [max((len(row[at]) for row in cells if at < len(row) - 1), default=0) for at in range(len(cells[0]))]
    return ["  ".join([*map(str.ljust, row[:-1], widths), row[-1]]) for row in cells]
