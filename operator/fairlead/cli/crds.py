"""`fairlead crds`."""

from pathlib import Path

import click

from fairlead.adapters import disk
from fairlead.api.crd import crds


@click.command()
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to write one file per kind.",
)
def command(*, folder: Path) -> None:
    """Write the CustomResourceDefinitions of the four kinds."""
    for name, content in crds().items():
        disk.write(folder / name, content, private=False)
        click.echo(folder / name)
