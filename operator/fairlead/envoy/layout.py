"""Where things stand in the machine or pod that runs one gateway's Envoy."""

from dataclasses import dataclass

from fairlead.ir import ListenAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """Where a pod's preStop hook asks the gateway to end its requests."""

    listen: ListenAddress
    path_variable: str
    """The environment variable that holds the path. It is not to be guessed, since who knows it can take the gateway
    out of service, so it stands in no file; without the variable nobody can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetServer:
    """Where the budget server listens for gateways: `host:port`, or `unix:/path`."""

    rpc: str
    """Checks and reports, gRPC."""
    usage: str
    """`GET /v1/usage`, HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Absolute paths and addresses as Envoy sees them. No trailing slashes."""

    xds_dir: str
    """Holds lds.json, cds.json and rds.json; a change arrives by rename (or by a mount's `..data`)."""
    keys_dir: str
    """Holds ecds.json, the API keys: a Secret on Kubernetes, mode 0600 elsewhere."""
    credentials_dir: str
    """The provider credentials, one file each: `<credentials_dir>/<secret>/<key>`."""
    listen: ListenAddress
    """The data port."""
    metrics_listen: ListenAddress | None
    """A port that answers `GET /metrics` and nothing else; None = no such port."""
    admin: str | ListenAddress
    """Envoy's admin interface: the path of a unix socket (mode 0600), or an address that nobody else can reach."""
    access_log: str
    """The file for request, attempt and shadow lines: `/dev/stdout` in a pod."""
    mounted: bool = True
    """True: the files lie in mounts, which the kubelet changes as a whole. False: each file is replaced by itself."""
    packed: bool = False
    """Whether ConfigMaps bring the files of `xds_dir` in gzip, and something in the pod unpacks them: then they may be
    longer, and each is replaced by itself."""
    ca_file: str
    """The certificates that providers' TLS is checked against, PEM."""
    memory_bytes: int | None = None
    """What may be taken where this Envoy runs; None = nobody says."""
    drain: Drain | None = None
    """Where `GET` of its path is answered when the last request has ended; None = nowhere."""
    budget: BudgetServer | None = None
    """None = there is none, and budgets have no effect."""
    recorder: str | None = None
    """Where the installation's recorder listens: `host:port`, or `unix:/path`; None = there is none."""
    instance: str = ""
    """What tells this Envoy from others of its region in reports and counters; empty = the region's name. On Kubernetes
    the pod's name, as `%ENVIRONMENT(...)%`; of a `fairlead up` the region and its run. Two that run at once, in
    installations that share a store, never have one name: they would look like one that starts again and again."""

    @property
    def xds_mounted(self) -> bool:
        """Whether the files of `xds_dir` change as a whole, so that Envoy reads all of them again when one has changed.

        Else it reads the one: of 2,000 routes the clusters are 2 MB, half of what a change costs it.
        """
        return self.mounted and not self.packed
