"""`fairlead up`."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from fairlead.adapters.standby import Standby, is_likely
from fairlead.cli import options
from fairlead.standalone.state import StateFolder


@click.command()
@options.optional_files
@options.config(required=False)
@options.state
@options.port
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
    config: Path | None,
    state: Path | None,
    port: int,
    drain_timeout: float,
    workers: int | None,
    log_format: str,
    log_megabytes: int,
) -> None:
    """Serve the manifests at PATH from this machine: one Envoy per region of CONFIG.

    Without PATH and CONFIG, serve what the environment leads to: OPENAI_API_KEY (and OPENAI_BASE_URL),
    OPENROUTER_API_KEY, an Ollama or a vLLM on its usual port.

    Files are watched: an accepted change is live in less than a second and loses no request, a refused one is
    explained while what was there before keeps serving.
    """
    if bool(paths) != (config is not None):
        raise click.UsageError("give both -f PATH and -c CONFIG; or neither, to serve what the environment leads to")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    os.umask(0o077)  # what children write is as private as the folder that it stands in
    folder = StateFolder(root=state.absolute()) if state else StateFolder.beside(config or Path("here"))
    with asyncio.Runner() as runner:
        standby = None
        if is_likely(paths, folder.budget.places.database):
            standby = runner.run(Standby.start(os.environ))  # it loads while we do
        gc.disable()  # what is loaded stays: looking through it takes a tenth of the time
        # Only now: whoever ends the command while it loads finds it well-behaved.
        from fairlead.adapters import signals  # noqa: PLC0415
        from fairlead.cli import journal, zero_files  # noqa: PLC0415
        from fairlead.standalone.context import Settings  # noqa: PLC0415
        from fairlead.standalone.up import Up  # noqa: PLC0415

        gc.freeze()
        gc.enable()
        threshold = journal.Threshold()
        log = journal.to_stdout(log_format, threshold)
        greet: Callable[[frozenset[str]], None] = _nothing
        if config is None:
            served = zero_files.serve(folder, dict(os.environ), port)
            paths, config = (served.manifests,), served.config
            for warning in zero_files.warnings(served):
                log.warning("warning", what=warning)
            greet = partial(zero_files.greet, served, log, folder=folder, plain=log_format == "text")
        settings = Settings(
            paths=paths,
            config=config,
            state=folder,
            environment=dict(os.environ),
            workers=workers,
            envoy_log_level="warning",
            drain_timeout_s=drain_timeout,
            log_bytes=log_megabytes * 1024 * 1024,
            standby=standby,
        )
        signals.leave_out_strays(runner.get_loop())
        runner.run(Up(settings, log=log, set_log_level=threshold.set, on_listening=greet).run())


def _nothing(names: frozenset[str]) -> None:
    """Greet nobody who knows what was written."""
    del names


def _leave(number: int, frame: object) -> None:
    """End before anything has begun: there is nothing to stop, and a child that loads ends with us.

    At once: an exception would come up in whatever runs, a task or an import, which would print it.
    """
    del number, frame
    os._exit(0)
