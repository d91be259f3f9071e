"""Where each region's gateway listens, and where it shows its metrics."""

import asyncio
import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from fairlead.adapters import disk
from fairlead.api.installation import Installation
from fairlead.errors import InstallationError
from fairlead.ir import ListenAddress

METRICS_ABOVE = 1000
"""Metrics are shown that many ports above the gateway's own, where that is free: 8101 and 9101."""
LAST_PORT = 65535
PATIENCE_S = 1.0
LOOK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """A region's two ports."""

    listen: ListenAddress
    metrics: ListenAddress


def silent(installation: Installation) -> list[str]:
    """Say which regions that are served here have no address to listen at."""
    return [
        f"region `{region.name}`: listen: got nothing, want an address such as `127.0.0.1:8101`, add it"
        for region in installation.served
        if region.listen_address is None
    ]


def choose(installation: Installation) -> Mapping[str, Addresses]:
    """Return the addresses of the regions that are served here, by region.

    Raises:
        InstallationError: a region has no `listen`, or somebody else listens there; all of them are named.

    """
    problems = silent(installation)
    chosen: dict[str, Addresses] = {}
    taken = {address[1] for region in installation.regions if (address := region.listen_address)}
    for region in installation.served:
        where = f"region `{region.name}`: listen"
        if region.listen_address is None:
            continue
        host, number = region.listen_address
        hindrance = obstacle(host, number)
        if hindrance:
            problems.append(f"{where}: got `{region.listen}`, but {hindrance}; end that, or choose another port")
            continue
        metrics = number + METRICS_ABOVE
        if metrics > LAST_PORT or metrics in taken or obstacle(host, metrics):
            metrics = free_port(host)
        taken.add(metrics)
        chosen[region.name] = Addresses(
            listen=ListenAddress(address=host, port=number), metrics=ListenAddress(address=host, port=metrics)
        )
    if problems:
        raise InstallationError("\n".join(problems))
    return chosen


async def choose_patiently(installation: Installation) -> Mapping[str, Addresses]:
    """Choose, with a moment's patience: gateways of a run that was killed just now may still be ending.

    Raises:
        InstallationError: as `choose`.

    """
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE_S
    while True:
        try:
            return choose(installation)
        except InstallationError:
            if loop.time() > until:
                raise
        await asyncio.sleep(LOOK_S)


def shown(address: ListenAddress) -> str:
    """Write an address as in a URL."""
    host = f"[{address.address}]" if ":" in address.address else address.address
    return f"{host}:{address.port}"


def obstacle(host: str, port: int) -> str | None:
    """Say why nothing can listen there, as the middle of a sentence; None when it can.

    Asked before Envoy does: it binds with `reuse_port`, so a second one would share its connections without a word.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Connections of a gateway that ended a moment ago linger in TIME_WAIT and hinder nobody.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            return "another process listens there" if error.errno == errno.EADDRINUSE else disk.reason(error)
    return None


def free_port(host: str = "127.0.0.1") -> int:
    """Find a port that nobody listens on at this moment."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
