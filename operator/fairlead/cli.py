"""The `fairlead` command."""

import click

from fairlead.demo.command import demo


@click.group()
def main() -> None:
    """Multi-region LLM routing on Envoy."""


main.add_command(demo)
