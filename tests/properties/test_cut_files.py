"""Half a file, and one whose edit lost the name of an object, take no live object along."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.adapters.document import DocumentError, parse
from fairlead.adapters.manifest_files import ManifestFiles
from fairlead.api.decode import decode, unpack
from fairlead.api.meta import ObjectKey
from fairlead.standalone.inputs import Inputs, Memory, take_in

GROUP = "fairlead.dev/v1alpha1"
PROVIDER = {
    "apiVersion": GROUP,
    "kind": "ModelProvider",
    "metadata": {"name": "sim", "namespace": "team"},
    "spec": {
        "endpoints": [
            {"name": "one", "baseURL": "https://a.example/v1", "credential": {"secretName": "s", "key": "k"}}
        ],
        "models": [{"name": "sparrow", "usdPerMillionTokens": {"input": "1", "output": "2"}}],
    },
}
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "s", "namespace": "team"},
    "stringData": {"k": "v"},
}
SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team", "labels": {"llm": "on"}}}


def route(name: str, **metadata: Any) -> dict[str, Any]:
    spec = {"residency": "Any", "primary": {"provider": "sim", "model": "sparrow"}}
    return {
        "apiVersion": GROUP,
        "kind": "ModelRoute",
        "metadata": {"name": name, "namespace": "team"} | metadata,
        "spec": spec,
    }


DOCUMENTS = (SPACE, SECRET, PROVIDER, route("chat"), route("code"))
TEXTS = {
    "a.yaml": yaml.safe_dump_all(DOCUMENTS, sort_keys=False),
    "headed.yaml": "# Ours.\n---\n" + yaml.safe_dump_all(DOCUMENTS, sort_keys=True),
    "list.yaml": yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": list(DOCUMENTS)}, sort_keys=False),
}


class Folder:
    """One file as `fairlead up` reads it again and again, all that it held having been accepted."""

    def __init__(self, path: Path, text: str, *, restarts: bool) -> None:
        self._path, self._restarts = path, restarts
        path.write_text(text)
        self._files = ManifestFiles((path,))
        inputs = self._taken(Memory())
        objects: dict[ObjectKey, Any] = {
            key: one.content
            for one in inputs.manifests
            if (key := decode(one.content, default_namespace="team").key) is not None
        }
        self.memory = Memory(objects=objects, files=inputs.files, secrets=inputs.secrets)
        self.held = held(inputs)

    def _taken(self, memory: Memory) -> Inputs:
        return take_in(self._files.read(), memory=memory, environment={}, default_namespace="team")

    def read(self, text: str) -> Inputs:
        """What is taken in after an edit."""
        self._path.write_text(text)
        if self._restarts:
            self._files = ManifestFiles((self._path,))
        return self._taken(self.memory)


def held(inputs: Inputs) -> set[ObjectKey]:
    found = {decode(one.content, default_namespace="team").key for one in inputs.manifests}
    return {key for key in found if key} | {ObjectKey("Secret", *name) for name in inputs.secrets}


def is_whole(text: str, name: str) -> bool:
    """Whether nobody can tell the text from one that was written so."""
    try:
        documents = parse(text, name)
    except DocumentError:
        return False
    manifests = [one for document in documents for one in unpack(document.manifest)]
    return text.endswith("\n") and not any(decode(one, default_namespace="team").problems for one in manifests)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("name", TEXTS)
def test_a_file_cut_at_any_byte_keeps_its_objects_unless_what_is_left_is_a_whole_one(
    tmp_path: Path, name: str, restarts: bool
) -> None:
    text = TEXTS[name]
    folder = Folder(tmp_path / name, text, restarts=restarts)
    assert len(folder.held) == len(DOCUMENTS)
    removing = []
    for end in range(len(text)):
        lost = folder.held - held(folder.read(text[:end]))
        if lost:
            assert is_whole(text[:end], name), (end, lost, text[:end][-60:])
            removing.append(end)
    assert len(removing) < text.count("\n"), "only at ends of lines, and not at all of them"


LINES = yaml.safe_dump(route("chat"), sort_keys=False)


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: fairlead.dev/v1alpha1\n",
        LINES.replace("kind: ModelRoute", "kind:"),
        LINES.replace("kind: ModelRoute", "kind: ModelRoutes"),
        LINES.replace("  name: chat\n", ""),
        LINES.replace("name: chat", "name: Chat"),
        LINES.replace("name: chat", "name: [chat]"),
        LINES.replace("namespace: team", "namespace: [team]"),
        LINES.replace("namespace: team", "namespace: Team"),
        LINES.replace("metadata:\n  name: chat\n  namespace: team\n", "metadata:\n"),
        LINES.replace("name: chat", "name: chat2").replace("spec:", "spce:"),
        "{}\n",
        "\n",
        "---\n",
    ],
)
@pytest.mark.parametrize("restarts", [False, True])
def test_an_edit_that_loses_an_objects_name_is_no_removal(tmp_path: Path, text: str, restarts: bool) -> None:
    folder = Folder(tmp_path / "a.yaml", LINES, restarts=restarts)
    inputs = folder.read(text)
    assert folder.held <= held(inputs)
    assert inputs.files[str(tmp_path / "a.yaml")].objects.count(ObjectKey("ModelRoute", "team", "chat")) == 1
    assert any("stay as they were" in one.message for one in inputs.diagnostics)


@pytest.mark.parametrize(
    "text",
    [
        LINES.replace("name: chat", "name: other"),
        "# none any more\n",
        "apiVersion: v1\nkind: List\nitems: []\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n",
    ],
)
def test_a_valid_file_that_does_not_name_it_removes_an_object(tmp_path: Path, text: str) -> None:
    folder = Folder(tmp_path / "a.yaml", LINES, restarts=False)
    inputs = folder.read(text)
    assert not folder.held & held(inputs)
    assert [one for one in inputs.diagnostics if not one.warning] == []


def test_what_moved_to_another_file_is_not_kept_in_the_first(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "a.yaml", LINES + "---\n" + yaml.safe_dump(route("code")), restarts=False)
    (tmp_path / "b.yaml").write_text(LINES)
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(route("code")) + "---\nkind: ModelRoute\n")
    inputs = take_in(ManifestFiles((tmp_path,)).read(), memory=folder.memory, environment={}, default_namespace="team")
    assert sorted(one.source.rpartition("/")[2] for one in inputs.manifests) == ["a.yaml:1", "a.yaml:12", "b.yaml:1"]
