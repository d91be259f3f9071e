import json
from pathlib import Path
from typing import Any

from builders import REGIONS, endpoint, installation, manifest, provider
from fairlead.adapters.document import Document
from fairlead.adapters.manifest_files import ManifestFile
from fairlead.api.core import Redacted
from fairlead.compiler import pod_layouts
from fairlead.standalone import diagnostics, release
from fairlead.standalone.diagnostics import Weight
from fairlead.standalone.inputs import Memory, take_in
from fairlead.standalone.release import Release

ROUTE = manifest("ModelRoute", "chat", "team", {"primary": {"provider": "p", "model": "small"}, "residency": "Any"})
CONSUMER = manifest("ModelConsumer", "agent", "team", {"keys": [{"secretName": "agent"}]})


def secret(name: str, namespace: str, **values: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}


def keyed(*keys: str) -> dict[str, Any]:
    endpoints = [endpoint(key, "us-east-1", credential={"secretName": "p", "key": key}) for key in keys]
    return provider("p", endpoints=endpoints)


def headed(*keys: str) -> dict[str, Any]:
    credentials = [{"secretName": "p", "key": key, "header": f"X-{key}"} for key in keys]
    return provider("p", endpoints=[endpoint(one["key"], "us-east-1", credential=one) for one in credentials])


def made(*documents: dict[str, Any], memory: Memory | None = None) -> Release:
    known = tuple(Document(manifest=document, source=f"f.yaml:{line}") for line, document in enumerate(documents, 1))
    memory = memory or Memory()
    file = ManifestFile(path="f.yaml", documents=known, error=None)
    inputs = take_in((file,), memory=memory, environment={}, default_namespace="fairlead")
    return release.make(inputs, installation(), memory, pod_layouts(installation(), None))


EVERYTHING = (
    keyed("a"),
    ROUTE,
    CONSUMER,
    secret("p", "fairlead", a="sk-a", x="sk-x"),
    secret("agent", "team", apiKey="sk-c"),
)


def test_keys_and_credentials_go_where_envoy_reads_them_and_nowhere_else() -> None:
    whole = made(*EVERYTHING)
    assert list(whole.regions) == [region["name"] for region in REGIONS]
    serving = whole.regions["us-east-1"]
    assert serving.credentials == {("p", "a"): Redacted(b"sk-a")}, "what nobody refers to is not written"
    (extension,) = json.loads(serving.keys)["resources"]
    assert extension["typed_config"]["credentials"] == [{"key": "sk-c", "client": "team/agent"}]
    assert "sk-" not in repr(whole)
    assert not any(b"sk-" in content for content in serving.files.values())


def test_listeners_between_take_off_the_headers_of_both() -> None:
    old, new = (
        made(headed(*keys), ROUTE, secret("p", "fairlead", a="1", b="2", c="3")).regions["us-east-1"]
        for keys in (("a", "b"), ("b", "c"))
    )
    between = release.listeners_between(old, new)
    assert between is not None
    assert [f'"remove":"x-{key}"'.encode() in between for key in "abc"] == [True, True, True]
    assert release.listeners_between(new, new) is None


def test_notices_name_object_and_place() -> None:
    wrong = manifest("ModelRoute", "chat", "team", {"primary": {"provider": "q", "model": "small"}})
    policy = manifest("BudgetPolicy", "b", "team", {"limit": {"usd": "1"}})
    found = diagnostics.diagnostics(
        made(keyed("a"), wrong, policy, secret("p", "fairlead", a="${UNSET}")), in_effect=True
    )
    assert [(one.weight, one.subject, one.source) for one in found] == [
        (Weight.PROBLEM, "Secret fairlead/p", "f.yaml:4"),
        (Weight.WARNING, "BudgetPolicy team/b", "f.yaml:3"),
        (Weight.PROBLEM, "ModelRoute team/chat", "f.yaml:2"),
    ]
    assert found[0].message.endswith("; needed by `ModelProvider fairlead/p`")
    assert str(found[-1]).startswith("ModelRoute team/chat (f.yaml:2): spec.primary.provider: got `q`")
    assert str(found[-1]).endswith("; nothing of the object is in effect")


def test_notices_say_which_version_serves() -> None:
    before = made(*EVERYTHING)
    wrong = manifest("ModelRoute", "chat", "team", {"primary": {"provider": "p", "model": "smal"}})
    after = made(*EVERYTHING[:1], wrong, *EVERYTHING[2:], memory=Memory(objects=before.compiled.last_good))
    assert str(diagnostics.diagnostics(after, in_effect=True)[0]).endswith("; the last good version stays in effect")
    assert not str(diagnostics.diagnostics(after, in_effect=False)[0]).endswith("in effect")
    assert after.regions["us-east-1"].digest == before.regions["us-east-1"].digest


def test_what_is_too_large_is_told_and_not_cut(monkeypatch: Any) -> None:
    monkeypatch.setattr("fairlead.envoy.LIMIT_BYTES", 1000)
    whole = made(*EVERYTHING)
    assert whole.regions == {}
    assert set(whole.too_large) == {region["name"] for region in REGIONS}
    assert "want at most 1000" in str(diagnostics.diagnostics(whole, in_effect=True)[-1])


def test_pods_have_their_files_under_etc() -> None:
    (layout, *_) = pod_layouts(installation(), None).values()
    assert Path(layout.xds_dir).parts[:3] == ("/", "etc", "fairlead")
    assert layout.mounted
