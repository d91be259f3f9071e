"""`fairlead status`."""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from fairlead.adapters import budget_server, lock
from fairlead.adapters.clock import SystemClock
from fairlead.adapters.envoy_admin import ClusterHealth, EnvoyAdmin
from fairlead.budget import cached
from fairlead.cli import cluster, options, watching
from fairlead.cli.watching import View
from fairlead.errors import BudgetServerError, EnvoyError, StateError
from fairlead.standalone import budget_health, status
from fairlead.standalone.state import StateFolder
from fairlead.standalone.status_document import Region, counts
from fairlead.status import counted, ill_lines, is_ill

Json = dict[str, Any]
SHOWN_NAMES = 6
SHOWN_DIGEST = 12
CLUSTER_S = 15.0
"""How long one of several clusters may take to answer; the others do not wait longer for it."""


@click.command()
@options.config(required=False)
@options.state
@cluster.contexts
@cluster.namespace
@watching.option
@options.output
def command(
    *,
    config: Path | None,
    state: Path | None,
    context: str | None,
    namespace: str | None,
    all_namespaces: bool,
    watch: bool,
    output: str,
) -> None:
    """Show what each region serves.

    With CONFIG, the state folder or `.fairlead` in this folder, of a running `fairlead up`: names, ladders, health of
    targets, digest, addresses. Else of the cluster that KUBECONFIG names: where attempts of each route go, and what is
    wrong with objects; with --context a,b, of several clusters, side by side. Exit code 1 when
    `fairlead up` does not run there, or when anything is wrong: budgets that nobody enforces, too.
    """
    del all_namespaces  # the default
    folder = cluster.place(config, state)
    contexts = cluster.several(context)

    def look() -> View:
        if folder is not None:
            return _local(folder, output)
        return _clusters(contexts, namespace, output) if contexts else _cluster(context, namespace, output)

    watching.show(look, watch=watch, output=output, of_cluster=folder is None)


def _local(folder: StateFolder, output: str) -> View:
    process = lock.holder(folder.root)
    running = process is not None
    document = status.read(folder)
    if document is None:
        raise StateError(f"{folder.root}: `fairlead up` {'has not started yet' if running else 'never ran here'}")
    stale = ""
    if process is not None:
        stale = status.staleness(
            document, int(SystemClock().now().timestamp() * 1000), stopped=lock.is_stopped(process)
        )
    regions: list[Json] = [{**region} for region in document["regions"]]
    if running:
        regions = asyncio.run(_with_health(document["regions"]))
    budgets, notes = asyncio.run(_of_budgets(folder)) if running and counts(document) else ([], [])
    told: Json = {
        "running": running,
        "stale": stale,
        **document,
        "regions": regions,
        "budgets": budgets,
        "notes": notes,
    }
    wrong = (
        not running
        or bool(stale)
        or bool(document["failing"] or document.get("overloaded") or budgets)
        or any(one["openSince"] for one in document.get("classifiers", ()))
        or any(is_ill(endpoint) for endpoint in document["endpoints"])
        or any(one["degraded"] for one in document["rollouts"])
        or any(not region.get("live", True) for region in regions)
        or any(one["weight"] == "problem" for one in document["diagnostics"])
    )
    return View(text=_text(told, output, lambda: _lines(told, folder)), exit_code=int(wrong))


def _cluster(context: str | None, namespace: str | None, output: str) -> View:
    from fairlead.controller import overview  # noqa: PLC0415  what only clusters need

    document = cluster.ask(lambda kube: overview.read(kube, namespace=namespace), context)
    text = _text(document, output, lambda: overview.lines(document))
    return View(text=text, exit_code=int(overview.is_wrong(document)))


def _text(document: Json, output: str, lines: Callable[[], list[str]]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) if output == "json" else "\n".join(lines())


def _clusters(contexts: tuple[str, ...], namespace: str | None, output: str) -> View:
    from fairlead.controller import clusters, overview  # noqa: PLC0415  what only clusters need

    document = clusters.describe(
        cluster.ask_each(lambda kube: overview.read(kube, namespace=namespace), contexts, within_s=CLUSTER_S)
    )
    text = _text(document, output, lambda: clusters.lines(document))
    return View(text=text, exit_code=int(clusters.is_wrong(document)))


async def _with_health(regions: list[Region]) -> list[Json]:
    return await asyncio.gather(*(_region_with_health(region) for region in regions))


async def _of_budgets(folder: StateFolder) -> tuple[list[str], list[str]]:
    """Return what is wrong with what the budget server counts in, and what hurts nobody; nothing where none is."""
    socket = folder.budget.places.http
    if not socket.exists():
        return [], []
    try:
        health = await budget_server.ask(socket, "/healthz")
    except BudgetServerError:
        return [budget_health.SILENT], []
    problems = [*filter(None, [budget_health.outage(health)]), *budget_health.warnings(health)]
    return problems, [*filter(None, [budget_health.sharing(health)])]


async def _region_with_health(region: Region) -> Json:
    clusters: tuple[ClusterHealth, ...] = ()
    async with EnvoyAdmin(Path(region["admin"])) as admin:
        live = await admin.live()
        if live:
            try:
                clusters = await admin.clusters()
            except EnvoyError:
                live = False
    return {**status.with_health(region, clusters), "live": live}


def _lines(document: Json, folder: StateFolder) -> list[str]:
    lines = []
    if not document["running"]:
        lines += [f"`fairlead up` does not run; this is what it served last ({folder.root})", ""]
    if document["stale"]:
        lines += [document["stale"], "What follows was so then, but for what is said of ejected targets", ""]
    for region in document["regions"]:
        reduced = _reduced(document) if document["running"] else {}
        lines += _region_lines(region, _fails(document, region["name"]), reduced, running=document["running"])
    if document["running"]:
        lines += [
            f"{one['region']} has no room for all requests since {one['since']}: clients get 503 `overloaded`, or a"
            " closed connection"
            for one in document.get("overloaded", ())
        ]
    failing = document["failing"] if document["running"] else []
    if failing:
        lines.append(f"{len(failing)} failing")
        lines += [f"  {one['subject']} since {one['since']}: {one['message']}" for one in failing]
    lines += [*document["budgets"], *document["notes"]]
    lines += cached.lines(document.get("caches", ())) if document["running"] else []
    if document["running"]:
        lines += counted.open_lines(document.get("classifiers", ()))
        lines += counted.classifier_lines(document.get("classifiers", ()))
    lines += ill_lines(document["endpoints"]) if document["running"] else []
    for one in document["rollouts"]:
        if one["degraded"] or one["candidate"]:
            lines.append(
                f"rollout {one['route']} {one['phase']}, step {one['step']} of {one['steps']}: {one['message']}"
            )
    wrong = [one for one in document["diagnostics"] if one["weight"] == "problem"]
    if wrong:
        lines.append(f"{len(wrong)} {'problem' if len(wrong) == 1 else 'problems'}")
        lines += [f"  {one['subject'] or one['source']}: {one['message']}" for one in wrong]
    return lines


def _configuration(region: Json) -> list[str]:
    """Say how full a gateway is."""
    if not (one := region.get("configuration")):
        return []
    return [f"  configuration {one['percent']} % of {one['limitBytes'] // 1024} KiB ({one['file']})"]


def _reduced(document: Json) -> Mapping[str, str]:
    """Say of endpoints that have less than their traffic how they stand: `Down, 0%`."""
    return {
        f"{one['provider']}/{one['endpoint']}": f"{one['state']}, {one['share']}"
        for one in document["endpoints"]
        if one["used"] and one["share"] != "100%"
    }


def _region_lines(region: Json, fails: frozenset[str], reduced: Mapping[str, str], *, running: bool) -> list[str]:
    state = "" if not running else ", live" if region["live"] else ", its Envoy does not answer"
    digest = (region["digest"] or "none")[:SHOWN_DIGEST]
    lines = [
        f"{region['name']} ({region['geo']}){state}",
        *_configuration(region),
        f"  http://{region['listen']}/v1   metrics http://{region['metrics']}/metrics   digest {digest}",
    ]
    health = {target["name"]: target for target in region["targets"]}
    for route in region["routes"]:
        lines.append(f"  {route['name']}")
        for answer in route["answers"]:
            names = answer["names"]
            more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
            lines.append(f"    {', '.join(names[:SHOWN_NAMES]) or '(no consumer sees it)'}{more}")
            for ladder in answer["ladders"]:
                judged = ladder.get("judged", ())
                rungs = " > ".join(
                    _rung(health.get(target), target, reduced, fails=target in fails)
                    + (" [judged]" if target in judged else "")
                    for target in ladder["targets"]
                )
                share = "" if len(answer["ladders"]) == 1 else f"{ladder['weight']:>7}  "
                lines.append(f"      {share}{rungs} > last resort {answer['lastResort']}")
        if route["shadow"]:
            lines.append(f"    shadow {route['shadow']}")
    lines.append("")
    return lines


def _fails(document: Json, region: str) -> frozenset[str]:
    """Collect the targets that a region's gateway sees fail."""
    if not document["running"]:
        return frozenset()
    return frozenset(target for one in document["failing"] if region in one["seenBy"] for target in one["targets"])


def _rung(target: Json | None, name: str, reduced: Mapping[str, str], *, fails: bool) -> str:
    if (stands := reduced.get("/".join(name.split("/")[:2]))) is not None:
        return f"{name} [{stands}]"
    if target and target.get("health") == "Ejected":
        return f"{name} [ejected]"
    return f"{name} [failing]" if fails else name
