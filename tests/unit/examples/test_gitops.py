"""The repository under examples/gitops: every object is right beside the others, for every cluster that it has."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.api.conditions import ConditionStatus
from fairlead.api.installation import Installation, decode_installation
from fairlead.compiler import Manifest, Observed, SecretRef, Snapshot, compile  # noqa: A004  its name

ROOT = Path(__file__).resolve().parents[3] / "examples" / "gitops"
CLUSTERS = sorted(path.parent.name for path in ROOT.glob("clusters/*/values.yaml"))


def _documents(*folders: str) -> list[dict[str, Any]]:
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.yaml"))
    found = [document for path in paths for document in yaml.safe_load_all(path.read_text())]
    return [document for document in found if document["kind"] != "Kustomization"]


def _installation(cluster: str) -> Installation:
    values = yaml.safe_load((ROOT / "clusters" / cluster / "values.yaml").read_text())
    decoded = decode_installation({**values["installation"], "namespace": "fairlead"})
    assert isinstance(decoded, Installation), decoded
    return decoded


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_every_object_is_accepted_and_resolved(cluster: str) -> None:
    manifests = _documents("platform", "teams")
    compiled = compile(
        Snapshot(
            manifests=tuple(Manifest(content=one) for one in manifests),
            secrets={SecretRef("team-web", "agent-7", "apiKey"): "fingerprint"},
        ),
        _installation(cluster),
        Observed(home_secrets_readable=False),
    )
    assert compiled.strays == ()
    for report in compiled.reports:
        assert {one.status for one in report.conditions} == {ConditionStatus.TRUE}, report
        assert report.problems == ()
    assert list(compiled.gateways) == [cluster]


def test_every_cluster_knows_every_region() -> None:
    assert len(CLUSTERS) == 2
    assert len({tuple(region.name for region in _installation(cluster).regions) for cluster in CLUSTERS}) == 1


def test_what_kustomize_lists_is_what_is_there() -> None:
    for path in ROOT.rglob("kustomization.yaml"):
        listed = yaml.safe_load(path.read_text())["resources"]
        assert all((path.parent / name).exists() for name in listed), path
        beside = {one.name for one in path.parent.glob("*.yaml")} - {"kustomization.yaml", "values.yaml"}
        assert beside <= set(listed), path
