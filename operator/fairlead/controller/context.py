"""What an operator is told when it starts: the installation, how gateways run here, who it is."""

from collections.abc import Mapping
from dataclasses import dataclass

from fairlead.api.installation import Installation
from fairlead.compiler import HelmRelease, pod_layouts
from fairlead.envoy import Layout
from fairlead.manifests import COMPONENT_LABEL, Settings


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

    revision: str = ""
    """Of the release that this operator's pod was made by; empty: nobody said."""

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
        return pod_layouts(
            self.installation,
            self.settings.budget_server,
            recorder=self.settings.recorder,
            regions=self.settings.regions,
        )

    @property
    def release(self) -> HelmRelease:
        """Return the release as the compiler wants to know it."""
        return HelmRelease(settings=self.settings, owner_uid=self.owner_uid)

    def labels_of(self, kind: str) -> Mapping[str, str]:
        """Return the labels of the objects of a kind that the operator follows.

        Those of gateways; pods and ConfigMaps of all components, since the budget server's are written and nudged too.
        """
        of_all = kind in ("Pod", "ConfigMap")
        selector = self.settings.selector
        return {name: selector[name] for name in selector if not (of_all and name == COMPONENT_LABEL)}
