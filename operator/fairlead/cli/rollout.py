"""`fairlead rollout`: how a route's rollout stands, and what a person asks of it."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from fairlead.adapters import lock
from fairlead.adapters.clock import SystemClock
from fairlead.cli import cluster, options, rollout_view
from fairlead.cli.watching import EVERY_OF_A_CLUSTER_S, EVERY_S
from fairlead.errors import ClusterError, StateError
from fairlead.rollout.observation import Act, Order
from fairlead.standalone import rollout_orders, status
from fairlead.standalone.state import StateFolder

Json = dict[str, Any]
PATIENCE_S = 15.0
"""How long the command waits for an answer to an order."""
CLUSTER_PATIENCE_S = 30.0
"""The same in a cluster: all ready pods have to serve what the order moved."""
LOOK_S = 0.1
_ACTS = {
    Act.PROMOTE: "Take the next step now; after the last one the candidate is stable. Not past a Failed verdict.",
    Act.PAUSE: "Stay at this step until `resume`; a bound that breaks still rolls back.",
    Act.RESUME: "Go on after `pause`.",
    Act.ABORT: "Send the candidate back now: stable has all traffic, whatever Git asks.",
    Act.RETRY: "Begin again at step 1 with the target that was sent back.",
    Act.UNDO: "Take a finished rollout back: what was stable before is again, whatever Git asks.",
}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Say how rollouts stand, and steer them. Nothing here changes what is written in Git."""


def _where(function: Callable[..., Any]) -> Callable[..., Any]:
    return options.config(required=False)(options.state(cluster.context(options.output(function))))


@command.command(name="status")
@click.argument("route", metavar="NAMESPACE/ROUTE", required=False)
@click.option(
    "--watch",
    is_flag=True,
    help="Show it anew every second (of a cluster: every five), until interrupted or nothing is under way.",
)
@cluster.namespace
@_where
def show(
    *,
    route: str | None,
    watch: bool,
    config: Path | None,
    state: Path | None,
    context: str | None,
    namespace: str | None,
    all_namespaces: bool,
    output: str,
) -> None:
    """Show one rollout, or all: steps, both arms side by side, verdicts, what it waits for.

    With CONFIG or the state folder, of a running `fairlead up`; with neither, of the one whose `.fairlead` is here,
    else of the cluster that KUBECONFIG names.
    Exit code 1 when Git asks for a target that was sent back.
    """
    del all_namespaces  # the default
    _check(route)
    folder = cluster.place(config, state)
    if watch and output == "json":
        raise click.UsageError("got --watch and -o json, want one of them: `status -o json` in a loop is the same")
    while True:
        found = _of_cluster(context, route, namespace) if folder is None else _documents(folder, route)
        if output == "json":
            click.echo(json.dumps(found[0] if route else found, indent=2, ensure_ascii=False))
        else:
            if watch:
                click.clear()
            click.echo("\n\n".join("\n".join(rollout_view.lines(one)) for one in found) or "no route has a rollout")
        if not watch or all(one["candidate"] is None for one in found):
            raise SystemExit(int(any(one["degraded"] for one in found)))
        time.sleep(EVERY_OF_A_CLUSTER_S if folder is None else EVERY_S)


def _ordering(act: Act) -> click.Command:
    """Make the command that gives one order."""

    @click.argument("route", metavar="NAMESPACE/ROUTE")
    @_where
    def give(*, route: str, config: Path | None, state: Path | None, context: str | None, output: str) -> None:
        _check(route)
        folder = cluster.place(config, state)
        document = _order_cluster(context, route, act) if folder is None else _order_locally(folder, route, act)
        if output == "json":
            click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        else:
            click.echo(f"{route}: {document['declined'] or _done(document)}")
        raise SystemExit(int(bool(document["declined"])))

    return click.command(name=act.value, help=_ACTS[act])(give)


for _act in Act:
    command.add_command(_ordering(_act))


def _check(route: str | None) -> None:
    if route is not None:
        namespace, _, name = route.partition("/")
        if not namespace or not name or "/" in name:
            raise click.UsageError(f"got `{route}`, want `namespace/name` of a ModelRoute")


def _order_locally(folder: StateFolder, route: str, act: Act) -> Json:
    _documents(folder, route)  # refuses a name that is mistyped
    if lock.holder(folder.root) is None:
        raise StateError(f"{folder.root}: `fairlead up` does not run, so nothing was ordered; start it first")
    mark = secrets.token_hex(8)
    rollout_orders.write(folder, {**_ordered_before(folder), route: Order(act=act, mark=mark)})
    return _answered(folder, route, mark)


def _ordered_before(folder: StateFolder) -> Mapping[str, Order]:
    """Return the last order for each route; none, and that is said, where the file is damaged: an abort must get by."""
    try:
        return rollout_orders.read(folder)
    except StateError as error:
        anew = "it is written anew with this order alone; what was answered stays done, give again what was not"
        click.echo(f"{error}; {anew}", err=True)
        return {}


def _order_cluster(context: str | None, route: str, act: Act) -> Json:
    from fairlead.controller import rollout_orders as annotations  # noqa: PLC0415  what only clusters need

    clock = SystemClock()
    mark = f"{clock.now().strftime('%Y-%m-%dT%H:%M:%SZ')}-{secrets.token_hex(4)}"
    document = cluster.ask(
        lambda kube: annotations.give(kube, clock, route, act, mark, within_s=CLUSTER_PATIENCE_S), context
    )
    if document is None:
        waited = f"{CLUSTER_PATIENCE_S:g} s; does an operator lead there?"
        raise ClusterError(f"{route}: ordered, but no operator has answered within {waited}")
    return document


def _of_cluster(context: str | None, route: str | None, namespace: str | None) -> list[Json]:
    from fairlead.controller import rollout_orders as annotations  # noqa: PLC0415  what only clusters need

    return cluster.ask(lambda kube: annotations.documents(kube, route=route, namespace=namespace), context)


def _documents(folder: StateFolder, route: str | None) -> list[Json]:
    """Return what `fairlead up` last said of one route, or of all that have a rollout."""
    document = status.read(folder)
    if document is None:
        raise StateError(f"{folder.root}: no `fairlead up` ever ran with this state")
    found: list[Json] = [{**one} for one in document["rollouts"] if route in (None, one["route"])]
    if route is not None and not found:
        raise StateError(f"ModelRoute {route} is not there, or has no rollout, and nothing of it was promoted before")
    return found


def _answered(folder: StateFolder, route: str, mark: str) -> Json:
    """Wait until an order is answered, and what it moved is applied."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        (document,) = _documents(folder, route)
        if document["order"] == mark:
            return document
        time.sleep(LOOK_S)
    raise StateError(f"{route}: ordered, but `fairlead up` has not answered within {PATIENCE_S:g} s; see its log")


def _done(document: Json) -> str:
    where = f", step {document['step']} of {document['steps']}" if document["candidate"] else ""
    said = f": {document['message']}" if document["message"] else ""
    return f"{document['phase']} ({document['reason']}){where}, {document['stable']} is stable{said}"
