"""The `fairlead` command."""

import click


@click.group()
def main() -> None:
    """Multi-region LLM routing on Envoy."""
