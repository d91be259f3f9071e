"""`fairlead kill`: stop a consumer now."""

import asyncio
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairlead.adapters import budget_server, lock
from fairlead.cli import cluster, options
from fairlead.errors import BudgetServerError, StateError
from fairlead.standalone import kill
from fairlead.standalone.state import StateFolder

if TYPE_CHECKING:
    from fairlead.adapters.kube import Kube

PATIENCE_S = 15.0
"""How long the command waits for a cluster to confirm."""
FOLLOWS_S, EVERY_S = 5.0, 0.1
"""How long a budget server may take to follow, and how often it is asked."""
STILL = "still stopped, by a BudgetPolicy with a limit of 0 of your own: delete that"


@click.command()
@click.argument("consumers", metavar="NAMESPACE/NAME...", nargs=-1)
@click.option("--undo", is_flag=True, help="Let them go on.")
@click.option("--list", "listing", is_flag=True, help="Say who is stopped.")
@options.config(required=False)
@options.state
@cluster.context
def command(
    *,
    consumers: tuple[str, ...],
    undo: bool,
    listing: bool,
    config: Path | None,
    state: Path | None,
    context: str | None,
) -> None:
    """Stop consumers within a second: each request gets 429 until `--undo`. It holds over restarts.

    With CONFIG, the state folder or `.fairlead` in this folder, consumers of a running `fairlead up`. Else of the
    cluster that KUBECONFIG names, by a BudgetPolicy `kill-NAME` of no dollars beside each; exit code 1 when it is not
    known to be in effect, or a policy of no dollars that somebody else wrote stops them after `--undo` as well.
    """
    if not consumers and not listing:
        raise click.UsageError("name at least one consumer, `namespace/name`, or ask for --list")
    for consumer in consumers:
        namespace, _, name = consumer.partition("/")
        if not namespace or not name or "/" in name:
            raise click.UsageError(f"got `{consumer}`, want `namespace/name` of a ModelConsumer")
    folder = cluster.place(config, state)
    if folder is None:
        raise SystemExit(_cluster(consumers, context, undo=undo, listing=listing))
    _local(consumers, folder, undo=undo, listing=listing)


def _local(consumers: tuple[str, ...], folder: StateFolder, *, undo: bool, listing: bool) -> None:
    killed = kill.Stops(folder, warn=lambda what: click.echo(f"warning: {what}", err=True)).read()
    if consumers:
        _check_there([one for one in consumers if not (undo and one in killed)], folder, undo=undo)
    if consumers:
        killed = killed - set(consumers) if undo else killed | set(consumers)
        kill.write(folder, killed)
    still = _still_stopped(consumers, folder) if undo else frozenset()
    for consumer in sorted(killed if listing else consumers):
        done = STILL if consumer in still else "goes on"
        click.echo(f"{consumer}: {'stopped' if consumer in killed else done}")
    if still:
        raise SystemExit(1)


def _still_stopped(consumers: Collection[str], folder: StateFolder) -> frozenset[str]:
    """Return who is refused as before by the budget server that runs, though this command stops them no longer."""
    place, until = folder.budget.places.http, time.monotonic() + FOLLOWS_S
    while lock.holder(folder.root) is not None and place.exists():
        try:
            still = {*consumers} & {*asyncio.run(budget_server.ask(place, "/v1/budgets"))["killed"]}
        except (BudgetServerError, KeyError):
            break  # nobody knows
        if not still or time.monotonic() >= until:
            return frozenset(still)
        time.sleep(EVERY_S)
    return frozenset()


def _check_there(consumers: Sequence[str], folder: StateFolder, *, undo: bool) -> None:
    """Refuse a name that is mistyped, before anybody is stopped, or a wrong one said to go on."""
    nobody = "nobody goes on" if undo else "nobody was stopped"
    known = kill.callers(folder)
    if known is None and not folder.root.is_dir():
        raise StateError(f"{folder.root}: no `fairlead up` ever ran with this state: {nobody}")
    if known is None:
        click.echo(f"warning: {folder.status} cannot be read, so names are not checked", err=True)
        return
    for consumer in consumers:
        if consumer not in known:
            raise StateError(f"ModelConsumer {consumer} is not there: {nobody}")


def _cluster(consumers: tuple[str, ...], context: str | None, *, undo: bool, listing: bool) -> int:
    from fairlead.adapters.clock import SystemClock  # noqa: PLC0415  what only clusters need
    from fairlead.controller import kill as switch  # noqa: PLC0415  the same

    async def act(kube: "Kube") -> list[tuple[str, str]]:
        if undo:
            await switch.let_go(kube, consumers)
            said = [(consumer, await switch.still_stopped_by(kube, consumer)) for consumer in consumers]
        else:
            await switch.stop(kube, consumers)
            said = [
                (consumer, await switch.in_effect(kube, SystemClock(), consumer, within_s=PATIENCE_S))
                for consumer in consumers
            ]
        if listing:
            return [(consumer, "") for consumer in await switch.stopped(kube, namespace=None)]
        return said

    unconfirmed = 0
    for consumer, why in cluster.ask(act, context):
        unconfirmed += bool(why)
        done = "goes on" if undo and not listing else "stopped"
        not_done = f"still stopped, by {why}" if undo else f"written, but not known to be in effect: {why}"
        click.echo(f"{consumer}: {not_done if why else done}")
    return int(bool(unconfirmed))
