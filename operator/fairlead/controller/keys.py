"""Consumers' API keys: read by name, only where a namespace agreed, only to hand them to the gateways.

Never listed, never watched, never logged. What leaves this module is a fingerprint for the compiler, and the values for
the one Secret that gateways mount.
"""

import base64
import binascii
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from fairlead.adapters.kube import ForbiddenError, Kube, UnreachableError
from fairlead.api.core import Redacted
from fairlead.runtime.parallel import each
from fairlead.runtime.snapshot import SecretName, SecretValues, Values
from fairlead.translate import SecretRef

Object = Mapping[str, Any]

_AT_ONCE = 8


class KeyRing:
    """The Secrets that ModelConsumers name, as they were last read."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._salt = secrets.token_bytes(16)
        self._values: dict[SecretName, Values | None] = {}
        self._forbidden: set[SecretName] = set()

    def __repr__(self) -> str:
        return f"KeyRing({len(self._values)} secrets)"

    def missing(self, wanted: Iterable[SecretName]) -> tuple[SecretName, ...]:
        """Return those that were never read, allowed or not."""
        return tuple(name for name in sorted(set(wanted)) if name not in self._values and name not in self._forbidden)

    async def read(self, wanted: Iterable[SecretName]) -> bool:
        """Read these Secrets; tell whether anything differs.

        What cannot be reached keeps its last value: a key is not lost because the API server is.
        """
        return any(await each(sorted(set(wanted)), self._read, at_once=_AT_ONCE))

    def forget_all_but(self, wanted: Iterable[SecretName]) -> None:
        """Drop what no consumer names any more."""
        kept = set(wanted)
        self._values = {name: value for name, value in self._values.items() if name in kept}
        self._forbidden &= kept

    async def _read(self, name: SecretName) -> bool:
        namespace, secret = name
        try:
            found = await self._kube.get("Secret", namespace=namespace, name=secret)
        except ForbiddenError:
            was_allowed = name not in self._forbidden
            self._forbidden.add(name)
            self._values.pop(name, None)
            return was_allowed
        except UnreachableError:
            return False
        values = None if found is None else _decoded(found)
        differs = name not in self._values or self._values[name] != values or name in self._forbidden
        self._forbidden.discard(name)
        self._values[name] = values
        return differs

    @property
    def values(self) -> SecretValues:
        """Return the values that were read; their fingerprints are worthless outside this process."""
        return SecretValues(secrets={name: values or {} for name, values in self._values.items()}, salt=self._salt)

    def unreadable(self, refs: Iterable[SecretRef]) -> frozenset[SecretRef]:
        """Choose those that may exist, but that no RoleBinding opens."""
        return frozenset(ref for ref in refs if (ref.namespace, ref.name) in self._forbidden)


def _decoded(secret: Object) -> Values:
    """Decode a Secret's data. What is not text has U+FFFD in it, which no API key can have."""
    values = {}
    for key, encoded in (secret.get("data") or {}).items():
        try:
            text = base64.b64decode(encoded).decode(errors="replace").strip()
        except binascii.Error:
            continue
        values[key] = Redacted(text.encode())
    return values


def wanted_refs(consumers: Iterable[Object], *, home: str) -> tuple[SecretRef, ...]:
    """Return the entries that ModelConsumers name, as far as they are well-formed; never one of the home namespace."""
    return tuple(
        SecretRef(consumer["metadata"].get("namespace", ""), key["secretName"], str(key.get("key", DEFAULT_KEY)))
        for consumer in consumers
        if consumer["metadata"].get("namespace", "") != home
        for key in _named(consumer.get("spec"))
        if isinstance(key, Mapping) and isinstance(key.get("secretName"), str)
    )


def _named(spec: Any) -> list[Any]:
    keys = spec.get("keys") if isinstance(spec, Mapping) else None
    return keys if isinstance(keys, list) else []


DEFAULT_KEY = "apiKey"
"""The entry of a Secret that a consumer names without `key`: the CRD's default."""
