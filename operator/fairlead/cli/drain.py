"""`fairlead drain`: send the traffic of an endpoint or a region away, for a time."""

import time
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairlead.adapters import lock
from fairlead.adapters.clock import SystemClock
from fairlead.api import quantity
from fairlead.cli import cluster, options
from fairlead.errors import ClusterError, StateError
from fairlead.health import capacity
from fairlead.health.capacity import Carrier, Verdict
from fairlead.health.endpoint import State
from fairlead.health.region import DrainKind, DrainOrder
from fairlead.standalone import drains, status
from fairlead.standalone.state import StateFolder
from fairlead.standalone.status_document import Document, Endpoint

if TYPE_CHECKING:
    from fairlead.adapters.kube import Kube
    from fairlead.controller.load import Load

PATIENCE_S = 15.0
"""How long the command waits until gateways do what it says."""
LOOK_S = 0.2
_STANDING = ("Down", "Drained")


def duration(_: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Read a duration as in the resources, in milliseconds."""
    try:
        return None if value is None else quantity.milliseconds(value)
    except ValueError:
        raise click.BadParameter(f"got `{value}`, want one such as `30m` or `1h30m`", param=parameter) from None


namespace = click.option(
    "-n",
    "--namespace",
    metavar="NAME",
    default="fairlead",
    show_default=True,
    help="In a cluster: the installation's namespace.",
)
"""Adds `-n`."""


@click.command()
@click.argument("kind", metavar="endpoint|region", type=click.Choice(["endpoint", "region"]), required=False)
@click.argument("name", metavar="NAME", required=False)
@click.option("--for", "for_ms", metavar="DURATION", callback=duration, help="When it ends by itself: `30m`.")
@click.option(
    "--over",
    "over_ms",
    metavar="DURATION",
    default="0s",
    callback=duration,
    help="Take so long: 50 % of the traffic in its first half, 10 % in its second. Default: at once.",
)
@click.option("--undo", is_flag=True, help="End it now; traffic comes back by steps of 10, 50 and 100 %.")
@click.option("--force", is_flag=True, help="Also where the others cannot carry it by their `capacity`.")
@click.option("--list", "listing", is_flag=True, help="Say what is drained, and until when.")
@options.config(required=False)
@options.state
@cluster.context
@namespace
def command(
    *,
    kind: str | None,
    name: str | None,
    for_ms: int | None,
    over_ms: int,
    undo: bool,
    force: bool,
    listing: bool,
    config: Path | None,
    state: Path | None,
    context: str | None,
    namespace: str,
) -> None:
    """Send the traffic of an endpoint, `PROVIDER/NAME`, or of a region elsewhere, for a time; it ends by itself.

    A region's drain concerns all endpoints there, and its gateway: `/healthz` sends clients elsewhere.

    With CONFIG, the state folder or `.fairlead` in this folder, of a running `fairlead up`; else of the cluster that
    KUBECONFIG names.
    Before, what the drained endpoints carried in the last five minutes is compared with the `capacity` that the others
    have left, ladder by ladder: too little is refused. Exit code 1 when it is refused, when it is not known to be in
    effect, or when --undo names what is not drained.
    """
    folder = cluster.place(config, state)
    if listing:
        _list(_of_cluster(context, namespace) if folder is None else standing(folder))
        return
    wanted = _subject(kind, name)
    order = None if undo else _order(*wanted, for_ms, over_ms)
    if folder is None:
        raise SystemExit(_cluster(*wanted, order, context, namespace, force=force))
    raise SystemExit(_local(*wanted, order, folder, force=force))


def _list(orders: Iterable[DrainOrder]) -> None:
    now_ms = _now_ms()
    for order in orders:
        if order.until_ms > now_ms:
            click.echo(_line(order))


def standing(folder: StateFolder) -> Sequence[DrainOrder]:
    """Return all orders of a `fairlead up`; a damaged file is told."""
    return drains.Orders(folder, warn=lambda what: click.echo(f"warning: {what}", err=True)).read()


def _subject(kind: str | None, name: str | None) -> tuple[DrainKind, str]:
    if kind is None or name is None:
        raise click.UsageError("name what to drain, `endpoint PROVIDER/NAME` or `region NAME`, or ask for --list")
    provider, _, endpoint = name.partition("/")
    if kind == "endpoint" and (not provider or not endpoint or "/" in endpoint):
        raise click.UsageError(f"got `{name}`, want `PROVIDER/NAME` of an endpoint")
    return (DrainKind.ENDPOINT if kind == "endpoint" else DrainKind.REGION), name


def _order(kind: DrainKind, name: str, for_ms: int | None, over_ms: int) -> DrainOrder:
    if for_ms is None or not 0 < for_ms <= drains.LONGEST_MS:
        raise click.UsageError("give --for, such as `--for 30m`: a drain ends by itself, within seven days")
    if over_ms > for_ms:
        raise click.UsageError("got --over longer than --for, want at most as long")
    began_ms = _now_ms()
    return DrainOrder(kind=kind, name=name, began_ms=began_ms, until_ms=began_ms + for_ms, over_ms=over_ms)


def _local(kind: DrainKind, name: str, order: DrainOrder | None, folder: StateFolder, *, force: bool) -> int:
    document = status.read(folder)
    if document is None:
        raise StateError(f"{folder.root}: no `fairlead up` ever ran with this state: nothing was drained")
    orders = standing(folder)
    if order is not None:
        check_capacity(document, concerned(document, kind, name), force=force)
    elif not _stands(orders, kind, name):
        concerned(document, kind, name)
        raise StateError(_not_drained(orders, kind, name))
    others = [one for one in orders if (one.kind, one.name) != (kind, name)]
    drains.write(folder, [*others, *([] if order is None else [order])], now_ms=_now_ms())
    if lock.holder(folder.root) is None:
        click.echo(f"{name}: written; `fairlead up` does not run")
        return 0
    if not _in_effect(folder, kind, name, drained=order is not None):
        click.echo(f"{name}: written, but not in effect within {PATIENCE_S:.0f} s; see `fairlead status`")
        return 1
    click.echo(_line(order) if order is not None else f"{name}: comes back by steps")
    return 0


def _cluster(
    kind: DrainKind, name: str, order: DrainOrder | None, context: str | None, namespace: str, *, force: bool
) -> int:
    from fairlead.controller import drains as annotations  # noqa: PLC0415  what only clusters need

    async def act(kube: "Kube") -> bool:
        if order is None:
            orders = await annotations.standing(kube, namespace, now_ms=_now_ms())
            if not _stands(orders, kind, name):
                if kind is DrainKind.REGION:
                    await annotations.check_region(kube, namespace, name)
                raise ClusterError(_not_drained(orders, kind, name))
            await annotations.undo(kube, namespace, kind, name)
        else:
            await check_cluster(kube, namespace, kind, name, force=force)
            await annotations.drain(kube, namespace, order)
        drained = order is not None
        return await annotations.in_effect(
            kube, SystemClock(), namespace, kind, name, drained=drained, within_s=PATIENCE_S
        )

    if not cluster.ask(act, context):
        click.echo(f"{name}: written, but not in effect within {PATIENCE_S:.0f} s; does an operator lead there?")
        return 1
    click.echo(_line(order) if order is not None else f"{name}: comes back by steps")
    return 0


def _stands(orders: Iterable[DrainOrder], kind: DrainKind, name: str) -> bool:
    now_ms = _now_ms()
    return any((one.kind, one.name) == (kind, name) and one.until_ms > now_ms for one in orders)


def _not_drained(orders: Iterable[DrainOrder], kind: DrainKind, name: str) -> str:
    now_ms = _now_ms()
    found = [f"{one.kind.value.lower()} {one.name}" for one in orders if one.until_ms > now_ms]
    return f"{kind.value.lower()} {name} is not drained, nothing was undone; drained: {', '.join(found) or 'nothing'}"


async def check_cluster(kube: "Kube", namespace: str, kind: DrainKind, name: str, *, force: bool) -> None:
    """Say whether the others of a cluster can carry it; raises `ClusterError` where they cannot, unless forced.

    What the operator has not said, or may not be read, is unknown; that is said, and refuses nothing.
    """
    known = await _load_of(kube, namespace, kind, name)
    if known is None:
        return
    drained = {one for one, region in known.regions.items() if (region if kind is DrainKind.REGION else one) == name}
    if refusal := _remarks(capacity.verdict(drained, known.carriers, known.ladders), force=force):
        raise ClusterError(refusal)


async def refusal_of_cluster(kube: "Kube", namespace: str, region: str) -> tuple[str, tuple[str, ...], bool]:
    """Tell why a region of a cluster is not to be rehearsed, as `refusal` does of `fairlead up`."""
    known = await _load_of(kube, namespace, DrainKind.REGION, region)
    if known is None:
        return "", ("what endpoints carry and how they stand was not known beforehand",), True
    concerned = frozenset(one for one, where in known.regions.items() if where == region)
    return refusal(region, concerned, known.carriers, known.ladders, drained=known.drained)


def refusal(
    region: str,
    concerned: frozenset[str],
    carriers: Sequence[Carrier],
    ladders: Collection[Sequence[str]],
    *,
    drained: Collection[str],
) -> tuple[str, tuple[str, ...], bool]:
    """Tell why a region is not to be rehearsed, empty where it is; what else is to be said; whether --force may."""
    already = [one.name for one in carriers if one.name in concerned and one.state == State.DRAINED]
    if region in drained or already:
        what = f"region {region}" if region in drained else ", ".join(already)
        return f"{what} is drained already: end that with `fairlead drain --undo`", (), False
    verdict = capacity.verdict(concerned, carriers, ladders)
    unasked = capacity.unasked(concerned, carriers, ladders)
    remarks = (*verdict.remarks, *((f"nobody has asked {unasked} yet",) if unasked else ()))
    unwell = capacity.unwell(concerned, carriers, ladders)
    return (f"who is to stand in is not well: {unwell}" if unwell else verdict.refusal), remarks, True


async def _load_of(kube: "Kube", namespace: str, kind: DrainKind, name: str) -> "Load | None":
    """Read what a cluster's endpoints carry; None, told, where nobody says. Raises `ClusterError` for no such name."""
    from fairlead.controller import drains as annotations  # noqa: PLC0415  what only clusters need
    from fairlead.controller import load  # noqa: PLC0415  the same

    if kind is DrainKind.REGION:
        await annotations.check_region(kube, namespace, name)
    try:
        known = await load.read(kube, namespace)
    except ClusterError as error:
        click.echo(f"warning: what endpoints carry is not known, so no `capacity` is checked: {error}", err=True)
        return None
    if kind is DrainKind.ENDPOINT and name not in known.regions:
        raise ClusterError(f"endpoint {name} is not there, want one of: {', '.join(known.regions) or 'none'}")
    return known


def _of_cluster(context: str | None, namespace: str) -> Sequence[DrainOrder]:
    from fairlead.controller import drains as annotations  # noqa: PLC0415  what only clusters need

    return cluster.ask(lambda kube: annotations.standing(kube, namespace, now_ms=_now_ms()), context)


def concerned(document: Document, kind: DrainKind, name: str) -> frozenset[str]:
    """Name the endpoints that a drain concerns; raises `StateError` for what is not there."""
    known = {_name(one): one["region"] for one in document["endpoints"]}
    if kind is DrainKind.ENDPOINT:
        if name not in known:
            raise StateError(f"endpoint {name} is not there, want one of: {', '.join(known) or 'none'}")
        return frozenset({name})
    regions = sorted({region["name"] for region in document["regions"]} | {one for one in known.values() if one})
    if name not in regions:
        raise StateError(f"region {name} is not there, want one of: {', '.join(regions) or 'none'}")
    return frozenset(endpoint for endpoint, where in known.items() if where == name)


def check_capacity(document: Document, drained: frozenset[str], *, force: bool) -> None:
    """Say whether the others can carry it; raises `StateError` where they cannot, unless forced."""
    verdict = capacity.verdict(drained, carriers_of(document), ladders_of(document))
    if refusal := _remarks(verdict, force=force):
        raise StateError(refusal)


def carriers_of(document: Document) -> Sequence[Carrier]:
    """List the endpoints that routes use, with what they carry and how they stand."""
    return [
        Carrier(
            name=_name(one),
            carried=one["requestsPerMinute"],
            capacity=one["capacity"]["requestsPerMinute"],
            takes=one["state"] not in _STANDING,
            state=one["state"],
        )
        for one in document["endpoints"]
        if one["used"]
    ]


def _remarks(verdict: Verdict, *, force: bool) -> str:
    """Say what is to be said; return why nothing is to be drained, empty where it is."""
    for remark in verdict.remarks:
        click.echo(f"warning: {remark}", err=True)
    if verdict.refusal and force:
        click.echo(f"warning: {verdict.refusal}", err=True)
        return ""
    return f"{verdict.refusal}: nothing was drained; --force drains all the same" if verdict.refusal else ""


def ladders_of(document: Document) -> Sequence[Sequence[str]]:
    """List the ladders of all routes and gateways, by endpoints."""
    return [
        list(dict.fromkeys("/".join(target.split("/")[:2]) for target in ladder["targets"]))
        for region in document["regions"]
        for route in region["routes"]
        for answer in route["answers"]
        for ladder in answer["ladders"]
    ]


def _in_effect(folder: StateFolder, kind: DrainKind, name: str, *, drained: bool) -> bool:
    """Wait until `fairlead up` says so."""
    until = time.monotonic() + PATIENCE_S
    while True:
        document = status.read(folder)
        if document is not None and _says(document, kind, name) is drained:
            return True
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_S)


def _says(document: Document, kind: DrainKind, name: str) -> bool:
    if kind is DrainKind.REGION:
        return name in document["drainedRegions"]
    return any(_name(one) == name and one["state"] == "Drained" for one in document["endpoints"])


def _name(one: Endpoint) -> str:
    return f"{one['provider']}/{one['endpoint']}"


def _line(order: DrainOrder) -> str:
    until = datetime.fromtimestamp(order.until_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{order.kind.value.lower()} {order.name}: drained until {until}"


def _now_ms() -> int:
    return int(SystemClock().now().timestamp() * 1000)
