"""`fairlead render`."""

import os
from pathlib import Path
from typing import BinaryIO

import click

from fairlead.adapters import disk, gateways_file
from fairlead.cli import options
from fairlead.errors import FairleadError, InstallationError
from fairlead.manifests import Settings
from fairlead.standalone.diagnostics import Weight, diagnostics
from fairlead.standalone.offline import compile_offline


@click.command()
@options.files
@options.config(required=True)
@click.option(
    "--gateways",
    metavar="FILE",
    type=click.File("rb"),
    help="`gateways.json` of the release, as the chart writes it. Default: that of a release of the usual name.",
)
@click.option("--region", metavar="R", help="Only this region. Default: all that the installation serves.")
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to write: DIR/<region>/bootstrap.json and DIR/<region>/xds/.",
)
def command(
    *, paths: tuple[Path, ...], config: Path, gateways: BinaryIO | None, region: str | None, folder: Path
) -> None:
    """Write the files that each region's Envoy reads, byte by byte as its pods have them (paths under /etc/fairlead).

    No secret is written: keys and credentials are files that Kubernetes mounts. Objects with problems are left out and
    named; then the exit code is 1.
    """
    release, installation, _ = compile_offline(paths, config, dict(os.environ), gateways=_settings(gateways))
    served = [one.name for one in installation.served]
    if region is not None and region not in served:
        raise click.BadParameter(f"got `{region}`, want one of {', '.join(served)}", param_hint="--region")
    problems = [one for one in diagnostics(release, in_effect=False) if one.weight is Weight.PROBLEM]
    for problem in problems:
        click.echo(f"problem: {problem}", err=True)
    for name in [region] if region else served:
        if name in release.too_large:
            continue
        files = release.regions[name].files
        root = folder / name
        try:
            disk.prune(root / "xds", frozenset(root / path for path in files))
            for path, content in files.items():
                disk.write(root / path, content, private=False)
        except FairleadError as error:
            raise click.ClickException(str(error)) from None
        click.echo(f"{name}: {len(files)} files, digest {release.regions[name].digest}, in {root}")
    raise SystemExit(int(bool(problems)))


def _settings(file: BinaryIO | None) -> Settings | None:
    """Read what the chart says about a release's gateways.

    Raises:
        BadParameter: it is not what the chart writes.

    """
    if file is None:
        return None
    try:
        return gateways_file.decode(file.read(), file.name)
    except InstallationError as error:
        raise click.BadParameter(str(error), param_hint="--gateways") from None
