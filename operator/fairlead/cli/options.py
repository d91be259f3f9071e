"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from fairlead.standalone.state import StateFolder

Command = TypeVar("Command", bound=Callable[..., Any])


def files(command: Command) -> Command:
    """Add `-f`, repeated."""
    return click.option(
        "-f",
        "--file",
        "paths",
        metavar="PATH",
        required=True,
        multiple=True,
        type=click.Path(exists=True, path_type=Path),
        help="Manifests: a file, or a folder searched for *.yaml, *.yml and *.json. May be given several times.",
    )(command)


def config(*, required: bool) -> Callable[[Command], Command]:
    """Add `-c`."""
    return click.option(
        "-c",
        "--config",
        metavar="CONFIG",
        required=required,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="The installation: regions, their geo and listen address, namespace, limits.",
    )


def state(command: Command) -> Command:
    """Add `--state`."""
    return click.option(
        "--state",
        metavar="DIR",
        type=click.Path(file_okay=False, path_type=Path),
        help="The state folder. Default: `.fairlead` beside CONFIG.",
    )(command)


def state_folder(config: Path | None, state: Path | None) -> StateFolder:
    """Return the state folder that `-c` or `--state` names. Raises `UsageError` without either."""
    if config is None and state is None:
        raise click.UsageError("give -c CONFIG or --state DIR: what `fairlead up` was started with")
    return StateFolder(root=state.absolute()) if state else StateFolder.beside(config or Path())


def output(command: Command) -> Command:
    """Add `-o json`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="For a person or for a machine.",
    )(command)
