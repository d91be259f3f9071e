"""Files for those who gave none: found in the environment, asked for, written down."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from structlog.typing import FilteringBoundLogger

from fairlead.adapters import disk, lock
from fairlead.adapters.certificates import ca_bundle
from fairlead.adapters.probe import trust
from fairlead.budget.public_price import PublicPrices
from fairlead.cli import greeting, outside
from fairlead.errors import InstallationError, StateError
from fairlead.standalone import sought, starter_files
from fairlead.standalone.addresses import obstacle
from fairlead.standalone.starter import Starter, sources, starter
from fairlead.standalone.starter_files import INSTALLATION, KEY_ANYBODY_KNOWS, MANIFESTS, Access
from fairlead.standalone.state import StateFolder

HOST = "127.0.0.1"
PORTS = 20
"""How many are tried."""
CONSUMER = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is to serve, and what a person should hear about the rest."""

    starter: Starter
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where the files stand, and where they are served."""

    found: Found
    config: Path
    manifests: Path
    base_url: str


def _public_prices() -> PublicPrices | None:
    """Return the public prices of now; None without the package that brings them."""
    try:
        return outside.public_prices()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "fairlead":
            raise
        return None


def find(environment: Mapping[str, str]) -> Found:
    """Look for providers, and ask each for its models.

    Raises:
        InstallationError: nobody offers anything that can be served; one line for each that should, or what to set.

    """
    trusted = trust(ca_bundle(environment))
    offers, problems = asyncio.run(sought.offers(sources(environment), environment, trusted))
    if not offers:
        raise InstallationError("\n".join(problems) if problems else sought.WHAT_TO_SET)
    made = starter(offers, _public_prices())
    if not made.catalogues:
        raise InstallationError("\n".join((*problems, *greeting.left_out(made))))
    return Found(starter=made, warnings=problems)


def serve(state: StateFolder, environment: Mapping[str, str], wanted: int) -> Served:
    """Find what there is and write it below the state folder, to be served at a port or at the next that is free.

    Raises:
        InstallationError: as `find`, or no port is free.
        StateError: the folder cannot be written, or another `fairlead up` uses it.

    """
    if lock.holder(state.root) is not None:
        raise StateError(
            f"{state.root}: another `fairlead up` uses it; end that, or choose another folder with --state"
        )
    found = find(environment)
    port, moved = _port(wanted)
    keys = {"any": KEY_ANYBODY_KNOWS}
    own: dict[str, str] = {}
    for catalogue in found.starter.catalogues:
        variable = catalogue.source.variable
        if variable and environment[variable] not in {KEY_ANYBODY_KNOWS, *own.values()}:
            own[variable] = environment[variable]
            keys[catalogue.source.name] = f"${{{variable}}}"  # programs that read it work as they are
    access = Access(consumer=CONSUMER, keys=keys, anonymous=True, usd_per_day=None)
    made_by = "Made by `fairlead up` at each start anew. `fairlead init` writes such files to be edited."
    for name, text in starter_files.files(found.starter, access, listen=f"{HOST}:{port}", made_by=made_by).items():
        path = state.served / name
        disk.directory(path.parent)
        disk.write(path, text.encode())
    return Served(
        found=Found(starter=found.starter, warnings=(*found.warnings, *moved)),
        config=state.served / INSTALLATION,
        manifests=state.served / MANIFESTS,
        base_url=f"http://{HOST}:{port}/v1",
    )


def _port(wanted: int) -> tuple[int, tuple[str, ...]]:
    hindrance = ""
    for port in range(wanted, wanted + PORTS):
        here = obstacle(HOST, port)
        if here is None:
            moved = (f"port {wanted}: {hindrance}; this gateway takes {port}",) if hindrance else ()
            return port, moved
        hindrance = hindrance or here
    raise InstallationError(
        f"ports {wanted} to {wanted + PORTS - 1}: got none that is free ({hindrance}), want one, choose by --port"
    )


def warnings(served: Served) -> tuple[str, ...]:
    """Say what the environment names and nobody serves, and what lies here and is not served."""
    beside = Path(INSTALLATION)
    lying = (
        (f"{beside} lies here and is not served; `fairlead up -f {MANIFESTS} -c {beside}` serves it",)
        if beside.is_file()
        else ()
    )
    return (*served.found.warnings, *greeting.left_out(served.found.starter), *lying)


def greet(
    served: Served, log: FilteringBoundLogger, names: frozenset[str], *, folder: StateFolder, plain: bool
) -> None:
    """Say where to ask for what is answered, by these names: a page for a person, an event for a machine."""
    found = served.found.starter.answered(names)
    if not found.catalogues:
        log.error("refused", what="no model is served, for what is said above: correct that and start it anew")
        return
    if not plain:
        log.info("ready", what=greeting.served(found), base_url=served.base_url, prices=found.prices)
        return
    for line in greeting.greeting(found, served.base_url, folder=_shown(folder.root)):
        click.echo(line)


def _shown(folder: Path) -> str:
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)
