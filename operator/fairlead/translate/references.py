"""What surrounds the objects: the installation's regions, labels of namespaces, which secrets exist."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from fairlead.rollout.machine import Shares
from fairlead.rollout.plan import Source
from fairlead.translate.geography import Geography

NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"
"""The API server sets it on every namespace; so does `References`, for namespaces that only files know."""

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, order=True)
class SecretRef:
    """One entry of one Secret: where a value lies, never the value."""

    namespace: str
    name: str
    key: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}[{self.key}]"


class Secrets:
    """Which entries of Secrets exist, each with a fingerprint that is equal for equal values."""

    def __init__(
        self,
        fingerprints: Mapping[SecretRef, str],
        unreadable: Iterable[SecretRef] = (),
        unusable: Mapping[SecretRef, str] = MappingProxyType({}),
    ) -> None:
        self._fingerprints = fingerprints
        self._unreadable = frozenset(unreadable)
        self._unusable = unusable
        self._keys: dict[tuple[str, str], list[str]] = {}
        for ref in sorted({*fingerprints, *unusable}):
            self._keys.setdefault((ref.namespace, ref.name), []).append(ref.key)

    def fingerprint(self, ref: SecretRef) -> str | None:
        """Return what is equal for equal values, or None where nothing can be read."""
        return self._fingerprints.get(ref)

    def is_unreadable(self, ref: SecretRef) -> bool:
        """Tell whether the entry may exist, but not for our eyes."""
        return ref in self._unreadable and ref not in self._fingerprints

    def unusable(self, ref: SecretRef) -> str | None:
        """Say why the entry's value cannot be an API key, beginning with what was got; None when it can."""
        return self._unusable.get(ref)

    def keys(self, ref: SecretRef) -> tuple[str, ...]:
        """Return the keys of the whole Secret; empty when it does not exist."""
        return tuple(self._keys.get((ref.namespace, ref.name), ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """Everything that objects refer to and that is no object of ours."""

    home: str
    """The installation's namespace: providers and shared routes live there."""
    geography: Geography
    namespace_labels: Mapping[str, Mapping[str, str]]
    secrets: Secrets
    home_secrets_readable: bool
    """False on Kubernetes: nobody reads Secrets of the installation's namespace, so providers' credentials count as
    there, and consumers with keys cannot live there."""
    absent: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By region, files with credentials, `<secret>/<key>`, that pods say that they lack."""
    anonymous: str | None
    """Name of the consumer, in `home`, that callers without a key are; None = they are refused."""
    budget_server: bool = True
    """Whether gateways have a budget server to ask; else policies have no effect."""
    prometheus: Source | None = None
    """Who answers the queries of rollouts."""
    recorder: bool = True
    """Whether the installation has a recorder; else a route records only where it names one of its own."""
    in_cluster: bool = False
    """Whether the name of a Service is to be completed by its namespace."""
    rollouts: Mapping[str, Shares] = field(default_factory=dict)
    """By route, `namespace/name`, which targets may answer it and with which share; a route that is not named serves
    what is written."""

    @property
    def around(self) -> tuple[object, ...]:
        """Everything but secrets and rollouts, for comparison."""
        return (
            self.home,
            self.geography.regions,
            self.namespace_labels,
            self.home_secrets_readable,
            self.absent,
            self.anonymous,
            self.budget_server,
            self.prometheus,
            self.recorder,
            self.in_cluster,
        )

    def labels_of(self, namespace: str) -> Mapping[str, str]:
        """Return a namespace's labels, its name included."""
        return {**self.namespace_labels.get(namespace, _NOTHING), NAMESPACE_NAME_LABEL: namespace}
