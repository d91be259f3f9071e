"""`fairlead up`."""

import asyncio
import os
import signal
from pathlib import Path

import click

from fairlead.cli import options


@click.command()
@options.files
@options.config(required=True)
@options.state
@click.option(
    "--drain-timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="How long requests in flight may take after SIGTERM or Ctrl-C; a second one ends everything at once.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Worker threads of each Envoy. Default: the machine's cores shared among the regions, at most 4.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="One event per line, for a person or for a machine.",
)
@click.option(
    "--log-megabytes",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="An access.log or envoy.log above that is renamed to <name>.1, in place of the one before.",
)
def command(
    *,
    paths: tuple[Path, ...],
    config: Path,
    state: Path | None,
    drain_timeout: float,
    workers: int | None,
    log_format: str,
    log_megabytes: int,
) -> None:
    """Serve the manifests at PATH from this machine: one Envoy per region of CONFIG.

    Files are watched: an accepted change is live in less than a second and loses no request, a refused one is
    explained while what was there before keeps serving.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    # Only now: whoever ends the command while it loads finds it well-behaved.
    from fairlead.cli import journal  # noqa: PLC0415
    from fairlead.standalone.context import Settings  # noqa: PLC0415
    from fairlead.standalone.state import StateFolder  # noqa: PLC0415
    from fairlead.standalone.up import Up  # noqa: PLC0415

    os.umask(0o077)  # what children write is as private as the folder that it stands in
    settings = Settings(
        paths=paths,
        config=config,
        state=StateFolder(root=state.absolute()) if state else StateFolder.beside(config),
        environment=dict(os.environ),
        workers=workers,
        envoy_log_level="warning",
        drain_timeout_s=drain_timeout,
        log_bytes=log_megabytes * 1024 * 1024,
    )
    threshold = journal.Threshold()
    log = journal.to_stdout(log_format, threshold)
    asyncio.run(Up(settings, log=log, set_log_level=threshold.set).run())


def _leave(number: int, frame: object) -> None:
    """End before anything has begun: there is nothing to stop."""
    del number, frame
    raise SystemExit(0)
