"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

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
