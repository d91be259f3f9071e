"""A group of commands that knows their names and first lines without importing them.

`fairlead --help` and shell completion answer in a tenth of a second; what a command needs is loaded when it runs.
"""

import importlib
import sys
from collections.abc import Mapping
from typing import Any

import click

from fairlead import __version__
from fairlead.cli import extras
from fairlead.errors import FairleadError

_COMMAND = "fairlead.command"
"""Where the context keeps which command is loaded or runs."""


class LazyGroup(click.Group):
    """Commands by name: where each lives (`module:attribute`) and what it does in one line.

    `extras` names the extras of the package that a command needs one of; those that are left out need none.
    """

    def __init__(
        self, *, commands_at: Mapping[str, tuple[str, str]], extras: Mapping[str, tuple[str, ...]], **settings: Any
    ) -> None:
        super().__init__(**settings, context_settings={"help_option_names": ["-h", "--help"]})
        self._commands_at = commands_at
        self._extras = extras
        click.version_option(__version__, prog_name=self.name)(self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order a newcomer meets them."""
        del ctx
        return list(self._commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in self._commands_at:
            return None
        ctx.meta[_COMMAND] = cmd_name
        module, _, attribute = self._commands_at[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._commands_at.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what is the fault of no code of ours is said in one line and ends with exit code 1."""
        try:
            return super().invoke(ctx)
        except FairleadError as error:
            problem = str(error)
        except ModuleNotFoundError as error:
            needed = self._extras.get(ctx.meta.get(_COMMAND, ""), ())
            if not needed or error.name is None or error.name.partition(".")[0] == "fairlead":
                raise
            problem = extras.advice(error.name, needed)
        except BrokenPipeError:
            raise  # click's to handle: nobody reads any more
        except OSError as error:  # a full disk, a folder that may not be read
            problem = f"{error.filename or 'the system'}: {(error.strerror or str(error)).lower()}"
        click.echo(f"error: {problem}", err=True)
        sys.exit(1)
