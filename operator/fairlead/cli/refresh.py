"""`fairlead refresh`: let gateways take a provider's rotated credential now."""

from typing import TYPE_CHECKING

import click

from fairlead.cli import cluster

if TYPE_CHECKING:
    from fairlead.adapters.kube import Kube


@click.command()
@click.argument("providers", metavar="PROVIDER...", nargs=-1, required=True)
@click.option(
    "-n", "--namespace", metavar="NAME", default="fairlead", show_default=True, help="The installation's namespace."
)
@cluster.context
def command(*, providers: tuple[str, ...], namespace: str, context: str | None) -> None:
    """Let every gateway look at the Secrets of ModelProviders now, rather than within a minute. No pod is restarted.

    In the cluster that KUBECONFIG names. `fairlead up` reads its Secrets when their file changes.
    """
    cluster.check_installed()
    from fairlead.adapters.clock import SystemClock  # noqa: PLC0415  what only clusters need
    from fairlead.controller import refresh  # noqa: PLC0415  the same

    async def act(kube: "Kube") -> None:
        await refresh.ask(kube, SystemClock(), namespace, providers)

    cluster.ask(act, context)
    for provider in providers:
        click.echo(f"{namespace}/{provider}: gateways look at its Secrets now")
