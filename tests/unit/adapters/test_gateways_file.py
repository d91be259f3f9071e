"""`gateways.json` that is not what the chart writes: one line says what, and what to do."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fairlead.adapters import gateways_file
from fairlead.cli.operator import command
from fairlead.errors import InstallationError
from gateway_values import document

ADVICE = "want `gateways.json` of the ConfigMap `<release>-installation`, run helm upgrade"
WHOLE = document("us-east-1")
REGION = next(iter(WHOLE["regions"]))


def region(**fields: Any) -> dict[str, Any]:
    return {**WHOLE, "regions": {REGION: {**WHOLE["regions"][REGION], **fields}}}


WRONG = {
    "empty": (b"", "got b''"),
    "no JSON": (b"{", "want JSON"),
    "no UTF-8": (b"\xff", "want JSON"),
    "deep": (b"[" * 100_000, "want JSON"),
    "a list": (b"[]", "got another form"),
    "null": (b"null", "got another form"),
    "nothing in it": (b"{}", "got no 'namePrefix'"),
    "labels that are a list": (json.dumps({**WHOLE, "labels": ["a"]}).encode(), "labels: "),
    "a name that is a number": (json.dumps({**WHOLE, "owner": 1}).encode(), "owner: "),
    "no regions": (json.dumps({**WHOLE, "regions": None}).encode(), "got another form"),
    "replicas in a word": (json.dumps(region(replicas="3")).encode(), f"regions.{REGION}.replicas: "),
    "a region that is a list": (json.dumps({**WHOLE, "regions": {REGION: []}}).encode(), "got another form"),
}


@pytest.mark.parametrize(("content", "said"), WRONG.values(), ids=WRONG)
def test_what_the_chart_did_not_write_is_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "gateways.json"
    path.write_bytes(content)
    with pytest.raises(InstallationError) as error:
        gateways_file.read(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert said in message
    assert message.endswith(ADVICE)
    assert "\n" not in message


def test_what_the_chart_writes_is_read() -> None:
    assert gateways_file.decode(json.dumps(WHOLE).encode(), "x").regions.keys() == WHOLE["regions"].keys()


@pytest.mark.parametrize("make", [lambda _: None, Path.mkdir], ids=["no file", "a folder"])
def test_the_operator_ends_with_that_line(tmp_path: Path, make: Any) -> None:
    installation = tmp_path / "fairlead.yaml"
    installation.write_text("regions: [{name: us-east-1, geo: us}]")
    path = tmp_path / "gateways.json"
    make(path)
    said = CliRunner().invoke(command, ["--installation", str(installation), "--gateways", str(path)])
    assert said.exit_code == 1
    assert said.output.startswith(f"Error: {path}: ")
    assert said.output.strip().endswith(ADVICE)
