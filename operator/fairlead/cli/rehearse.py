"""`fairlead rehearse`: a drill. A region is drained as if it had failed, clients are watched, and a report is kept."""

import asyncio
import contextlib
import json
import signal
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fairlead.adapters import disk, lock
from fairlead.adapters.clock import SystemClock
from fairlead.adapters.gateway_metrics import HttpGatewayMetrics
from fairlead.api import quantity
from fairlead.cli import cluster, drain, options
from fairlead.errors import ClusterError, StateError
from fairlead.health.region import DrainKind, DrainOrder
from fairlead.health.rehearsal import (
    LONGEST_RETURN_S,
    SHORTEST_S,
    Bounds,
    Outcome,
    before_s,
    breach,
    conclusion,
    returned,
    words,
)
from fairlead.runtime.rehearsal import Drill, read, report
from fairlead.standalone import drains, status
from fairlead.standalone.state import StateFolder
from fairlead.standalone.status_document import Document
from fairlead.standalone.target_prices import prices_in

if TYPE_CHECKING:
    from fairlead.adapters.kube import Kube
    from fairlead.controller.rehearsals import Asked

_CODES = {Outcome.HELD: 0, Outcome.GAVE_UP: 1, Outcome.INCONCLUSIVE: 3, Outcome.REFUSED: 4}
_WHOLE_BP = 10_000
_BY_HAND = "it was ended by hand"
LATE_S = 30.0
"""How much later than its end the report of a cluster's drill may come."""
LOOK_S = 1.0
"""How often clients are looked at; a bound that is passed ends the drill then."""


def _percent(_: click.Context, parameter: click.Parameter, value: str) -> int:
    """Read a percentage, in basis points."""
    try:
        return quantity.basis_points(value)
    except ValueError:
        raise click.BadParameter(f"got `{value}`, want a percentage such as `1%`", param=parameter) from None


def _below_all(context: click.Context, parameter: click.Parameter, value: str) -> int:
    """Read a percentage that requests can be above, in basis points."""
    found = _percent(context, parameter, value)
    if found >= _WHOLE_BP:
        raise click.BadParameter(f"got `{value}`, which no drill can pass, want less than 100%", param=parameter)
    return found


@click.command()
@click.argument("kind", metavar="region", type=click.Choice(["region"]))
@click.argument("name", metavar="NAME")
@click.option("--for", "for_ms", metavar="DURATION", default="5m", show_default=True, callback=drain.duration)
@click.option(
    "--max-error-rate",
    "error_rate_bp",
    metavar="PERCENT",
    default="1%",
    show_default=True,
    callback=_below_all,
    help="Of clients' requests. Above that the drill gives up.",
)
@click.option(
    "--max-first-byte-p95-increase",
    "first_byte_increase_bp",
    metavar="PERCENT",
    default="200%",
    show_default=True,
    callback=_percent,
    help="Of the time until answers begin, against before. Above that the drill gives up.",
)
@click.option(
    "--force", is_flag=True, help="Also where the others are not well, or cannot carry it by their `capacity`."
)
@options.config(required=False)
@options.state
@cluster.context
@drain.namespace
@options.output
def command(
    *,
    kind: str,
    name: str,
    for_ms: int,
    error_rate_bp: int,
    first_byte_increase_bp: int,
    force: bool,
    config: Path | None,
    state: Path | None,
    context: str | None,
    namespace: str,
    output: str,
) -> None:
    """Drain a region for a time, and watch its clients.

    With CONFIG, the state folder or `.fairlead` in this folder, of a running `fairlead up`; else of the cluster that
    KUBECONFIG names: its operator does it.

    It drains as `fairlead drain region` does. It gives up, and traffic comes back, as soon as more of the clients'
    requests fail, or answers begin later, than the bounds allow; Ctrl-C ends it, too. Then it looks on until the
    region has its traffic again, ten minutes at most. The report is kept in `rehearsals/` of the state folder. Exit
    code 0: it held. 1: it gave up. 3: inconclusive, it says nothing of a loss of the region. 4: refused, it did not
    begin.
    """
    del kind
    bounds = Bounds(error_rate_bp=error_rate_bp, first_byte_increase_bp=first_byte_increase_bp)
    folder = cluster.place(config, state)
    if folder is None:
        from fairlead.controller.rehearsals import Asked  # noqa: PLC0415  what only clusters need

        _check_length(for_ms, SHORTEST_S + before_s(for_ms / 1000), "a cluster's, which begins with a look before,")
        now_ms = int(SystemClock().now().timestamp()) * 1000
        wanted = Asked(region=name, began_ms=now_ms, until_ms=now_ms + for_ms, bounds=bounds)
        made = _in_cluster(wanted, context, namespace, force=force)
        _show(made, output)
        raise SystemExit(_CODES[Outcome(made["outcome"])])
    _check_length(for_ms, SHORTEST_S, "one")
    drill = _Drill(folder, name, for_ms=for_ms, bounds=bounds)
    refused = drill.check(force=force)
    made = drill.refused(refused) if refused else asyncio.run(drill.run())
    path = _keep(folder, made)
    _show(made, output)
    if output != "json":
        click.echo(f"kept in {path}")
    raise SystemExit(_CODES[Outcome(made["outcome"])])


def _check_length(for_ms: int, shortest_s: float, which: str) -> None:
    if for_ms < 1000 * shortest_s:
        raise click.UsageError(f"got a drill of {for_ms / 1000:g} s, want {which} of at least {shortest_s:g} s")


def _keep(folder: StateFolder, made: Mapping[str, Any]) -> Path:
    path = folder.rehearsals / f"{made['began'].replace(':', '')}-{made['region']}.json"
    disk.write(path, json.dumps(made, indent=2).encode())
    return path


def _show(made: Mapping[str, Any], output: str) -> None:
    if output == "json":
        click.echo(json.dumps(made, indent=2))
        return
    for line in _lines(made):
        click.echo(line)


def _in_cluster(wanted: "Asked", context: str | None, namespace: str, *, force: bool) -> dict[str, Any]:
    from fairlead.controller import rehearsals  # noqa: PLC0415  what only clusters need

    async def drill(kube: "Kube") -> Mapping[str, Any] | None:
        why, remarks, may_force = await drain.refusal_of_cluster(kube, namespace, wanted.region)
        for remark in remarks:
            click.echo(f"warning: {remark}", err=True)
        if why and not (force and may_force):
            moment = _time(datetime.fromtimestamp(wanted.began_ms / 1000, UTC))
            return report(
                wanted.region,
                began=moment,
                ended=moment,
                bounds=wanted.bounds,
                outcome=Outcome.REFUSED,
                reason=why,
                remarks=remarks,
            )
        if why:
            click.echo(f"warning: {why}", err=True)
        await rehearsals.ask(kube, namespace, wanted)
        length_s = (wanted.until_ms - wanted.began_ms) / 1000
        try:
            return await rehearsals.outcome(
                kube, SystemClock(), namespace, wanted, within_s=length_s + LONGEST_RETURN_S + LATE_S
            )
        finally:
            await rehearsals.undo(kube, namespace, wanted.region)

    made = cluster.ask(drill, context)
    if made is None:
        raise ClusterError("no operator has reported on the drill in time: does one lead there?")
    return dict(made)


class _Drill:
    """One drill."""

    def __init__(self, folder: StateFolder, region: str, *, for_ms: int, bounds: Bounds) -> None:
        self._folder, self._region, self._for_ms, self._bounds = folder, region, for_ms, bounds
        self._remarks: tuple[str, ...] = ()

    def check(self, *, force: bool) -> str:
        """Say why it is refused, empty where it is not; raises `StateError` where there is nothing to rehearse."""
        if lock.holder(self._folder.root) is None:
            raise StateError(f"{self._folder.root}: `fairlead up` does not run there, so there is nobody to watch")
        document = self._document()
        self._concerned = drain.concerned(document, DrainKind.REGION, self._region)
        why, self._remarks, may_force = drain.refusal(
            self._region,
            self._concerned,
            drain.carriers_of(document),
            drain.ladders_of(document),
            drained=document["drainedRegions"],
        )
        forced = bool(why) and force and may_force
        self._remarks += (f"forced: {why}",) if forced else ()
        for remark in self._remarks:
            click.echo(f"warning: {remark}", err=True)
        self._shares = _shares(document, self._concerned)
        self._clusters = {
            target["cluster"]: endpoint
            for region in document["regions"]
            for target in region["targets"]
            for endpoint in ("/".join(target["name"].split("/", 2)[:2]),)
            if endpoint in self._concerned
        }
        self._gateways = tuple(region["metrics"] for region in document["regions"])
        self._prices = prices_in(document)
        return "" if forced else why

    def refused(self, why: str) -> dict[str, Any]:
        """Return the report of a drill that did not begin."""
        now = _time(SystemClock().now())
        return self._report(began=now, outcome=Outcome.REFUSED, reason=why, drill=None)

    async def run(self) -> dict[str, Any]:
        """Look, drain, look on, and let go; return the report."""
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        clock = SystemClock()
        async with HttpGatewayMetrics() as metrics:
            drill = Drill(first=await read(metrics, self._gateways), clusters=self._clusters)
            await _pause(stopped, before_s(self._for_ms / 1000))
            began = clock.now()
            drill.drains(await read(metrics, self._gateways), self._prices, self._concerned)
            outcome, reason = Outcome.GAVE_UP, _BY_HAND
            if not stopped.is_set():
                try:
                    self._write(self._order(began))
                    outcome, reason = await self._watch(metrics, drill, stopped)
                finally:
                    self._write(None)
                outcome, reason = await self._look_after(metrics, drill, stopped, outcome, reason)
        return self._report(began=_time(began), outcome=outcome, reason=reason, drill=drill)

    def _report(self, *, began: str, outcome: Outcome, reason: str, drill: Drill | None) -> dict[str, Any]:
        return report(
            self._region,
            began=began,
            ended=_time(SystemClock().now()),
            bounds=self._bounds,
            outcome=outcome,
            reason=reason,
            seen=None if drill is None else drill.seen,
            remarks=self._remarks,
        )

    async def _watch(self, metrics: HttpGatewayMetrics, drill: Drill, stopped: asyncio.Event) -> tuple[Outcome, str]:
        """Look until the time is over; return what it came to, and why."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        until = began + self._for_ms / 1000
        while True:
            await _pause(stopped, min(LOOK_S, max(0.0, until - loop.time())))
            counted = await read(metrics, self._gateways)
            seen = drill.look(counted, self._prices, drained_s=loop.time() - began)
            if reason := breach(seen, self._bounds):
                return Outcome.GAVE_UP, reason
            if stopped.is_set():
                return Outcome.GAVE_UP, _BY_HAND
            if loop.time() >= until:
                return conclusion(seen, self._bounds)

    async def _look_after(
        self, metrics: HttpGatewayMetrics, drill: Drill, stopped: asyncio.Event, outcome: Outcome, reason: str
    ) -> tuple[Outcome, str]:
        """Look at the way back until it is over; return what the whole drill came to, and why."""
        if not stopped.is_set():
            click.echo(f"{self._region} is drained no more ({words(outcome, reason)}); looking at its return", err=True)
        while True:
            seen = drill.look_after(await read(metrics, self._gateways), self._prices, is_back=self._is_back())
            over = seen.after is None or seen.after.seconds >= LONGEST_RETURN_S
            if seen.back_s is not None or over or stopped.is_set():
                return returned(seen, self._bounds, outcome, reason)
            await _pause(stopped, LOOK_S)

    def _is_back(self) -> bool:
        """Tell whether the region's endpoints have the share that they had, as `fairlead up` last said."""
        document = self._document()
        shares = _shares(document, self._concerned)
        lifted = self._region not in document["drainedRegions"]
        return lifted and all(shares.get(name, 0) >= share for name, share in self._shares.items())

    def _order(self, began: datetime) -> DrainOrder:
        began_ms = int(began.timestamp() * 1000)
        return DrainOrder(kind=DrainKind.REGION, name=self._region, began_ms=began_ms, until_ms=began_ms + self._for_ms)

    def _write(self, order: DrainOrder | None) -> None:
        """Begin or end the drain; whoever kills this process finds it ending by itself."""
        now_ms = int(SystemClock().now().timestamp() * 1000)
        others = [
            one for one in drain.standing(self._folder) if (one.kind, one.name) != (DrainKind.REGION, self._region)
        ]
        drains.write(self._folder, [*others, *([order] if order else [])], now_ms=now_ms)

    def _document(self) -> Document:
        document = status.read(self._folder)
        if document is None:
            raise StateError(f"{self._folder.root}: `fairlead up` has not started yet")
        return document


def _shares(document: Document, endpoints: Collection[str]) -> dict[str, int]:
    """Return what endpoints have of their traffic, in percent."""
    return {
        name: int(one["share"].rstrip("%"))
        for one in document["endpoints"]
        for name in (f"{one['provider']}/{one['endpoint']}",)
        if name in endpoints
    }


async def _pause(stopped: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopped.wait()


def _lines(made: Mapping[str, Any]) -> list[str]:
    before, drained = made["before"], made["drained"]
    outcome = Outcome(made["outcome"])
    how = words(outcome, made["reason"])
    if outcome is Outcome.REFUSED:
        return [f"{made['region']} was not drained: {how}"]
    after = made["after"]
    spans = [before, drained, *([after] if after else [])]
    endpoints = sorted({name for span in spans for name in span["servedBy"]})
    rows = [
        ("", "before", "drained", "after"),
        ("seconds watched", *(span["seconds"] for span in spans)),
        ("requests", *(span["requests"] for span in spans)),
        ("clients' errors", *(span["errors"] for span in spans)),
        ("served by the region", "", drained["servedByTheRegion"]),
        ("error rate", *(span["errorRate"] for span in spans)),
        ("first byte p95, ms", *(_or_dash(span["firstByteP95Ms"]) for span in spans)),
        ("dollars a minute", *(span["usdPerMinute"] for span in spans)),
        *((f"served by {name}", *(span["servedBy"].get(name, 0) for span in spans)) for name in endpoints),
    ]
    wide = max(len(row[0]) for row in rows)
    return [
        f"{made['region']} was drained from {made['began']} to {made['ended']}: {how}",
        *(
            [f"its traffic was back {after['backAfterSeconds']:g} s later"]
            if after and after["backAfterSeconds"]
            else []
        ),
        *(
            "".join([f"  {row[0]:<{wide}}", *(f"  {cell!s:>12}" for cell in row[1 : 1 + len(spans)])]).rstrip()
            for row in rows
        ),
        *(f"  {note}" for note in made["notes"]),
    ]


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
