"""Ports for demos that start at the same moment."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fairlead.demo.port import EPHEMERAL, STEP, PortClaims, PortError

CLAIM = """
import sys
from pathlib import Path
from fairlead.demo.port import PortClaims
with PortClaims(Path(sys.argv[1])) as claims:
    print(claims.claim({int(sys.argv[2])}).popitem()[1])
"""


def claim_elsewhere(path: Path, port: int) -> int:
    command = [sys.executable, "-c", CLAIM, str(path), str(port)]
    return int(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)


def test_a_port_that_somebody_listens_on_is_replaced(tmp_path: Path) -> None:
    with socket.socket() as taken, PortClaims(tmp_path / "ports") as claims:
        (port,) = claims.claim({20_000}).values()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert port < claims.claim({port})[port] < EPHEMERAL


def test_a_port_that_another_demo_claims_is_replaced_until_that_ends(tmp_path: Path) -> None:
    path = tmp_path / "ports"
    with PortClaims(path) as claims:
        (port,) = claims.claim({21_000}).values()
        assert claim_elsewhere(path, port) != port
    assert claim_elsewhere(path, port) == port


def test_ports_differ(tmp_path: Path) -> None:
    with PortClaims(tmp_path / "ports") as claims:
        wanted = {22_000, 22_000 + STEP, 22_000 + 2 * STEP}
        assert len(set(claims.claim(wanted).values())) == 3


def test_none_is_free(tmp_path: Path) -> None:
    with PortClaims(tmp_path / "ports") as claims, socket.socket() as taken:
        last = EPHEMERAL - 1
        (port,) = claims.claim({last}).values()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(PortError, match="got no free port"):
            claims.claim({port})
