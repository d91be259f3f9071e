"""`fairlead init`."""

import os
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from fairlead.adapters import disk
from fairlead.cli import greeting, options, zero_files
from fairlead.cli.zero_files import Found
from fairlead.errors import StateError
from fairlead.standalone import starter_files
from fairlead.standalone.starter import Starter
from fairlead.standalone.starter_files import INSTALLATION, MANIFESTS, Access

CONSUMER = "me"
KEY_BYTES = 24
USD_PER_DAY = "10.00"
SECRETS = f"{MANIFESTS}/secrets.yaml"
IGNORED = (SECRETS, ".fairlead/")
"""What does not belong into Git."""


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@options.port
def command(*, folder: Path, port: int) -> None:
    """Write into DIR what `fairlead up` without files would serve, to be edited.

    One provider for each API that the environment leads to, with its models and their public prices; one route for
    each, a consumer with a fresh key, a budget. Asks nothing, and overwrites nothing.
    """
    paths = [folder / name for name in (INSTALLATION, *(f"{MANIFESTS}/{name}.yaml" for name in _PARTS))]
    standing = [str(path) for path in paths if os.path.lexists(path)]
    if standing:
        raise StateError(f"{', '.join(standing)}: there already, want a folder without; choose another, or remove them")
    found = zero_files.find(dict(os.environ))
    access = Access(
        consumer=CONSUMER,
        keys={"apiKey": f"fl-{secrets.token_urlsafe(KEY_BYTES)}"},
        anonymous=False,
        usd_per_day=USD_PER_DAY,
    )
    made = starter_files.files(
        found.starter,
        access,
        listen=f"{zero_files.HOST}:{port}",
        made_by="Made by `fairlead init`: yours to edit.",
    )
    for name, text in made.items():
        disk.write(folder / name, text.encode(), private=name == SECRETS)
    _ignore(folder / ".gitignore")
    for line in (*_written(folder, list(made), found), *_next(folder, found.starter, port)):
        click.echo(line)


_PARTS = ("providers", "routes", "secrets")


def _ignore(path: Path) -> None:
    """Name what Git leaves out, beside what is named there already."""
    before = (disk.read(path) or b"").decode(errors="surrogateescape")
    lacking = [line for line in IGNORED if line not in before.splitlines()]
    if lacking:
        start = before if not before or before.endswith("\n") else f"{before}\n"
        disk.write(path, (start + "\n".join(lacking) + "\n").encode(errors="surrogateescape"), private=False)


def _written(folder: Path, names: list[str], found: Found) -> Iterator[str]:
    for warning in (*found.warnings, *greeting.left_out(found.starter)):
        yield f"warning: {warning}"
    yield f"wrote:  {', '.join(str(folder / name) for name in names)}"
    yield f"        {greeting.served(found.starter)}; {SECRETS} holds a fresh key, and .gitignore names it"
    yield from greeting.of_prices(found.starter)


def _next(folder: Path, starter: Starter, port: int) -> Iterator[str]:
    manifests, config = shlex.quote(str(folder / MANIFESTS)), shlex.quote(str(folder / INSTALLATION))
    yield f"next:   fairlead check -f {manifests} -c {config}"
    yield f"        fairlead up -f {manifests} -c {config}"
    yield f"        key=$(sed -n 's/^ *apiKey: \"\\(fl-.*\\)\"$/\\1/p' {shlex.quote(str(folder / SECRETS))})"
    for line in greeting.curl(f"http://{zero_files.HOST}:{port}/v1", starter, key="$key").splitlines():
        yield f"        {line}"
