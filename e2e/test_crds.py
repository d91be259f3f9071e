"""Given the chart's CRDs, the API server takes what is right and refuses what is wrong, saying what to do."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.cluster import ROOT, Cluster
from harness.kubectl import CommandError, documents

CRD_TESTS = ROOT / "tests" / "crd"
VALID = [ROOT / "examples" / "stories.yaml", *sorted((CRD_TESTS / "valid").glob("*.yaml"))]
INVALID = sorted((CRD_TESTS / "invalid").glob("*.yaml"))
WRONG = documents(ROOT / "examples" / "wrong.yaml")


@pytest.fixture(scope="module", autouse=True)
def namespaces(release: Cluster) -> None:
    """The namespaces that the manifests name."""
    found = [document for path in (*VALID, *INVALID) for document in documents(path)] + WRONG
    names = sorted({document["metadata"].get("namespace", "default") for document in found} - {"default"})
    release.kubectl.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names))


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_what_is_right_is_taken(cluster: Cluster, path: Path) -> None:
    for document in documents(path):
        cluster.kubectl.apply(document, server_dry_run=True)


@pytest.mark.parametrize("document", WRONG, ids=lambda document: document["metadata"]["name"])
def test_what_is_wrong_is_refused(cluster: Cluster, document: dict[str, Any]) -> None:
    with pytest.raises(CommandError):
        cluster.kubectl.apply(document, server_dry_run=True)


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_a_wrong_object_is_refused_with_its_message(cluster: Cluster, path: Path) -> None:
    text = path.read_text()
    first, second = text.splitlines()[:2]
    document = yaml.safe_load(text)
    if second.startswith("# decode only: "):
        cluster.kubectl.apply(document, server_dry_run=True)
        return
    with pytest.raises(CommandError) as refused:
        cluster.kubectl.apply(document, server_dry_run=True)
    said = str(refused.value)
    field = first.removeprefix("# ").partition(": ")[0]
    leaf = re.sub(r"\[[^]]*\]$", "", field).rpartition(".")[2]
    message = first.partition(": ")[2]
    # A rule speaks in our words; a type, a pattern or an enum in the API server's, which names the field
    assert message in said or leaf in said, said
