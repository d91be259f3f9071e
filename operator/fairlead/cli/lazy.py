"""A group of commands that knows their names and first lines without importing them.

`fairlead --help` and shell completion answer in a tenth of a second; what a command needs is loaded when it runs.
"""

import importlib
import sys
from collections.abc import Mapping
from typing import Any

import click

from fairlead import __version__
from fairlead.errors import FairleadError


class LazyGroup(click.Group):
    """Commands by name: where each lives (`module:attribute`) and what it does in one line."""

    def __init__(self, *, commands_at: Mapping[str, tuple[str, str]], **settings: Any) -> None:
        super().__init__(**settings, context_settings={"help_option_names": ["-h", "--help"]})
        self._commands_at = commands_at
        click.version_option(__version__, prog_name=self.name)(self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order a newcomer meets them."""
        del ctx
        return list(self._commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in self._commands_at:
            return None
        module, _, attribute = self._commands_at[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._commands_at.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error that carries a message for a person ends with exit code 1."""
        try:
            return super().invoke(ctx)
        except FairleadError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(1)
