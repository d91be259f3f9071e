"""What an operator is told when it starts: the installation, how gateways run here, who it is."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from fairlead.api.installation import AccessLog, Installation
from fairlead.envoy import BudgetServer, Drain, Layout
from fairlead.ir import ListenAddress
from fairlead.manifests import Settings, paths

COMPONENT_LABEL = "app.kubernetes.io/component"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Constant while the operator runs."""

    installation: Installation
    settings: Settings
    watch_namespaces: tuple[str, ...]
    """Empty = all namespaces."""
    lease: str
    """Name of the Lease by which one of several operators leads."""
    identity: str
    """Of this operator among them: its pod's name."""
    owner_uid: str
    """Of the ConfigMap that owns everything that the operator makes."""

    @property
    def namespace(self) -> str:
        """Return the installation's namespace, which is the release's."""
        return self.installation.namespace

    @property
    def owner(self) -> Mapping[str, str]:
        """Return the reference to what owns everything that the operator makes."""
        return {"apiVersion": "v1", "kind": "ConfigMap", "name": self.settings.owner, "uid": self.owner_uid}

    @property
    def watched_namespaces(self) -> tuple[str, ...]:
        """Return the namespaces to watch, its own among them; empty = all."""
        return tuple(sorted({*self.watch_namespaces, self.namespace})) if self.watch_namespaces else ()

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """Return where each region's Envoy finds its files: every pod is alike."""
        budget = self.settings.budget_server
        layout = Layout(
            xds_dir=paths.XDS_DIR,
            keys_dir=paths.KEYS_DIR,
            credentials_dir=paths.CREDENTIALS_DIR,
            listen=ListenAddress(address=_ANY, port=paths.HTTP_PORT),
            metrics_listen=ListenAddress(address=_ANY, port=paths.METRICS_PORT),
            admin=paths.ADMIN_SOCKET,
            access_log=os.devnull if self.installation.log.access is AccessLog.NONE else paths.ACCESS_LOG,
            ca_file=paths.CA_FILE,
            instance=f"%ENVIRONMENT({paths.POD_NAME})%",
            budget=None if budget is None else BudgetServer(rpc=budget.rpc, usage=budget.usage),
            drain=Drain(
                listen=ListenAddress(address=_ANY, port=paths.DRAIN_PORT), path=paths.drain_path(self.owner_uid)
            ),
        )
        return {region.name: layout for region in self.installation.served}


_ANY = "0.0.0.0"  # noqa: S104  a pod serves its Service, its scraper and its kubelet
