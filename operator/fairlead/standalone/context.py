"""What `fairlead up` is told when it starts: the command line, the installation, where each Envoy has its files."""

import dataclasses
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fairlead.adapters import installation_file
from fairlead.adapters.standby import Standby
from fairlead.api.installation import AccessLog, AnonymousPolicy, Installation
from fairlead.envoy import BudgetServer, Layout
from fairlead.errors import InstallationError
from fairlead.standalone.addresses import Addresses
from fairlead.standalone.state import StateFolder

MOST_WORKERS = 4
MEMORY_BYTES = 2 << 30
"""What each Envoy may take where the installation does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line says."""

    paths: tuple[Path, ...]
    config: Path
    state: StateFolder
    environment: Mapping[str, str]
    workers: int | None
    """Worker threads of each Envoy; None = the cores shared among the regions."""
    envoy_log_level: str
    drain_timeout_s: float
    log_bytes: int
    """A log above that is rotated."""
    standby: Standby | None = None
    """What becomes the budget server, if there is need of one."""
    run: str = dataclasses.field(default_factory=partial(secrets.token_hex, 8))
    """Tells this run from all others."""

    def workers_among(self, regions: int) -> int:
        """Share the cores among the regions; a laptop serves people and needs no more than a few."""
        return self.workers or max(1, min(MOST_WORKERS, len(os.sched_getaffinity(0)) // max(1, regions)))


def read_installation(path: Path) -> Installation:
    """Read the installation as `fairlead up` takes it: without a choice, callers without a key are let in."""
    installation = installation_file.read(path)
    if installation.anonymous is None:
        return installation.model_copy(update={"anonymous": AnonymousPolicy.ALLOW})
    return installation


def check_live(old: Installation, new: Installation) -> None:
    """Raise where the gateways would have to start anew."""
    before, after = ({region.name: region.listen for region in one.served} for one in (old, new))
    if before != after:
        differing = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        raise InstallationError(
            f"regions: got another address or another choice of served regions ({', '.join(differing)}), want the ones"
            " that `fairlead up` started with; stop it and start it again"
        )
    told = [one.telemetry.otlp if one.telemetry else "nothing" for one in (old, new)]
    if told[0] != told[1]:
        raise InstallationError(
            f"telemetry.otlp: got `{told[1]}`, want `{told[0]}`, with which `fairlead up` started;"
            " stop it and start it again"
        )
    for field, was, is_now in (
        ("connections", old.limits.connections, new.limits.connections),
        ("memoryBytes", old.limits.memory_bytes, new.limits.memory_bytes),
    ):
        if was != is_now:
            raise InstallationError(
                f"limits.{field}: got `{_said(is_now)}`, want `{_said(was)}`, with which `fairlead up` started;"
                " stop it and start it again"
            )


def _said(number: int | None) -> str:
    return "nothing" if number is None else str(number)


def layouts_of(
    installation: Installation,
    addresses: Mapping[str, Addresses],
    state: StateFolder,
    *,
    ca_file: str,
    budget: BudgetServer,
    recorder: str | None = None,
    run: str,
) -> dict[str, Layout]:
    """Return a layout for each region that has addresses.

    `run` tells this run of `fairlead up` from all others: several may share a store, and have regions of one name.
    """
    no_lines = installation.log.access is AccessLog.NONE
    found = {}
    for name, address in addresses.items():
        folder = state.region(name)
        found[name] = Layout(
            xds_dir=str(folder.xds),
            keys_dir=str(folder.keys),
            credentials_dir=str(folder.credentials),
            listen=address.listen,
            metrics_listen=address.metrics,
            admin=str(folder.admin),
            access_log=os.devnull if no_lines else str(folder.access_log),
            mounted=False,
            memory_bytes=installation.limits.memory_bytes or MEMORY_BYTES,
            ca_file=ca_file,
            budget=budget,
            recorder=recorder,
            instance=f"{name}-{run}",
        )
    return found
