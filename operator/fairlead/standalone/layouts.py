"""Where each region's Envoy has its files under `fairlead up`."""

import os
from collections.abc import Mapping

from fairlead.api.installation import AccessLog, Installation
from fairlead.envoy import BudgetServer, Layout
from fairlead.standalone.addresses import Addresses
from fairlead.standalone.state import StateFolder


def layouts(
    installation: Installation,
    addresses: Mapping[str, Addresses],
    state: StateFolder,
    *,
    ca_file: str,
    budget: BudgetServer,
) -> dict[str, Layout]:
    """Return a layout for each region that has addresses."""
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
            ca_file=ca_file,
            budget=budget,
        )
    return found
