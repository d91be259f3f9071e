"""Every endpoint of every provider that counts: what health judges it by, and where it is asked."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from fairlead import ir
from fairlead.api.protocol import with_version
from fairlead.health.endpoint import Endpoint
from fairlead.translate.providers import Capacity, Provider
from fairlead.translate.providers import Endpoint as ProviderEndpoint
from fairlead.translate.references import References, SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredEndpoint:
    """One endpoint, whether a route uses it or not."""

    health: Endpoint
    """What health judges it by."""
    endpoint: str
    """Its name in the provider."""
    upstream: ir.Upstream
    """Where it is."""
    path: str
    """Of a probe; begins with `/`, the base path included."""
    credential: ir.Credential | None
    sends_credential: bool
    """Whether probes go through a gateway, which adds the credential."""
    capacity: Capacity

    @property
    def name(self) -> str:
        """`provider/endpoint`."""
        return self.health.name


def declared_endpoints(
    providers: Iterable[Provider], gateways: Iterable[ir.Gateway], references: References
) -> tuple[DeclaredEndpoint, ...]:
    """List them, sorted by name. One is used if a gateway that runs here has a target there."""
    models: dict[tuple[str, str], set[str]] = {}
    for gateway in gateways:
        for target in gateway.targets:
            models.setdefault((target.provider, target.endpoint), set()).add(target.model)
    found = (
        _declared(provider, endpoint, len(models.get((provider.name, endpoint.name), ())), references)
        for provider in providers
        for endpoint in provider.endpoints
    )
    return tuple(sorted(found, key=lambda one: one.name))


def _declared(provider: Provider, endpoint: ProviderEndpoint, models: int, references: References) -> DeclaredEndpoint:
    probing = provider.probing
    return DeclaredEndpoint(
        health=Endpoint(
            name=f"{provider.name}/{endpoint.name}",
            provider=provider.name,
            region=endpoint.region,
            interval_ms=probing.interval_ms,
            timeout_ms=probing.timeout_ms,
            unhealthy_threshold=probing.unhealthy_threshold,
            healthy_threshold=probing.healthy_threshold,
            probed=probing.enabled,
            models=models,
            identity=_identity(endpoint, references),
        ),
        endpoint=endpoint.name,
        upstream=endpoint.upstream,
        path=with_version(f"{endpoint.upstream.base_path}{probing.path}", endpoint.api_version),
        credential=endpoint.credential,
        sends_credential=probing.sends_credential and endpoint.credential is not None,
        capacity=endpoint.capacity,
    )


def _identity(endpoint: ProviderEndpoint, references: References) -> str:
    """Return what is equal for the same address and the same credential, as far as its value can be known here."""
    credential = endpoint.credential
    value = None
    if credential is not None and references.home_secrets_readable:
        value = references.secrets.fingerprint(SecretRef(references.home, credential.secret_name, credential.key))
    upstream = endpoint.upstream
    parts = (
        str(upstream.tls),
        upstream.host,
        str(upstream.port),
        with_version(upstream.base_path, endpoint.api_version),
        "" if credential is None else credential.name,
        value or "",
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
