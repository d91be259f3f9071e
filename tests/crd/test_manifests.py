"""The CRDs and `decode` agree on every manifest here: stories and valid/ are taken, wrong.yaml and invalid/ refused.

The first line of a file in invalid/ is the message that `decode` gives. Where a second line begins with `# decode only`
the API server cannot say the same, for the reason that stands there.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from crd.apiserver import Schema, refusals
from crd.generated import SCHEMAS
from fairlead.api.decode import decode

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples"
INVALID = sorted((HERE / "invalid").glob("*.yaml"))


def _all(path: Path) -> list[Any]:
    documents = yaml.safe_load_all(path.read_text())
    return [
        pytest.param(document, id=f"{path.stem}-{document['metadata']['name']}") for document in documents if document
    ]


ACCEPTED = _all(EXAMPLES / "stories.yaml") + [
    row for path in sorted((HERE / "valid").glob("*.yaml")) for row in _all(path)
]


@pytest.mark.parametrize("manifest", ACCEPTED)
def test_what_is_right_is_taken_by_both(manifest: dict[str, Any]) -> None:
    assert refusals(SCHEMAS[manifest["kind"]], manifest) == []
    decoded = decode(manifest, default_namespace="fairlead")
    assert decoded.problems == ()
    assert decoded.object is not None


@pytest.mark.parametrize("manifest", _all(EXAMPLES / "wrong.yaml"))
def test_what_is_wrong_is_refused_by_both(manifest: dict[str, Any]) -> None:
    assert refusals(SCHEMAS[manifest["kind"]], manifest) != []
    assert decode(manifest, default_namespace="fairlead").object is None


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_manifest_gets_its_message(path: Path) -> None:
    text = path.read_text()
    wanted, second = text.splitlines()[:2]
    manifest = yaml.safe_load(text)
    decoded = decode(manifest, default_namespace="fairlead")
    assert [f"# {problem}" for problem in decoded.problems] == [wanted]
    refused = refusals(SCHEMAS[manifest["kind"]], manifest)
    if second.startswith("# decode only: "):
        assert refused == []
        return
    assert refused != []
    schema = SCHEMAS[manifest["kind"]]
    messages = {message for _, message in _stated(schema)}
    said = [message for message in messages if wanted.endswith(message)]
    if said:  # a rule: word for word the same on both sides
        assert any(refusal.endswith(said[0]) for refusal in refused)


def _stated(schema: Schema) -> list[tuple[str, str]]:
    found = [(rule["rule"], rule["message"]) for rule in schema.get("x-kubernetes-validations", ())]
    for part in (*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")):
        found += _stated(part) if part else []
    return found


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_rule_is_broken_by_some_invalid_manifest(kind: str) -> None:
    manifests = [yaml.safe_load(path.read_text()) for path in INVALID]
    broken = [line for m in manifests if m["kind"] == kind for line in refusals(SCHEMAS[kind], m)]
    everywhere = {message for _, message in _stated(SCHEMAS[kind])}
    elsewhere = {message for other in SCHEMAS if other != kind for _, message in _stated(SCHEMAS[other])}
    assert [m for m in sorted(everywhere - elsewhere) if not any(line.endswith(f": {m}") for line in broken)] == []
