"""The page on installing is one whole: what a step needs, a step before it has made, under the same name."""

import re
from pathlib import Path
from typing import Any

import yaml

from fairlead.api.conditions import ConditionStatus
from fairlead.api.installation import Installation, decode_installation
from fairlead.compiler import Manifest, Observed, SecretRef, Snapshot, compile  # noqa: A004  its name

PAGE = Path(__file__).resolve().parents[3] / "docs" / "install.md"
STEPS = PAGE.read_text().partition("## Where dollars are counted")[0]
COMMANDS = "".join(re.findall(r"^```console\n(.*?)^```", STEPS, re.DOTALL | re.MULTILINE)).splitlines()
FILES = dict(re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", STEPS, re.DOTALL | re.MULTILINE))
VALUES: dict[str, Any] = yaml.safe_load(FILES["values.yaml"])
RESOURCES: list[dict[str, Any]] = list(yaml.safe_load_all(FILES["resources.yaml"]))


def _first(pattern: str) -> int:
    return next(number for number, command in enumerate(COMMANDS) if re.search(pattern, command))


def test_namespaces_are_made_before_the_chart_and_the_objects_need_them() -> None:
    needed = {*VALUES["consumerNamespaces"], *(one["metadata"]["namespace"] for one in RESOURCES)}
    for namespace in needed:
        assert _first(f"^kubectl create namespace {namespace}$") < _first("^helm install")


def test_secrets_are_made_where_the_objects_name_them() -> None:
    for namespace, name in (("fairlead", "global-api"), ("team-web", "agent-7")):
        assert _first(f"^kubectl -n {namespace} create secret generic {name} ") < _first("^kubectl apply")
    assert "secretName: global-api" in FILES["resources.yaml"]
    assert "secretName: agent-7" in FILES["resources.yaml"]


def test_every_gateway_that_the_page_names_is_one_that_it_installs() -> None:
    served = VALUES["installation"]["serve"]
    assert set(re.findall(r"fairlead-gateway-([a-z0-9-]+)", STEPS)) == set(served)


def test_the_objects_are_accepted_by_that_installation() -> None:
    installation = decode_installation({**VALUES["installation"], "namespace": "fairlead"})
    assert isinstance(installation, Installation), installation
    compiled = compile(
        Snapshot(
            manifests=tuple(Manifest(content=one) for one in RESOURCES),
            secrets={SecretRef("team-web", "agent-7", "apiKey"): "fingerprint"},
        ),
        installation,
        Observed(home_secrets_readable=False),
    )
    for report in compiled.reports:
        assert {one.status for one in report.conditions} == {ConditionStatus.TRUE}, report
    assert list(compiled.gateways) == VALUES["installation"]["serve"]
