from pathlib import Path

import pytest

from fairlead.errors import EnvoyError
from fairlead.standalone import context


def test_the_environment_chooses(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("")
    assert context.ca_bundle({"SSL_CERT_FILE": str(path)}) == path
    with pytest.raises(EnvoyError, match="SSL_CERT_FILE: got"):
        context.ca_bundle({"SSL_CERT_FILE": str(tmp_path / "none")})


def test_there_is_always_a_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    assert context.ca_bundle({}).is_file()
    monkeypatch.setattr("ssl.get_default_verify_paths", lambda: type("Paths", (), {"cafile": None}))
    assert context.ca_bundle({}).name == "cacert.pem"
