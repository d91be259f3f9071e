"""`fairlead kill`: stop a consumer now."""

from pathlib import Path

import click

from fairlead.cli import options
from fairlead.standalone import kill


@click.command()
@click.argument("consumers", metavar="NAMESPACE/NAME...", nargs=-1)
@click.option("--undo", is_flag=True, help="Let them go on.")
@click.option("--list", "listing", is_flag=True, help="Say who is stopped.")
@options.config(required=False)
@options.state
def command(*, consumers: tuple[str, ...], undo: bool, listing: bool, config: Path | None, state: Path | None) -> None:
    """Stop consumers of a `fairlead up` within a second: each request gets 429 until `--undo`.

    It holds over restarts. In a cluster, write a BudgetPolicy with `usd: "0"` for them.
    """
    folder = options.state_folder(config, state)
    if not consumers and not listing:
        raise click.UsageError("name at least one consumer, `namespace/name`, or ask for --list")
    for consumer in consumers:
        namespace, _, name = consumer.partition("/")
        if not namespace or not name or "/" in name:
            raise click.UsageError(f"got `{consumer}`, want `namespace/name` of a ModelConsumer")
    killed = kill.read(folder.killed)
    if consumers:
        killed = killed - set(consumers) if undo else killed | set(consumers)
        kill.write(folder.killed, killed)
    for consumer in sorted(killed if listing else consumers):
        click.echo(f"{consumer}: {'stopped' if consumer in killed else 'goes on'}")
