"""`fairlead console`: a page that shows what is served, live."""

import asyncio
from pathlib import Path

import click

from fairlead.cli import cluster, drain, options


@click.command()
@options.config(required=False)
@options.state
@cluster.context
@drain.namespace
@click.option(
    "--port", type=click.IntRange(0, 65535), help="On loopback. Default: 8100, or a free one where that is taken."
)
@click.option("--no-open", is_flag=True, help="Print the address, and open no browser.")
def command(
    *, config: Path | None, state: Path | None, context: str | None, namespace: str, port: int | None, no_open: bool
) -> None:
    """Serve a page on loopback: who serves what where, ladders, rollouts, money, the last hour. It writes nothing.

    With CONFIG, the state folder or `.fairlead` in this folder, of a `fairlead up`. Else of the cluster that KUBECONFIG
    names, through its API server. It ends with Ctrl-C.
    """
    from fairlead.console import local, server  # noqa: PLC0415  after a wrong command line

    folder = cluster.place(config, state)

    def say(url: str) -> None:
        click.echo(f"{url}  (Ctrl-C ends it)")

    if folder is not None:
        asyncio.run(server.serve(local.LocalSource(folder), port=port, show=not no_open, say=say))
        return
    from fairlead.console import cluster as pods  # noqa: PLC0415  what only clusters need

    async def run() -> None:
        async with pods.connect(context, namespace=namespace) as source:
            await server.serve(source, port=port, show=not no_open, say=say)

    asyncio.run(run())
