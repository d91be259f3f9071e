"""`fairlead demo`: runs the story, then stays up. Knows what to say when the extras are not installed."""

import asyncio
import importlib.util
import signal
from pathlib import Path

import click

EXTRAS = ("aiohttp", "xllamacpp", "gguf", "numpy", "openai")
INTERRUPTED = 130
"""Exit code of a story that was stopped in the middle, as shells have it."""


@click.command()
@click.option("--once", is_flag=True, help="End after the story instead of staying up.")
@click.option(
    "--dir", "folder", default=".demo", type=click.Path(path_type=Path), help="Scratch folder; it is emptied."
)
@click.option(
    "--replay", "seconds", default=120, type=click.IntRange(1, 120), help="Seconds of the production hour to replay."
)
@click.option("--speed", default=8.0, type=click.FloatRange(0.1, 100), help="How many times faster to replay them.")
@click.option(
    "--hour", is_flag=True, help="Run nothing: book the whole production hour, and say what each route saves."
)
@click.pass_context
def demo(context: click.Context, *, once: bool, folder: Path, seconds: int, speed: float, hour: bool) -> None:
    """Show what Fairlead does, on this machine: three regions, real Envoys, real inference servers."""
    missing = [name for name in EXTRAS if importlib.util.find_spec(name) is None]
    if missing:
        click.echo(
            f"fairlead demo: got no {', '.join(f'`{name}`' for name in missing)}, want the demo's extras; "
            "run `pip install 'fairlead[demo]'` (in a clone: `make install`)",
            err=True,
        )
        context.exit(1)
    if hour:
        _book_the_hour()
        return
    try:
        context.exit(asyncio.run(_perform(folder, once=once, seconds=seconds, speed=speed)))
    except KeyboardInterrupt:
        context.exit(INTERRUPTED)


def _book_the_hour() -> None:
    from fairlead.adapters.clock import SystemClock  # noqa: PLC0415 - imports the extras, which may be missing
    from fairlead.demo import ledger, ways  # noqa: PLC0415
    from fairlead.demo.scene import source  # noqa: PLC0415
    from fairlead.demo.trace import hour  # noqa: PLC0415

    trace, now_ms = hour(), int(SystemClock().now().timestamp() * 1000)
    found = asyncio.run(ledger.savings(trace, ledger.rules(source()), now_ms=now_ms))
    click.echo("\n".join(ledger.lines(found, len(trace))))
    click.echo()
    click.echo("\n".join(ways.table(ways.columns(source(), trace))))


async def _perform(folder: Path, *, once: bool, seconds: float, speed: float) -> int:
    """Run the performance, so that SIGTERM ends it like Ctrl-C."""
    from fairlead.demo.performance import perform  # noqa: PLC0415 - imports the extras, which may be missing

    task = asyncio.ensure_future(perform(folder, once=once, seconds=seconds, speed=speed))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise
        return INTERRUPTED
