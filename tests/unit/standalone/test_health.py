"""What `fairlead up` remembers of health over a restart, and what it makes of damage."""

from pathlib import Path

import certifi
import pytest
import structlog

from fairlead.adapters import disk
from fairlead.adapters.clock import SystemClock
from fairlead.adapters.probe import HttpProbes, trust
from fairlead.health.fleet import Fleet
from fairlead.health.region import DrainKind, DrainOrder
from fairlead.health.standing import Evidence, Standing
from fairlead.standalone import drains
from fairlead.standalone.health import LocalHealth
from fairlead.standalone.state import StateFolder


def health(state: StateFolder, said: list[str]) -> LocalHealth:
    def note(_: object, __: str, event: dict[str, object]) -> dict[str, object]:
        said.append(str(event.get("what")))
        raise structlog.DropEvent

    log = structlog.wrap_logger(None, processors=[note])
    return LocalHealth(state, HttpProbes(trust(Path(certifi.where()))), SystemClock(), log)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"version": 99, "fleet": {}}',
        b'{"version": 1, "fleet": {"endpoints": 5}}',
        b'{"version": 1, "fleet": {"endpoints": {"p/e": {"state": "Dead"}}}}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_memory_is_told_once_and_begins_anew(tmp_path: Path, damage: bytes) -> None:
    state = StateFolder(root=tmp_path)
    disk.write(state.health, damage)
    said: list[str] = []
    found = health(state, said)
    assert found.now.fleet == Fleet()
    (what,) = said
    assert "health.json" in what
    found.save()
    assert health(state, said).now.fleet == Fleet()
    assert len(said) == 1, "written anew"


def test_a_drain_holds_from_the_first_moment(tmp_path: Path) -> None:
    state = StateFolder(root=tmp_path)
    now_ms = int(SystemClock().now().timestamp() * 1000)
    order = DrainOrder(kind=DrainKind.REGION, name="eu", began_ms=now_ms - 1000, until_ms=now_ms + 60_000)
    drains.write(state, [order], now_ms=now_ms)
    assert health(state, []).now.drained == {"eu"}
    state.drains.write_bytes(b"")
    said: list[str] = []
    assert health(state, said).now.drained == {"eu"}, "also where the file was damaged meanwhile"
    assert "what was drained stays so until its time" in said[0]


def test_what_traffic_told_is_known_over_a_restart(tmp_path: Path) -> None:
    state, target = StateFolder(root=tmp_path), ("eu", "p/e/m")
    before = health(state, [])
    standing = Standing(outcome=(401, "-"), failed=24, since_ms=1, failed_ms=2)
    before.view.evidence = Evidence(standings={target: standing}, identities={target: "1"})
    before.save()
    after = health(state, []).view.evidence
    assert (after.standings, after.identities) == ({target: standing}, {target: "1"})
