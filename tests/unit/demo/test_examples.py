"""What people copy is right: every YAML file of the demo and every YAML block of the README decodes."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.api.decode import decode
from fairlead.api.installation import Installation, decode_installation

ROOT = Path(__file__).resolve().parents[3]
TEXTS = {str(path.relative_to(ROOT)): path.read_text() for path in sorted((ROOT / "examples" / "demo").rglob("*.yaml"))}
BLOCKS = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
TEXTS |= {f"README.md: {name}": text for name, text in BLOCKS}


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


def test_the_readme_has_both_files() -> None:
    assert [name for name, _ in BLOCKS] == ["installation.yaml", "resources/all.yaml"]
