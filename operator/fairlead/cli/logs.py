"""`fairlead logs`: what became of requests, attempt by attempt."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairlead.budget.price import Price
from fairlead.cli import cluster, drain, options
from fairlead.errors import StateError
from fairlead.runtime import requests
from fairlead.runtime.requests import Request, Wanted
from fairlead.standalone import request_logs
from fairlead.standalone.state import StateFolder

if TYPE_CHECKING:
    from fairlead.adapters.kube import Kube

MOST = 10_000


@click.command()
@click.argument("request_id", metavar="[REQUEST-ID]", required=False)
@click.option("--follow", is_flag=True, help="Go on showing requests as they end, until interrupted.")
@click.option("--route", metavar="[NAMESPACE/]NAME", help="Only those of this route.")
@click.option("--consumer", metavar="[NAMESPACE/]NAME", help="Only those of this consumer.")
@click.option("--errors", is_flag=True, help="Only those that failed, or needed a second rung.")
@click.option(
    "--tail",
    "count",
    metavar="N",
    type=click.IntRange(min=0, max=MOST),
    default=20,
    show_default=True,
    help="How many of the newest.",
)
@options.config(required=False)
@options.state
@cluster.context
@drain.namespace
@options.output
def command(
    *,
    request_id: str | None,
    follow: bool,
    route: str | None,
    consumer: str | None,
    errors: bool,
    count: int,
    config: Path | None,
    state: Path | None,
    context: str | None,
    namespace: str,
    output: str,
) -> None:
    """Show what became of requests: of each, or of the one REQUEST-ID (`x-request-id`), every attempt.

    With CONFIG, the state folder or `.fairlead` in this folder, of a `fairlead up`, also one that has ended. Else of
    all gateway pods of the cluster that KUBECONFIG names. No prompt and no key stands in any log. Exit code 1 when
    there is no such request. `-o json` is one line for each request.
    """
    if follow and request_id is not None:
        raise click.UsageError("got REQUEST-ID and --follow, want one of them")
    folder = cluster.place(config, state)
    wanted = Wanted(request_id=request_id, route=route, consumer=consumer, errors=errors)
    count = count if request_id is None else 1
    try:
        if folder is not None:
            shown = _local(folder, wanted, count, output, follow=follow)
        else:
            shown = _cluster(context, namespace, wanted, count, output, follow=follow)
    except KeyboardInterrupt:
        raise SystemExit(0) from None
    if request_id is not None and not shown:
        raise StateError(f"no log has a request `{request_id}`: it may be older than what is kept, or of another place")
    if count and not shown:
        click.echo(_none(route, consumer, errors=errors), err=True)


def _none(route: str | None, consumer: str | None, *, errors: bool) -> str:
    asked = [f"route `{route}`"] if route is not None else []
    asked += [f"consumer `{consumer}`"] if consumer is not None else []
    asked += ["those in trouble"] if errors else []
    return f"no request of {' and '.join(asked)} stands in the logs" if asked else "no request yet"


def _local(folder: StateFolder, wanted: Wanted, count: int, output: str, *, follow: bool) -> int:
    if not folder.regions():
        raise StateError(f"{folder.root}: no `fairlead up` ever ran with this state")
    prices = request_logs.prices(folder)
    found = request_logs.newest(folder, wanted, count=count)
    _show(found, prices, output, whole=wanted.request_id is not None)
    if follow:
        asyncio.run(request_logs.follow(folder, wanted, _teller(prices, output)))
    return len(found)


def _cluster(context: str | None, namespace: str, wanted: Wanted, count: int, output: str, *, follow: bool) -> int:
    from fairlead.controller import request_logs as pods  # noqa: PLC0415  what only clusters need

    async def act(kube: "Kube") -> int:
        prices = await pods.prices(kube, namespace=namespace)
        found = await pods.newest(kube, wanted, namespace=namespace, count=count)
        _show(found, prices, output, whole=wanted.request_id is not None)
        if follow:
            await pods.follow(kube, wanted, _teller(prices, output), namespace=namespace)
        return len(found)

    return cluster.ask(act, context)


def _teller(prices: Mapping[str, Price], output: str) -> Callable[[Request], None]:
    return lambda request: _show([request], prices, output, whole=False)


def _show(found: Iterable[Request], prices: Mapping[str, Price], output: str, *, whole: bool) -> None:
    for request in found:
        described = requests.document(request, prices)
        if output == "json":
            click.echo(json.dumps(described, ensure_ascii=False))
            continue
        for line in requests.lines(described, whole=whole):
            click.echo(line)
