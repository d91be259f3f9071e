"""From what a shell observed to the one snapshot that is compiled, and back from it to the keys that gateways accept.

Values of Secrets end here: what the compiler learns of one is a fingerprint, and whether it can be an API key.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fairlead.api.core import Redacted
from fairlead.compiler import Compiled, Manifest, SecretRef, Snapshot
from fairlead.envoy import unusable_key

SecretName = tuple[str, str]
"""Namespace and name."""
Values = Mapping[str, Redacted]
"""A Secret's values by key: text in UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretValues:
    """The values of Secrets that a shell could read."""

    secrets: Mapping[SecretName, Values] = field(repr=False)
    salt: bytes = field(default=b"", repr=False)
    """Makes fingerprints worthless outside of this process; empty where they are compared over restarts."""

    def value(self, ref: SecretRef) -> Redacted | None:
        """Look one value up; None when there is none."""
        return self.secrets.get((ref.namespace, ref.name), {}).get(ref.key)

    def fingerprints(self) -> dict[SecretRef, str]:
        """Return a digest for each value."""
        return {ref: fingerprint(value, self.salt) for ref, value in self._each()}

    def unusable(self) -> dict[SecretRef, str]:
        """Say of each value that cannot be an API key why; a provider's credential may be one all the same."""
        found = ((ref, unusable_key(value.reveal().decode())) for ref, value in self._each())
        return {ref: problem for ref, problem in found if problem is not None}

    def _each(self) -> Iterable[tuple[SecretRef, Redacted]]:
        for (namespace, name), values in self.secrets.items():
            for key, value in values.items():
                yield SecretRef(namespace, name, key), value


def fingerprint(value: Redacted, salt: bytes = b"") -> str:
    """Return what is equal for equal values and says nothing else about them."""
    return hashlib.sha256(salt + value.reveal()).hexdigest()


def snapshot(
    manifests: Iterable[Manifest], secrets: SecretValues, *, unreadable: frozenset[SecretRef] = frozenset()
) -> Snapshot:
    """Put together what is compiled. `unreadable` are entries that may exist, but that nobody let this shell read."""
    return Snapshot(
        manifests=tuple(manifests),
        secrets=secrets.fingerprints(),
        unreadable=unreadable,
        unusable=secrets.unusable(),
    )


def bound_keys(compiled: Compiled, secrets: SecretValues) -> list[tuple[str, str]]:
    """Return (key, consumer) for each key that there is, in the order of the bindings; the keys are in clear."""
    found = ((secrets.value(binding.ref), binding.consumer) for binding in compiled.key_bindings)
    return [(value.reveal().decode(), consumer) for value, consumer in found if value is not None]
