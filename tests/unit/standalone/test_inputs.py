import base64
from typing import Any

import pytest

from fairlead.adapters.document import Document, DocumentError
from fairlead.adapters.manifest_files import ManifestFile
from fairlead.api.core import Redacted
from fairlead.api.meta import ObjectKey
from fairlead.compiler import SecretRef
from fairlead.runtime.snapshot import fingerprint
from fairlead.standalone.inputs import FileContent, Inputs, Memory, take_in

ROUTE = {"apiVersion": "fairlead.dev/v1alpha1", "kind": "ModelRoute", "metadata": {"name": "chat"}, "spec": {}}
ROUTE_KEY = ObjectKey("ModelRoute", "home", "chat")
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team", "labels": {"llm": "on"}}}


def secret(name: str = "s", namespace: str = "team", **string_data: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": string_data}


def file(path: str, *manifests: Any, **fields: Any) -> ManifestFile:
    documents = tuple(Document(manifest=one, source=f"{path}:{line}") for line, one in enumerate(manifests, 1))
    return ManifestFile(path=path, documents=documents, **{"error": None, **fields})


def taken(*files: ManifestFile, memory: Memory | None = None, **environment: str) -> Inputs:
    return take_in(files, memory=memory or Memory(), environment=environment, default_namespace="home")


def values(inputs: Inputs) -> dict[tuple[str, str], dict[str, str]]:
    return {
        name: {key: value.reveal().decode() for key, value in entries.items()}
        for name, entries in inputs.secrets.items()
    }


def told(inputs: Inputs) -> list[str]:
    return [str(diagnostic) for diagnostic in inputs.diagnostics]


def test_secrets_are_taken_apart_from_the_rest() -> None:
    inputs = taken(file("a.yaml", ROUTE, secret(key="sk-1"), NAMESPACE))
    assert [manifest.content for manifest in inputs.manifests] == [ROUTE, NAMESPACE]
    assert values(inputs) == {("team", "s"): {"key": "sk-1"}}
    assert inputs.sources == {ROUTE_KEY: "a.yaml:1", ObjectKey("Secret", "team", "s"): "a.yaml:2"}
    assert inputs.values.value(SecretRef("team", "s", "key")) == Redacted(b"sk-1")
    assert inputs.values.value(SecretRef("team", "s", "other")) is None
    assert "sk-1" not in repr(inputs)


def test_lists_are_unpacked() -> None:
    inputs = taken(file("a.yaml", {"apiVersion": "v1", "kind": "List", "items": [ROUTE, secret(key="sk-1")]}))
    assert [manifest.content for manifest in inputs.manifests] == [ROUTE]
    assert values(inputs) == {("team", "s"): {"key": "sk-1"}}


def test_the_compiler_learns_what_is_equal_and_nothing_else() -> None:
    prints = taken(file("a.yaml", secret(a="x", b="x", c="y"))).values.fingerprints()
    a, b, c = (prints[SecretRef("team", "s", key)] for key in "abc")
    assert a == b != c


@pytest.mark.parametrize(
    ("written", "want", "why"),
    [
        ({"stringData": {"k": "${KEY}"}}, {"k": "sk-1"}, "from the environment"),
        ({"stringData": {"k": "sk-1\n"}}, {"k": "sk-1"}, "editors and `echo` leave a line break"),
        ({"data": {"k": base64.b64encode(b"sk-1\r\n").decode()}}, {"k": "sk-1"}, "in base64 too"),
        ({"stringData": {"k": "a\nb", "l": "sk-1"}}, {"l": "sk-1"}, "no header can carry two lines"),
        ({"stringData": {"k": "schlüssel"}}, {}, "nor what is not ASCII"),
        ({"stringData": {"k": ""}}, {}, "nor is nothing a key"),
    ],
)
def test_values(written: dict[str, Any], want: dict[str, str], why: str) -> None:
    inputs = taken(file("a.yaml", {**secret(), "stringData": {}, **written}), KEY="sk-1")
    assert values(inputs) == {("team", "s"): want}, why
    assert all(diagnostic.warning for diagnostic in inputs.diagnostics)
    assert len(inputs.diagnostics) == len({**written.get("stringData", {}), **written.get("data", {})}) - len(want)


BEFORE = Memory(secrets={("team", "s"): {"key": Redacted(b"old")}})


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (secret(key="${UNSET}"), "want it in the environment, set the variable `UNSET`"),
        (secret(key=5), "want a string, write it in quotes"),
        ({**secret(), "data": {"key": "%"}}, "got a value that is not base64"),
    ],
)
def test_a_wrong_secret_keeps_its_last_good_values_and_hurts_nobody(manifest: dict[str, Any], message: str) -> None:
    other = secret("other", key="sk-2")
    inputs = taken(file("a.yaml", manifest, other), memory=BEFORE)
    assert values(inputs) == {("team", "s"): {"key": "old"}, ("team", "other"): {"key": "sk-2"}}
    (line,) = told(inputs)
    assert line.startswith("a.yaml:1: Secret team/s: ")
    assert message in line
    assert line.endswith("; its last good values stay in effect")
    assert values(taken(file("a.yaml", manifest, other))) == {("team", "other"): {"key": "sk-2"}}, "absent without one"


def test_a_secret_in_two_versions_is_refused_in_both_whatever_their_order() -> None:
    files = [file("a.yaml", secret(key="1")), file("b.yaml", secret(key="2"))]
    for order in (files, files[::-1]):
        inputs = taken(*order, memory=BEFORE)
        assert values(inputs) == {("team", "s"): {"key": "old"}}
        assert "got 2 versions in" in told(inputs)[0]
    assert told(taken(files[0], file("b.yaml", secret(key="1")))) == [], "twice the same is no conflict"


def test_a_file_that_cannot_be_read_is_told_and_what_it_held_stays() -> None:
    error = DocumentError("a.yaml:7", "not YAML: x")
    inputs = taken(file("a.yaml", ROUTE, error=error))
    assert told(inputs) == ["a.yaml:7: not YAML: x; its objects stay as they were"]
    assert [manifest.content for manifest in inputs.manifests] == [ROUTE]
    assert told(taken(file("a.yaml", error=error, never_read=True))) == ["a.yaml:7: not YAML: x"]


def test_after_a_restart_a_file_that_cannot_be_read_is_what_it_was() -> None:
    before = taken(file("a.yaml", ROUTE, NAMESPACE, secret(key="sk-1")), file("b.yaml", secret("other", key="sk-2")))
    memory = Memory(objects={ROUTE_KEY: ROUTE}, files=before.files, secrets=before.secrets)
    broken = file("a.yaml", error=DocumentError("a.yaml:7", "not YAML: x"), never_read=True)
    after = taken(broken, file("b.yaml", secret("other", key="sk-3")), memory=memory)
    assert [manifest.content for manifest in after.manifests] == [ROUTE, NAMESPACE]
    assert values(after) == {("team", "s"): {"key": "sk-1"}, ("team", "other"): {"key": "sk-3"}}
    assert after.files["a.yaml"] == before.files["a.yaml"], "and a second restart finds the same"


def test_files_remember_names_and_fingerprints_only() -> None:
    (content,) = taken(file("a.yaml", ROUTE, secret(key="sk-1"))).files.values()
    prints = {"key": fingerprint(Redacted(b"sk-1"))}
    assert content == FileContent(objects=(ROUTE_KEY,), namespaces=(), secrets={("team", "s"): prints})


@pytest.mark.parametrize(
    "manifest", [{"kind": "ModelRoute"}, {"kind": 5, "metadata": []}, {"metadata": {"name": 5}}, {}]
)
def test_what_has_no_name_is_passed_on_for_the_compiler_to_judge(manifest: dict[str, Any]) -> None:
    inputs = taken(file("a.yaml", manifest))
    assert [one.content for one in inputs.manifests] == [manifest]
    assert inputs.sources == {}


def test_a_secret_without_a_name_is_told_here() -> None:
    nameless = {"apiVersion": "v1", "kind": "Secret", "metadata": {}, "stringData": {"k": "sk-1"}}
    (line,) = told(taken(file("a.yaml", nameless)))
    assert line.startswith("a.yaml:1: metadata.name")


def test_a_credentials_file_of_aws_has_several_lines() -> None:
    written = "# work\n[default]\r\naws_access_key_id = AKID\n\taws_secret_access_key = a/b+c=\n"
    made = taken(file("a.yaml", secret(file=written, other="two\nlines", odd="aws_secret_access_key = \0")))
    assert made.secrets["team", "s"]["file"].reveal() == written.encode()
    assert list(made.secrets["team", "s"]) == ["file"]
    assert len(made.diagnostics) == 2
