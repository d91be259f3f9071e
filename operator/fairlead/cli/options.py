"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from fairlead.standalone.state import NAME, StateFolder

Command = TypeVar("Command", bound=Callable[..., Any])
HERE = Path(NAME)
"""The state folder of an installation in the current folder."""


def files(command: Command) -> Command:
    """Add `-f`, repeated."""
    return _files(command, required=True)


def optional_files(command: Command) -> Command:
    """Add `-f`, which may be left out."""
    return _files(command, required=False)


def _files(command: Command, *, required: bool) -> Command:
    return click.option(
        "-f",
        "--file",
        "paths",
        metavar="PATH",
        required=required,
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


def port(command: Command) -> Command:
    """Add `--port`."""
    return click.option(
        "--port",
        metavar="PORT",
        type=click.IntRange(min=1, max=65535 - 1000),
        default=8101,
        show_default=True,
        help="Where the gateway listens that no file says anything about, on 127.0.0.1.",
    )(command)


def state(command: Command) -> Command:
    """Add `--state`."""
    return click.option(
        "--state",
        metavar="DIR",
        type=click.Path(file_okay=False, path_type=Path),
        help="The state folder. Default: `.fairlead` beside CONFIG, or in the current folder.",
    )(command)


def state_folder(config: Path | None, state: Path | None) -> StateFolder:
    """Return the state folder that `-c` or `--state` names, or without either the one in the current folder.

    Raises:
        UsageError: neither is given, and none is here.

    """
    if config is None and state is None:
        if not HERE.is_dir():
            raise click.UsageError(
                f"no `{HERE}` is in this folder: give -c CONFIG or --state DIR, what `fairlead up` was started with"
            )
        return StateFolder(root=HERE.absolute())
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
