"""What the demo prints."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click


class Narrator:
    """Numbers the steps and times them."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._steps = 0

    @property
    def seconds(self) -> float:
        """Time since the demo began."""
        return time.monotonic() - self._began

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce a step; when it ends, say how long it took and whether it went well."""
        self._steps += 1
        began = time.monotonic()
        click.echo()
        click.secho(f"{self._steps:>2}  {title}", bold=True)
        try:
            yield
        except (asyncio.CancelledError, KeyboardInterrupt):
            click.secho(f"    stopped after {time.monotonic() - began:.1f} s", fg="yellow")
            raise
        except BaseException:
            click.secho(f"    failed after {time.monotonic() - began:.1f} s", fg="red")
            raise
        click.secho(f"    ok, {time.monotonic() - began:.1f} s", fg="green")

    def say(self, text: str) -> None:
        """Print a line that explains."""
        click.echo(f"    {text}")

    def show(self, text: str) -> None:
        """Print a line that came from the system itself."""
        for line in text.splitlines():
            click.secho(f"    | {line}", fg="cyan")

    def token(self, text: str) -> None:
        """Print a piece of a stream as it arrives."""
        click.secho(text, fg="cyan", nl=False)
