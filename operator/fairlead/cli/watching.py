"""What a person looks at: shown once, or anew every second until it is interrupted."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import click

from fairlead.errors import FairleadError

Command = TypeVar("Command", bound=Callable[..., Any])
EVERY_S = 1.0
EVERY_OF_A_CLUSTER_S = 5.0
"""Its API server answers others, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One look."""

    text: str
    exit_code: int = 0


def option(command: Command) -> Command:
    """Add `--watch`."""
    return click.option(
        "--watch", is_flag=True, help="Show it anew every second (of a cluster: every five), until interrupted."
    )(command)


def show(look: Callable[[], View], *, watch: bool, output: str, of_cluster: bool) -> NoReturn:
    """Show what `look` returns, and end with its exit code; Ctrl-C ends a watch with the last one's.

    While it watches, an error is shown in place of the view, since what is looked at may come back.

    Raises:
        UsageError: a machine wants to watch.

    """
    if not watch:
        view = look()
        click.echo(view.text)
        raise SystemExit(view.exit_code)
    if output == "json":
        raise click.UsageError("got --watch and -o json, want one of them: the command in a loop is the same")
    view = View(text="")
    try:
        while True:
            try:
                view = look()
            except FairleadError as error:
                view = View(text=f"error: {error}", exit_code=1)
            click.clear()
            click.echo(view.text)
            time.sleep(EVERY_OF_A_CLUSTER_S if of_cluster else EVERY_S)
    except KeyboardInterrupt:
        raise SystemExit(view.exit_code) from None
