"""`fairlead recorder`: takes pairs of answers from gateways, and shows those that it kept."""

import asyncio
import importlib.util
import json
import shutil
import signal
import textwrap
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import click

from fairlead.api import quantity
from fairlead.cli import options
from fairlead.recorder import shelf

Json = dict[str, Any]
EXTRAS = ("aiohttp", "prometheus_client", "structlog")
MEGABYTE = 1_000_000


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Keep pairs of answers for people to look at: a route's own and its shadow's to the same request."""


@command.command()
@click.option("--listen", default="127.0.0.1:8084", show_default=True, help="HOST:PORT or unix:PATH, for gateways.")
@click.option("--http", metavar="HOST:PORT", help="Where metrics and health are shown. Default: nowhere.")
@click.option(
    "--dir", "folder", required=True, type=click.Path(path_type=Path, file_okay=False), help="Where pairs are kept."
)
@click.option("--keep", default="168h", show_default=True, metavar="DURATION", help="How long a pair is kept at most.")
@click.option(
    "--megabytes", default=100, show_default=True, type=click.IntRange(1, 1_000_000), help="How much is kept at most."
)
def serve(*, listen: str, http: str | None, folder: Path, keep: str, megabytes: int) -> None:
    """Take parts of pairs, redact them, and write whole pairs down. Nothing can be read from it: see `show`."""
    missing = [name for name in EXTRAS if importlib.util.find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"got no {', '.join(f'`{name}`' for name in missing)}, want the recorder's extras; "
            "run `pip install 'fairlead[recorder]'`"
        )
    try:
        keep_ms = quantity.milliseconds(keep)
    except ValueError:
        raise click.UsageError(f"--keep: got `{keep}`, want a duration such as `168h`") from None
    asyncio.run(_serve(listen, http, folder, keep_ms, megabytes * MEGABYTE))


async def _serve(listen: str, http: str | None, folder: Path, keep_ms: int, most_bytes: int) -> None:
    import structlog  # noqa: PLC0415 - an extra, which may be missing

    from fairlead.adapters.clock import SystemClock  # noqa: PLC0415
    from fairlead.cli import journal  # noqa: PLC0415
    from fairlead.errors import FairleadError  # noqa: PLC0415
    from fairlead.recorder.server import Recorder, Settings  # noqa: PLC0415

    journal.of_a_server()
    clock = SystemClock()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    settings = Settings(listen=listen, http=http, folder=folder, keep_ms=keep_ms, most_bytes=most_bytes)
    log = structlog.get_logger()
    try:
        recorder = Recorder(settings, lambda: int(clock.now().timestamp() * 1000), log)
        await recorder.start()
    except (FairleadError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    log.info("listening", what=listen)
    await stopped.wait()
    await recorder.stop()


@command.command()
@click.argument("route", metavar="NAMESPACE/ROUTE", required=False)
@click.option(
    "-n", "most", default=10, show_default=True, type=click.IntRange(1, 10_000), help="How many, newest first."
)
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), help="The recorder's folder.")
@options.config(required=False)
@options.state
@options.output
def show(
    *, route: str | None, most: int, folder: Path | None, config: Path | None, state: Path | None, output: str
) -> None:
    """Show pairs, the newest first: the question, and both answers side by side."""
    if folder is None:
        folder = options.state_folder(config, state).pairs
    pairs = list(islice((pair for pair in shelf.read(folder) if route in (None, pair.get("route"))), most))
    if output == "json":
        click.echo(json.dumps(pairs, indent=2, ensure_ascii=False))
        return
    width = max(60, min(200, shutil.get_terminal_size().columns))
    click.echo("\n\n".join("\n".join(lines(pair, width)) for pair in pairs) or "no pairs yet")


def lines(pair: Json, width: int) -> list[str]:
    """Write one pair for a screen of this width. Nothing of it can move the cursor."""
    question = pair.get("question") or {}
    asked = [f"{one.get('role')}: {one.get('text')}" for one in question.get("messages") or ()]
    found = [f"{pair.get('at')}  {pair.get('route')}  {pair.get('request')}"]
    for text in asked or [str(question.get("unread", ""))]:
        found += _wrapped(text, width - 2, indent="  ")
    column = (width - 3) // 2
    stable, candidate = (_column(pair.get(side) or {}, side, column) for side in ("stable", "candidate"))
    found.append("-" * width)
    found += [f"{left:<{column}} | {right}".rstrip() for left, right in zip_longest(stable, candidate, fillvalue="")]
    return [_shown(line) for line in found]


def _column(answer: Json, side: str, width: int) -> list[str]:
    counts = answer.get("usage") or {}
    tokens = counts.get("completion_tokens", counts.get("output_tokens"))
    facts = [str(answer.get("status")), str(answer.get("finishReason") or "-"), f"{tokens} tokens" if tokens else ""]
    found = _wrapped(f"{side}: {answer.get('target')}", width)
    found += _wrapped(", ".join(filter(None, facts)) + (", cut at 64 KiB" if answer.get("cut") else ""), width)
    found += _wrapped(str(answer.get("text") or answer.get("error") or ""), width)
    for call in answer.get("toolCalls") or ():
        found += _wrapped(f"{call.get('name')}({call.get('arguments')})", width)
    return found


def _wrapped(text: str, width: int, *, indent: str = "") -> list[str]:
    return [
        f"{indent}{piece}"
        for line in _shown(text, keep="\n").splitlines() or [""]
        for piece in textwrap.wrap(line, width, break_long_words=True, replace_whitespace=False) or [""]
    ]


def _shown(text: str, keep: str = "") -> str:
    """Leave out what a terminal would obey: an answer is anybody's text."""
    return "".join(letter if letter.isprintable() or letter in keep else " " for letter in text)
