"""`fairlead budgets`: what everybody spent, and what is left."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fairlead.adapters import budget_server, lock
from fairlead.adapters.gateway_metrics import HttpGatewayMetrics
from fairlead.budget import baseline, cached, shadow
from fairlead.budget.usage import amounts
from fairlead.cli import cluster, options, watching
from fairlead.cli.greeting import some
from fairlead.cli.watching import View
from fairlead.errors import StateError
from fairlead.runtime import rehearsal
from fairlead.runtime.rehearsal import Counted, spent_by_consumer
from fairlead.standalone import budget_health, request_logs, status
from fairlead.standalone.kill import Stops
from fairlead.standalone.state import StateFolder
from fairlead.standalone.status_document import Document, counts

Json = dict[str, Any]
SHOWN = 10
"""Consumers shown of each policy: those who spent most."""


@click.command()
@options.config(required=False)
@options.state
@cluster.context
@cluster.namespace
@watching.option
@options.output
@click.option("--all", "everybody", is_flag=True, help="Of `fairlead up`: every consumer, not only the top spenders.")
def command(
    *,
    config: Path | None,
    state: Path | None,
    context: str | None,
    namespace: str | None,
    all_namespaces: bool,
    watch: bool,
    output: str,
    everybody: bool,
) -> None:
    """Show what everybody spent: each policy's window, who spent most, who has no budget.

    With CONFIG, the state folder or `.fairlead` in this folder, of a running `fairlead up`. Else of the cluster that
    KUBECONFIG names, as the operator last wrote it into status. Exit code 1 when `fairlead up` lost what was spent, or
    cannot tell.
    """
    del all_namespaces  # the default
    folder = cluster.place(config, state)

    def look() -> View:
        if folder is None:
            return _cluster(context, namespace, output)
        return _local(folder, output, everybody=everybody)

    watching.show(look, watch=watch, output=output, of_cluster=folder is None)


def _cluster(context: str | None, namespace: str | None, output: str) -> View:
    from fairlead.controller import spending  # noqa: PLC0415  what only clusters need

    document = cluster.ask(lambda kube: spending.read(kube, namespace=namespace), context)
    return View(text=_text(document, output, lambda: spending.lines(document)))


def _local(folder: StateFolder, output: str, *, everybody: bool) -> View:
    if lock.holder(folder.root) is None:
        raise StateError(f"{folder.root}: `fairlead up` does not run here")
    said = status.read(folder)
    if said is not None and not counts(said):
        nobody = _of_nobody(folder, said)
        return View(text=_text(nobody, output, lambda: _lines_of_nobody(nobody)))
    document = _ask(folder, said)
    unsure = document["store"] != "up" or bool(document.get("warnings"))
    return View(text=_text(document, output, lambda: _lines(document, everybody=everybody)), exit_code=int(unsure))


def _text(document: Json, output: str, lines: Callable[[], list[str]]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) if output == "json" else "\n".join(lines())


def _ask(folder: StateFolder, said: Document | None) -> Json:
    places = folder.budget.places
    if not places.http.exists():
        raise StateError(f"no budget server runs, so nobody knows what is spent; see {places.log}")
    found = asyncio.run(budget_server.ask(places.http, "/v1/budgets"))
    return {**found, "caches": cached.beside(found["caches"], said.get("caches", ()) if said is not None else ())}


def _of_nobody(folder: StateFolder, said: Document) -> Json:
    """Say the same where nothing needs a server: from the gateways' own counts."""
    counted = asyncio.run(_counted([region["metrics"] for region in said["regions"]]))
    spent = spent_by_consumer(counted, request_logs.prices(folder))
    return {
        "object": "budgets",
        "store": None,
        "policies": [],
        "unbudgeted": [
            {"consumer": consumer, **amounts(spent=nano)}
            for consumer, nano in sorted(spent.items(), key=lambda one: (-one[1], one[0]))
        ],
        "unpriced": sorted(
            {target["name"] for region in said["regions"] for target in region["targets"] if target["price"] is None}
        ),
        "shadow": [],
        "savings": [],
        "caches": list(said.get("caches", ())),
        "in_flight": [],
        "killed": sorted(Stops(folder, warn=lambda what: click.echo(f"warning: {what}", err=True)).read()),
    }


async def _counted(gateways: list[str]) -> Counted:
    async with HttpGatewayMetrics() as metrics:
        return await rehearsal.read(metrics, gateways)


def _lines_of_nobody(document: Json) -> list[str]:
    lines = ["nobody has a budget; a BudgetPolicy gives one"]
    if document["unbudgeted"]:
        lines += ["", "spent since the gateways started, by what they counted:"]
        lines += [f"  {one['consumer']:<40} {_usd(one['spent']):>14}" for one in document["unbudgeted"]]
    if document["caches"]:
        lines += ["", *cached.lines(document["caches"])]
    return [*lines, *_of_all(document)]


def _lines(document: Json, *, everybody: bool) -> list[str]:
    lines = [_enforcement(document), *(f"warning: {what}" for what in document.get("warnings", ()))]
    lines += filter(None, [budget_health.sharing(document)])
    for policy in document["policies"]:
        lines += ["", *_policy_lines(policy, everybody=everybody)]
    unbudgeted = [one for one in document["unbudgeted"] if one["spent"] or everybody]
    if document["unbudgeted"]:
        lines += ["", f"without a budget: {len(document['unbudgeted'])}"]
        lines += [f"  {one['consumer']:<40} {_usd(one['spent']):>14} this month" for one in unbudgeted]
    if document["shadow"]:
        lines += ["", *shadow.lines(document["shadow"])]
    if document["savings"]:
        lines += ["", *baseline.lines(document["savings"])]
    if document["caches"]:
        lines += ["", *cached.lines(document["caches"])]
    if document["in_flight"]:
        lines += ["", "in flight:", *(_in_flight_line(one) for one in document["in_flight"])]
    return [*lines, *_of_all(document)]


def _of_all(document: Json) -> list[str]:
    lines = []
    if document["unpriced"]:
        lines += ["", f"without a price, so not counted in dollars: {some(document['unpriced'])}"]
    if document["killed"]:
        lines += ["", "stopped by hand: " + ", ".join(document["killed"])]
    return lines


def _enforcement(document: Json) -> str:
    if document["store"] == "up":
        return (
            "enforced; the store answers" if document["bounding"] else "nobody has a budget; what is spent is counted"
        )
    if not document["bounding"]:
        return f"NOT counted: the store does not answer; {document['backlog']} bookings wait for it"
    passing = "requests pass unchecked" if document["failure_policy"] == "Open" else "requests are refused"
    return f"NOT enforced: the store does not answer, {passing}; {document['backlog']} bookings wait for it"


def _policy_lines(policy: Json, *, everybody: bool) -> list[str]:
    until = f"resets {policy['resets_at']}" if policy["resets_at"] else "never resets"
    each = "together" if policy["scope"] == "Shared" else "each"
    lines = [f"{policy['name']}: {_usd(policy['limit'])} {each}, {until}"]
    consumers = policy["consumers"] if everybody else policy["consumers"][:SHOWN]
    for one in consumers:
        who = "all together" if one["consumer"] == "*" else one["consumer"]
        stage = f"  {one['stage']}" if one["stage"] else ""
        reserved = f"  {_usd(one['reserved'])} reserved" if one["reserved"] else ""
        lines.append(f"  {who:<40} {_usd(one['spent']):>14} spent {_usd(one['remaining']):>14} left{reserved}{stage}")
    more = len(policy["consumers"]) - len(consumers)
    return [*lines, *([f"  and {more} more"] if more else [])]


def _in_flight_line(one: Json) -> str:
    return f"  {one['consumer']:<40} {one['in_flight']:>14,} of {one['most']:,} requests"


def _usd(dollars: float) -> str:
    text = f"{abs(dollars):,.6f}".rstrip("0")
    whole, _, cents = text.partition(".")
    return f"{'-' if dollars < 0 else ''}${whole}.{cents.ljust(2, '0')}"
