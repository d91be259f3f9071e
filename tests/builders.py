"""Objects for tests: small manifests with every needed field, changed by keyword."""

from collections.abc import Mapping
from typing import Any

from fairlead import compiler
from fairlead.api.decode import decode
from fairlead.api.installation import Installation, decode_installation
from fairlead.compiler import Compiled, Manifest, Observed, SecretRef, Snapshot
from fairlead.translate.diagnostics import Diagnostics
from fairlead.translate.geography import Geography
from fairlead.translate.references import References, Secrets

HOME = "fairlead"
REGIONS = (
    {"name": "us-east-1", "geo": "us", "listen": "127.0.0.1:8101"},
    {"name": "eu-west-1", "geo": "eu", "listen": "127.0.0.1:8102"},
    {"name": "eu-central-1", "geo": "eu", "listen": "127.0.0.1:8103"},
)
US, EU_WEST, EU_CENTRAL = (region["name"] for region in REGIONS)


def installation(**fields: Any) -> Installation:
    decoded = decode_installation({"namespace": HOME, "regions": [dict(region) for region in REGIONS], **fields})
    assert isinstance(decoded, Installation), decoded
    return decoded


def manifest(kind: str, name: str, namespace: str, spec: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": dict(spec),
    }


def model(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "usdPerMillionTokens": {"input": "1", "output": "2"}, **fields}


def embedding(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "type": "Embedding", "usdPerMillionTokens": {"input": "1"}, **fields}


def endpoint(name: str, region: str | None = None, **fields: Any) -> dict[str, Any]:
    written = {"name": name, "baseURL": f"https://{name}.example.com/v1", **fields}
    return written if region is None else {**written, "region": region}


def provider(
    name: str,
    *,
    endpoints: list[dict[str, Any]] | None = None,
    models: list[dict[str, Any]] | None = None,
    namespace: str = HOME,
    metadata: Mapping[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A provider that every namespace may use: one endpoint in us-east-1, model `small`."""
    return manifest(
        "ModelProvider",
        name,
        namespace,
        {
            "allowedRoutes": {"namespaces": {"from": "All"}},
            "endpoints": endpoints or [endpoint("us", US)],
            "models": models or [model("small")],
            **spec,
        },
        **(metadata or {}),
    )


def target(provider_name: str, model_name: str | None = None, **fields: Any) -> dict[str, Any]:
    written = {"provider": provider_name, **fields}
    return written if model_name is None else {**written, "model": model_name}


def route(
    name: str,
    primary: Mapping[str, Any] | None = None,
    *,
    namespace: str = "team-web",
    metadata: Mapping[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A route to model `small` of provider `p`."""
    return manifest(
        "ModelRoute", name, namespace, {"primary": dict(primary or target("p", "small")), **spec}, **(metadata or {})
    )


def consumer(
    name: str,
    *,
    namespace: str = "team-web",
    labels: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A consumer whose key lies in the Secret of its own name."""
    return manifest(
        "ModelConsumer",
        name,
        namespace,
        {"keys": [{"secretName": name}], **spec},
        labels=dict(labels or {}),
        **(metadata or {}),
    )


def budget(name: str, *, namespace: str = "team-web", **spec: Any) -> dict[str, Any]:
    return manifest("BudgetPolicy", name, namespace, {"limit": {"usd": "5"}, **spec})


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def secret(name: str, *, namespace: str = "team-web", key: str = "apiKey") -> SecretRef:
    return SecretRef(namespace, name, key)


def snapshot(*manifests: Mapping[str, Any], secrets: Mapping[SecretRef, str] | None = None, **fields: Any) -> Snapshot:
    return Snapshot(
        manifests=tuple(Manifest(content=content) for content in manifests), secrets=secrets or {}, **fields
    )


def compiled(
    *manifests: Mapping[str, Any],
    secrets: Mapping[SecretRef, str] | None = None,
    unreadable: frozenset[SecretRef] = frozenset(),
    installed: Installation | None = None,
    before: Compiled | None = None,
    **observed: Any,
) -> Compiled:
    """Compile manifests; `before` gives the compilation whose last good versions are remembered."""
    last_good = before.last_good if before is not None else {}
    return compiler.compile(
        snapshot(*manifests, secrets=secrets, unreadable=unreadable),
        installed or installation(),
        Observed(last_good=last_good, **observed),
    )


def decoded(written: Mapping[str, Any]) -> Any:
    """The object that a manifest describes."""
    found = decode(written, default_namespace=HOME)
    assert found.object is not None, found.problems
    return found.object


def references(**fields: Any) -> References:
    """What surrounds objects in unit tests: three regions, no Secrets, no labels."""
    return References(
        **{
            "home": HOME,
            "geography": Geography(installation().regions),
            "namespace_labels": {},
            "secrets": Secrets({}),
            "home_secrets_readable": True,
            "anonymous": None,
            **fields,
        }
    )


def said(diagnostics: Diagnostics) -> list[str]:
    """Everything that was found, as `reason path: message`, then warnings."""
    return [
        f"{diagnostic.reason} {diagnostic.problem}" for diagnostic in diagnostics.diagnostics
    ] + diagnostics.warnings
