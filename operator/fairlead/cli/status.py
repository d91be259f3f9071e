"""`fairlead status`."""

import asyncio
import json
from pathlib import Path
from typing import Any

import click

from fairlead.adapters import lock
from fairlead.adapters.envoy_admin import ClusterHealth, EnvoyAdmin
from fairlead.cli import cluster, options
from fairlead.errors import EnvoyError, StateError
from fairlead.standalone import status
from fairlead.standalone.state import StateFolder
from fairlead.standalone.status_document import Region

Json = dict[str, Any]
SHOWN_NAMES = 6
SHOWN_DIGEST = 12


@click.command()
@options.config(required=False)
@options.state
@cluster.context
@cluster.namespace
@options.output
def command(
    *,
    config: Path | None,
    state: Path | None,
    context: str | None,
    namespace: str | None,
    all_namespaces: bool,
    output: str,
) -> None:
    """Show what each region serves.

    With CONFIG or the state folder, of a running `fairlead up`: names, ladders, health of targets, digest, addresses.
    With neither, of the cluster that KUBECONFIG names: where attempts of each route go, and what is wrong with objects.
    Exit code 1 when `fairlead up` does not run there, or when anything is wrong.
    """
    is_local = config is not None or state is not None
    if cluster.is_asked(local=is_local, context=context, namespace=namespace, all_namespaces=all_namespaces):
        raise SystemExit(_cluster(context, namespace, output))
    folder = options.state_folder(config, state)
    running = lock.holder(folder.root) is not None
    document = status.read(folder)
    if document is None:
        raise StateError(f"{folder.root}: `fairlead up` {'has not started yet' if running else 'never ran here'}")
    regions: list[Json] = [{**region} for region in document["regions"]]
    if running:
        regions = asyncio.run(_with_health(document["regions"]))
    told: Json = {"running": running, **document, "regions": regions}
    if output == "json":
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for line in _lines(told, folder):
            click.echo(line)
    wrong = (
        not running
        or bool(document["failing"])
        or any(not region.get("live", True) for region in regions)
        or any(one["weight"] == "problem" for one in document["diagnostics"])
    )
    raise SystemExit(int(wrong))


def _cluster(context: str | None, namespace: str | None, output: str) -> int:
    from fairlead.controller import overview  # noqa: PLC0415  what only clusters need

    document = cluster.ask(lambda kube: overview.read(kube, namespace=namespace), context)
    if output == "json":
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        for line in overview.lines(document):
            click.echo(line)
    return int(any(not one["ready"] for one in document["objects"]))


async def _with_health(regions: list[Region]) -> list[Json]:
    return await asyncio.gather(*(_region_with_health(region) for region in regions))


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
    for region in document["regions"]:
        lines += _region_lines(region, _fails(document, region["name"]), running=document["running"])
    failing = document["failing"] if document["running"] else []
    if failing:
        lines.append(f"{len(failing)} failing")
        lines += [f"  {one['subject']} since {one['since']}: {one['message']}" for one in failing]
    wrong = [one for one in document["diagnostics"] if one["weight"] == "problem"]
    if wrong:
        lines.append(f"{len(wrong)} {'problem' if len(wrong) == 1 else 'problems'}")
        lines += [f"  {one['subject'] or one['source']}: {one['message']}" for one in wrong]
    return lines


def _region_lines(region: Json, fails: frozenset[str], *, running: bool) -> list[str]:
    state = "" if not running else ", live" if region["live"] else ", its Envoy does not answer"
    digest = (region["digest"] or "none")[:SHOWN_DIGEST]
    lines = [
        f"{region['name']} ({region['geo']}){state}",
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
                rungs = " > ".join(
                    _rung(health.get(target), target, fails=target in fails) for target in ladder["targets"]
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


def _rung(target: Json | None, name: str, *, fails: bool) -> str:
    if target and target.get("health") == "Ejected":
        return f"{name} [ejected]"
    return f"{name} [failing]" if fails else name
