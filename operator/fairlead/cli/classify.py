"""`fairlead classify`."""

import asyncio
import json
import os
from collections import Counter
from typing import BinaryIO

import click

from fairlead.adapters import category_answer
from fairlead.cli import options
from fairlead.errors import AnswerError
from fairlead.matching.confusion import FAILED, NOT_ASKED, Confusion, Labelled, labelled

_OK = 200
_ALL = 100


@click.command()
@click.option(
    "--file", "lines", metavar="FILE", type=click.File("rb"), required=True, help="Labelled texts, JSON Lines."
)
@click.option("--model", metavar="NAME", required=True, help="The name by which clients call the route.")
@click.option(
    "--url", metavar="URL", default="http://127.0.0.1:8101", show_default=True, help="Where the gateway listens."
)
@click.option(
    "--key-variable",
    metavar="NAME",
    default="FAIRLEAD_API_KEY",
    show_default=True,
    help="The environment variable that holds the caller's key; without it nobody calls.",
)
@click.option("--at-least", metavar="PERCENT", type=click.FloatRange(0, _ALL), help="Fail below this accuracy.")
@click.option(
    "--parallel", metavar="N", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests at a time."
)
@options.output
def command(
    *, lines: BinaryIO, model: str, url: str, key_variable: str, at_least: float | None, parallel: int, output: str
) -> None:
    """Say how well a running route's classifier sorts labelled texts: accuracy, and what was taken for what.

    FILE has a line `{"text": ..., "category": ...}` for each text. Each is sent as a request of one token, which the
    caller pays for. Exit code 1 below `--at-least`, and where no text was sorted.
    """
    try:
        texts = labelled(lines)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--file") from None
    if not texts:
        raise click.BadParameter("got no line, want labelled texts", param_hint="--file")
    said, troubles = asyncio.run(_ask(texts, model, url, os.environ.get(key_variable), parallel))
    found = Confusion.of(zip((one.category for one in texts), said, strict=True))
    if output == "json":
        click.echo(json.dumps({**found.document(), "failures": dict(sorted(troubles.items()))}, indent=2))
    else:
        for line in found.lines():
            click.echo(line)
        if NOT_ASKED in found.columns:
            click.echo("(not asked): no rule needed a category, or one without matched before")
        for trouble, count in sorted(troubles.items()):
            click.echo(f"(failed): {count} x {trouble}")
    sorted_at_all = any(one not in {NOT_ASKED, FAILED} for one in said)
    raise SystemExit(int(not sorted_at_all or (at_least is not None and found.accuracy * _ALL < at_least)))


async def _ask(
    texts: tuple[Labelled, ...], model: str, url: str, key: str | None, parallel: int
) -> tuple[list[str], Counter[str]]:
    """Return what is said of each text, in their order, and why requests failed."""
    troubles: Counter[str] = Counter()
    gate = asyncio.Semaphore(parallel)
    async with category_answer.client(url, key, connections=parallel) as client:

        async def one(text: Labelled) -> str:
            async with gate:
                try:
                    answer = await category_answer.ask(client, model, text.text)
                except AnswerError as error:
                    troubles[str(error)] += 1
                    return FAILED
            if answer.category is not None:
                return answer.category
            if answer.status == _OK:
                return NOT_ASKED
            troubles[f"status {answer.status}"] += 1
            return FAILED

        return list(await asyncio.gather(*map(one, texts))), troubles
