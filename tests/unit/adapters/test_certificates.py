"""Where certificates are found: chosen, the system's, or those that come along."""

from pathlib import Path

import pytest

from fairlead.adapters import certificates
from fairlead.errors import EnvoyError


def test_the_environment_chooses(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("")
    assert certificates.ca_bundle({"SSL_CERT_FILE": str(path)}) == path
    with pytest.raises(EnvoyError, match="SSL_CERT_FILE: got"):
        certificates.ca_bundle({"SSL_CERT_FILE": str(tmp_path / "none")})


def test_there_is_always_a_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    assert certificates.ca_bundle({}).is_file()
    monkeypatch.setattr("ssl.get_default_verify_paths", lambda: type("Paths", (), {"cafile": None}))
    assert certificates.ca_bundle({}).name == "cacert.pem"
