"""What people copy is right: every YAML file of the demo and every YAML block of the README decodes."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead import compiler
from fairlead.api.decode import decode
from fairlead.api.installation import Installation, decode_installation
from fairlead.translate.intake import Manifest
from fairlead.translate.references import SecretRef

ROOT = Path(__file__).resolve().parents[3]
TEXTS = {str(path.relative_to(ROOT)): path.read_text() for path in sorted((ROOT / "examples" / "demo").rglob("*.yaml"))}
BLOCKS = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
TEXTS |= {f"README.md: {name.removeprefix('gateway/')}": text for name, text in BLOCKS}
QUICKSTART = (ROOT / "docs" / "quickstart.md").read_text()
TEXTS |= {
    f"docs/quickstart.md: {name.replace('fairlead.yaml', 'installation.yaml')}": text
    for name, text in re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", QUICKSTART, re.DOTALL | re.MULTILINE)
}


@pytest.mark.parametrize("name", TEXTS)
def test_decodes(name: str) -> None:
    documents: list[Any] = [document for document in yaml.safe_load_all(TEXTS[name]) if document is not None]
    assert documents
    if name.endswith("installation.yaml"):
        (document,) = documents
        assert isinstance(decode_installation(document), Installation)
        return
    for document in documents:
        decoded = decode(document, default_namespace="fairlead")
        assert (decoded.problems, decoded.key is not None) == ((), True)


@pytest.mark.parametrize("prefix", ["examples/demo/", "README.md: ", "docs/quickstart.md: "])
def test_compiles_without_a_word(prefix: str) -> None:
    installation = decode_installation(yaml.safe_load(TEXTS[f"{prefix}installation.yaml"]))
    assert isinstance(installation, Installation)
    resources = "\n---\n".join(text for name, text in TEXTS.items() if name.startswith(f"{prefix}resources/"))
    documents = [document for document in yaml.safe_load_all(resources) if document is not None]
    secrets = {
        SecretRef(
            namespace=each["metadata"].get("namespace", "fairlead"), name=each["metadata"]["name"], key=key
        ): f"digest of {value}"
        for each in documents
        if each["kind"] == "Secret"
        for key, value in each["stringData"].items()
    }
    manifests = tuple(Manifest(content=document) for document in documents)
    compiled = compiler.compile(compiler.Snapshot(manifests=manifests, secrets=secrets), installation)
    assert sorted(compiled.gateways) == sorted(region.name for region in installation.regions)
    for report in compiled.reports:
        assert (report.key, report.problems, report.warnings) == (report.key, (), ())
        assert {condition.status for condition in report.conditions} == {"True"}


def test_the_readme_has_both_files() -> None:
    assert [name for name, _ in BLOCKS] == ["gateway/installation.yaml", "gateway/resources/all.yaml"]
