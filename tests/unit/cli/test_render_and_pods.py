"""What `fairlead render` writes is what the operator gives to pods: the same bytes, the same digest."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import CONFIG, CONSUMER, PROVIDER, ROUTE, run

from builders import snapshot
from fairlead import compiler
from fairlead.adapters import installation_file
from fairlead.compiler import Observed, SecretRef
from fairlead.controller.context import Context
from fairlead.manifests import decode_settings
from gateway_values import document

USUAL = {
    "rpc": "fairlead-budget-server.fairlead.svc:8081",
    "usage": "fairlead-budget-server.fairlead.svc:8082",
    "configuration": "fairlead-book",
    "shared": False,
}
OTHER = {
    "rpc": "prod-budget-server.llm.svc:8081",
    "usage": "prod-budget-server.llm.svc:8082",
    "configuration": "prod-book",
    "shared": True,
}


@pytest.mark.parametrize("owner_uid", ["6f1c0c5e", "another-release-s"])
@pytest.mark.parametrize(
    ("budget", "told", "further"),
    [
        pytest.param(USUAL, False, {}, id="a release of the usual name"),
        pytest.param(USUAL, True, {}, id="and told so"),
        pytest.param(OTHER, True, {}, id="another name"),
        pytest.param({}, True, {}, id="no budget server"),
        pytest.param(USUAL, False, {"log": {"access": "None"}}, id="no log lines"),
        pytest.param(USUAL, False, {"anonymous": "Allow"}, id="callers without a key"),
        pytest.param(USUAL, False, {"serve": ["eu-west-1"]}, id="one region of two"),
    ],
)
def test_a_pod_s_files_are_those_of_render(
    files: Path, budget: dict[str, Any], further: dict[str, Any], owner_uid: str, *, told: bool
) -> None:
    config = files / "fairlead.yaml"
    config.write_text(yaml.safe_dump({**CONFIG, **further}))
    installation = installation_file.read(config)
    regions = [region.name for region in installation.served]
    values = {**document(*regions), "budgetServer": budget}
    (files / "gateways.json").write_text(json.dumps(values))
    context = Context(
        installation=installation,
        settings=decode_settings(values),
        watch_namespaces=(),
        lease="lease",
        identity="me",
        owner_uid=owner_uid,
    )
    secrets = {
        SecretRef(CONSUMER["metadata"]["namespace"], key["secretName"], key.get("key", "apiKey")): "print"
        for key in CONSUMER["spec"]["keys"]
    }
    made = compiler.compile(
        snapshot(PROVIDER, ROUTE, CONSUMER, secrets=secrets),
        installation,
        Observed(layouts=context.layouts, home_secrets_readable=False),
    )
    arguments = ["--gateways", files / "gateways.json"] if told else []
    result = run("render", "-f", files / "m", "-c", config, "-o", files / "out", *arguments)
    assert result.exit_code == 0, result.output
    assert sorted(made.gateways) == sorted(regions)
    for region, gateway in made.gateways.items():
        folder = files / "out" / region
        written = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert gateway.files
        assert written == gateway.files
        assert f"digest {gateway.digest}" in result.output


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"namePrefix": 1}', "\udcff"])
def test_gateways_that_the_chart_does_not_write_are_one_line(files: Path, text: str) -> None:
    (files / "gateways.json").write_bytes(text.encode(errors="surrogateescape"))
    arguments = ("-c", files / "fairlead.yaml", "-o", files / "out", "--gateways", files / "gateways.json")
    result = run("render", "-f", files / "m", *arguments)
    assert result.exit_code == 2
    assert "want `gateways.json` of the ConfigMap" in result.output
    assert not (files / "out").exists()
