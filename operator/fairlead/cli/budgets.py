"""`fairlead budgets`: what everybody spent, and what is left."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fairlead.adapters import budget_server, lock
from fairlead.cli import cluster, options
from fairlead.errors import StateError
from fairlead.standalone.state import StateFolder

Json = dict[str, Any]
SHOWN = 10
"""Consumers shown of each policy: those who spent most."""


@click.command()
@options.config(required=False)
@options.state
@cluster.context
@cluster.namespace
@options.output
@click.option("--all", "everybody", is_flag=True, help="Of `fairlead up`: every consumer, not only the top spenders.")
def command(
    *,
    config: Path | None,
    state: Path | None,
    context: str | None,
    namespace: str | None,
    all_namespaces: bool,
    output: str,
    everybody: bool,
) -> None:
    """Show what everybody spent: each policy's window, who spent most, who has no budget.

    With CONFIG or the state folder, of a running `fairlead up`. With neither, of the cluster that KUBECONFIG names, as
    the operator last wrote it into status.
    """
    is_local = config is not None or state is not None
    if cluster.is_asked(local=is_local, context=context, namespace=namespace, all_namespaces=all_namespaces):
        _cluster(context, namespace, output)
        return
    folder = options.state_folder(config, state)
    if lock.holder(folder.root) is None:
        raise StateError(f"{folder.root}: `fairlead up` does not run here")
    document = _ask(folder)
    _show(document, output, lambda: _lines(document, everybody=everybody))


def _cluster(context: str | None, namespace: str | None, output: str) -> None:
    from fairlead.controller import spending  # noqa: PLC0415  what only clusters need

    document = cluster.ask(lambda kube: spending.read(kube, namespace=namespace), context)
    _show(document, output, lambda: spending.lines(document))


def _show(document: Json, output: str, lines: Callable[[], list[str]]) -> None:
    if output == "json":
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for line in lines():
        click.echo(line)


def _ask(folder: StateFolder) -> Json:
    places = folder.budget.places
    if not places.http.exists():
        raise StateError("no budget server runs: nobody has a budget (write a BudgetPolicy)")
    return asyncio.run(budget_server.ask(places.http, "/v1/budgets"))


def _lines(document: Json, *, everybody: bool) -> list[str]:
    lines = [_enforcement(document), *(f"warning: {what}" for what in document.get("warnings", ()))]
    for policy in document["policies"]:
        lines += ["", *_policy_lines(policy, everybody=everybody)]
    unbudgeted = [one for one in document["unbudgeted"] if one["spent"] or everybody]
    if document["unbudgeted"]:
        lines += ["", f"without a budget: {len(document['unbudgeted'])}"]
        lines += [f"  {one['consumer']:<40} {_usd(one['spent']):>14} this month" for one in unbudgeted]
    if document["killed"]:
        lines += ["", "stopped by hand: " + ", ".join(document["killed"])]
    return lines


def _enforcement(document: Json) -> str:
    if document["store"] == "up":
        return "enforced; the store answers"
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


def _usd(dollars: float) -> str:
    text = f"{abs(dollars):,.6f}".rstrip("0")
    whole, _, cents = text.partition(".")
    return f"{'-' if dollars < 0 else ''}${whole}.{cents.ljust(2, '0')}"
