"""What a gateway can serve before its pods mount a new Secret: everything but the providers that need it.

A pod mounts Secrets when it starts. So a provider that names a new one waits for pods that are replaced, and meanwhile
gateways go on with the version before of it, or without it; what refers to it keeps its last good version, as always.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from fairlead.api.meta import ObjectKey
from fairlead.api.provider import ProviderCredential
from fairlead.translate.intake import Manifest

Versions = Mapping[ObjectKey, Mapping[str, Any]]

_PROVIDER = "ModelProvider"
_KEY = ProviderCredential.model_fields["key"].default


def credential_secrets(versions: Versions) -> frozenset[str]:
    """Return the Secrets of all providers, used or not."""
    return frozenset(name for key, version in versions.items() if key.kind == _PROVIDER for name in secrets_of(version))


def secrets_of(provider: Mapping[str, Any]) -> Iterator[str]:
    """Yield the Secrets that a provider names; it may be of any shape."""
    return (secret for secret, _ in entries_of(provider))


def entries_of(provider: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the Secrets that a provider names, each with its key; it may be of any shape."""
    spec = provider.get("spec")
    endpoints = spec.get("endpoints") if isinstance(spec, Mapping) else None
    for endpoint in endpoints if isinstance(endpoints, list) else ():
        credential = endpoint.get("credential") if isinstance(endpoint, Mapping) else None
        yield from _entry(credential)
    kept = spec.get("previousResponses") if isinstance(spec, Mapping) else None
    signed_by = kept.get("signedBy") if isinstance(kept, Mapping) else None
    for secret in signed_by if isinstance(signed_by, list) else ():
        yield from _entry(secret)


def _entry(written: Any) -> Iterator[tuple[str, str]]:
    if isinstance(written, Mapping) and isinstance(written.get("secretName"), str):
        yield written["secretName"], str(written.get("key", _KEY))


def without(manifests: Iterable[Manifest], lacking: Collection[str], *, last_good: Versions) -> tuple[Manifest, ...]:
    """Put the version before in the place of each provider that names a lacking Secret, or leave it out."""
    kept = []
    for manifest in manifests:
        if manifest.content.get("kind") != _PROVIDER or not _names(manifest.content, lacking):
            kept.append(manifest)
            continue
        before = last_good.get(_key(manifest.content))
        if before is not None and not _names(before, lacking):
            kept.append(Manifest(content=before, source=manifest.source))
    return tuple(kept)


def mounted(versions: Versions, lacking: Collection[str]) -> Versions:
    """Leave out the remembered providers that name a lacking Secret."""
    return {key: one for key, one in versions.items() if key.kind != _PROVIDER or not _names(one, lacking)}


def _names(provider: Mapping[str, Any], secrets: Collection[str]) -> bool:
    return any(name in secrets for name in secrets_of(provider))


def _key(content: Mapping[str, Any]) -> ObjectKey:
    metadata = content.get("metadata")
    named = metadata if isinstance(metadata, Mapping) else {}
    return ObjectKey(_PROVIDER, str(named.get("namespace", "")), str(named.get("name", "")))
