"""The repository under examples/gitops: every object is right beside the others, for every cluster that it has."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from lupa.lua51 import LuaRuntime  # as Argo CD has it

from fairlead.api.conditions import ConditionStatus
from fairlead.api.installation import Installation, decode_installation
from fairlead.cli import main
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
    manifests = _documents("namespaces", "platform", "teams")
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


def test_check_in_a_pull_request_knows_what_the_clusters_know() -> None:
    known = decode_installation(yaml.safe_load((ROOT / "installation.yaml").read_text()))
    assert isinstance(known, Installation), known
    for cluster in CLUSTERS:
        assert known.regions == _installation(cluster).regions
        assert known.anonymous == _installation(cluster).anonymous
    command = re.search(r"^fairlead (check .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert command is not None
    words = [str(ROOT / word) if (ROOT / word).exists() else word for word in command[1].split()]
    outcome = CliRunner().invoke(main, words)
    assert (outcome.exit_code, "0 objects" in outcome.output) == (0, False), outcome.output


def test_namespaces_are_there_before_the_chart_needs_them() -> None:
    named = {one["metadata"]["name"] for one in _documents("namespaces")}
    for name in CLUSTERS:
        values = yaml.safe_load((ROOT / "clusters" / name / "values.yaml").read_text())
        assert {"fairlead", *values["consumerNamespaces"]} <= named
    cluster = yaml.safe_load_all((ROOT / "flux" / "cluster.yaml").read_text())
    flux = {one["metadata"]["name"]: one["spec"] for one in cluster}
    assert flux["llm-namespaces"]["path"] == "./namespaces"
    assert flux["fairlead-install"]["dependsOn"] == [{"name": "llm-namespaces"}]


@pytest.mark.parametrize(
    ("said", "health"),
    [
        ({}, "Progressing"),
        ({"Ready": ("Unknown", "Pending")}, "Progressing"),
        ({"Ready": ("True", "Ready")}, "Healthy"),
        ({"Ready": ("False", "Expired")}, "Degraded"),
        ({"Ready": ("True", "Ready"), "Reconciling": ("True", "RollingOut")}, "Progressing"),
        ({"Ready": ("True", "Ready"), "Reconciling": ("True", "AwaitingPromotion")}, "Suspended"),
        ({"Ready": ("True", "Ready"), "Reconciling": ("True", "PausedByHand")}, "Suspended"),
        ({"Ready": ("False", "CredentialRejected"), "Reconciling": ("True", "RollingOut")}, "Degraded"),
        ({"Ready": ("False", "RolledBack"), "Stalled": ("True", "RolledBack")}, "Degraded"),
    ],
)
def test_argo_cd_sees_an_object_as_it_is(said: dict[str, tuple[str, str]], health: str) -> None:
    written = yaml.safe_load((ROOT / "argocd" / "health.yaml").read_text())["data"]
    (script,) = written.values()
    lua = LuaRuntime()
    judge = lua.execute(f"return function(obj) {script} end")
    conditions = [
        {"type": kind, "status": status, "reason": why, "message": "so"} for kind, (status, why) in said.items()
    ]
    for generation, wanted in ((3, health), (4, "Progressing")):
        found = {"metadata": {"generation": generation}, "status": {"observedGeneration": 3, "conditions": conditions}}
        assert judge(lua.table_from(found, recursive=True)).status == wanted
    assert judge(lua.table_from({"metadata": {"generation": 1}}, recursive=True)).status == "Progressing"
