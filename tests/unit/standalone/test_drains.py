"""What a person drains in `fairlead up`: what the others cannot carry is refused; a damaged file changes nothing."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import run

from fairlead.adapters import disk, lock
from fairlead.errors import StateError
from fairlead.health.region import DrainKind, DrainOrder
from fairlead.standalone import drains
from fairlead.standalone.state import StateFolder


def now_ms() -> int:
    return int(time.time() * 1000)  # noqa: TID251  what the command goes by


def endpoint(name: str, region: str, *, carried: int = 60, capacity: int | None = 100, **fields: Any) -> dict[str, Any]:
    return {
        "provider": "p",
        "endpoint": name,
        "region": region,
        "used": True,
        "state": "Healthy",
        "share": "100%",
        "since": None,
        "reason": None,
        "message": "",
        "probeUSD": "0",
        "requestsPerMinute": carried,
        "capacity": {"requestsPerMinute": capacity, "tokensPerMinute": None},
        **fields,
    }


def written(*endpoints: dict[str, Any]) -> bytes:
    ladder = {"weight": "100%", "targets": [f"p/{one['endpoint']}/org/m" for one in endpoints]}
    answer = {"names": ["chat"], "kind": "Chat", "ladders": [ladder], "lastResort": ladder["targets"][0]}
    region = {
        "name": "us-east-1",
        "geo": "us",
        "listen": "",
        "metrics": "",
        "pid": None,
        "admin": "",
        "digest": None,
        "routes": [{"name": "t/chat", "maxAttempts": 2, "shadow": None, "answers": [answer]}],
        "targets": [],
    }
    document = {key: [] for key in ("objects", "consumers", "diagnostics", "failing", "drainedRegions", "rollouts")}
    return json.dumps({**document, "regions": [region], "endpoints": list(endpoints)}).encode()


TWO = (endpoint("us", "us-east-1", carried=40), endpoint("eu", "eu-west-1"))


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    state = StateFolder(root=tmp_path / ".fairlead")
    disk.write(state.status, written(*TWO))
    return state


def test_drain_list_and_undo(state: StateFolder) -> None:
    before = now_ms()
    said = run("drain", "endpoint", "p/us", "--for", "30m", "--over", "10m", "--state", state.root)
    assert (said.exit_code, said.stdout) == (0, "p/us: written; `fairlead up` does not run\n")
    (order,) = drains.read(state)
    assert (order.kind, order.name, order.over_ms) == (DrainKind.ENDPOINT, "p/us", 600_000)
    assert order.until_ms - order.began_ms == 1_800_000
    assert before <= order.began_ms <= now_ms()
    assert run("drain", "region", "eu-west-1", "--for", "1h", "--force", "--state", state.root).exit_code == 0
    listed = run("drain", "--list", "--state", state.root).stdout.splitlines()
    assert [line.partition(": drained until 2")[0] for line in listed] == ["endpoint p/us", "region eu-west-1"]
    assert run("drain", "endpoint", "p/us", "--for", "1m", "--state", state.root).exit_code == 0
    assert len(drains.read(state)) == 2, "the same again is another time, not another drain"
    assert run("drain", "endpoint", "p/us", "--undo", "--state", state.root).exit_code == 0
    assert [one.name for one in drains.read(state)] == ["eu-west-1"]
    again = run("drain", "endpoint", "p/us", "--undo", "--state", state.root)
    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr == "error: endpoint p/us is not drained, nothing was undone; drained: region eu-west-1\n"
    nobody = run("drain", "region", "mars", "--undo", "--state", state.root)
    assert (nobody.exit_code, "region mars is not there" in nobody.stderr) == (1, True)


@pytest.mark.parametrize(
    ("endpoints", "name", "words"),
    [
        (TWO, "p/eu", "60 requests a minute are to move, and p/us have room for 60"),
        ((endpoint("us", "us-east-1", carried=41), TWO[1]), "p/eu", "have room for 59"),
        ((endpoint("us", "us-east-1", state="Down", share="0%"), TWO[1]), "p/eu", "nowhere else to go"),
        ((TWO[1],), "p/eu", "nowhere else to go"),
    ],
)
def test_what_the_others_cannot_carry_is_refused_unless_forced(
    state: StateFolder, endpoints: tuple[dict[str, Any], ...], name: str, words: str
) -> None:
    disk.write(state.status, written(*endpoints))
    said = run("drain", "endpoint", name, "--for", "30m", "--state", state.root)
    if "room for 60" in words:
        assert said.exit_code == 0, "just enough"
        return
    assert said.exit_code == 1
    assert words in said.stderr
    assert "--force drains all the same" in said.stderr
    assert drains.read(state) == ()
    forced = run("drain", "endpoint", name, "--for", "30m", "--force", "--state", state.root)
    assert forced.exit_code == 0
    assert words in forced.stderr
    assert len(drains.read(state)) == 1


def test_what_is_unknown_is_said(state: StateFolder) -> None:
    disk.write(state.status, written(endpoint("us", "us-east-1", capacity=None), TWO[1]))
    said = run("drain", "endpoint", "p/eu", "--for", "30m", "--state", state.root)
    assert said.exit_code == 0
    assert said.stderr == "warning: 60 requests a minute are to move; what they can carry is unknown of p/us\n"


@pytest.mark.parametrize(
    "words",
    [
        ("endpoint", "p/us"),
        ("endpoint", "p/us", "--for", "0s"),
        ("endpoint", "p/us", "--for", "8d"),
        ("endpoint", "p/us", "--for", "169h"),
        ("endpoint", "p/us", "--for", "1m", "--over", "2m"),
        ("endpoint", "us", "--for", "1m"),
        ("endpoint", "p/us/m", "--for", "1m"),
        ("somebody", "p/us", "--for", "1m"),
        ("endpoint",),
        (),
    ],
)
def test_a_command_line_that_says_too_little_drains_nothing(state: StateFolder, words: tuple[str, ...]) -> None:
    assert run("drain", *words, "--state", state.root).exit_code == 2
    assert not state.drains.exists()


def test_a_name_that_is_mistyped_is_told_what_there_is(state: StateFolder) -> None:
    said = run("drain", "endpoint", "p/uss", "--for", "1m", "--state", state.root)
    assert (said.exit_code, said.stderr) == (1, "error: endpoint p/uss is not there, want one of: p/us, p/eu\n")
    said = run("drain", "region", "us", "--for", "1m", "--state", state.root)
    assert (said.exit_code, said.stderr) == (1, "error: region us is not there, want one of: eu-west-1, us-east-1\n")
    said = run("drain", "region", "us", "--for", "1m", "--state", state.root / "elsewhere")
    assert (said.exit_code, said.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--for", "1ms"), "want one of at least 10 s"),
        (("--for", "9s"), "want one of at least 10 s"),
        (("--max-error-rate", "200%"), "which no drill can pass, want less than 100%"),
        (("--max-error-rate", "100%"), "want less than 100%"),
    ],
)
def test_a_drill_that_could_show_nothing_is_no_command(state: StateFolder, words: tuple[str, ...], said: str) -> None:
    result = run("rehearse", "region", "us-east-1", *words, "--state", state.root)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
    assert not state.drains.exists()


@pytest.mark.parametrize(
    ("endpoints", "drained", "said"),
    [
        ((TWO[0], endpoint("eu", "eu-west-1", state="Down")), [], "who is to stand in is not well: p/eu is Down"),
        ((TWO[0], endpoint("eu", "eu-west-1", state="Suspect")), [], "who is to stand in is not well: p/eu is Suspect"),
        ((TWO[0], endpoint("eu", "eu-west-1", capacity=60)), [], "p/eu have room for 0"),
        (TWO, ["us-east-1"], "region us-east-1 is drained already"),
        ((endpoint("us", "us-east-1", state="Drained"), TWO[1]), [], "p/us is drained already"),
    ],
)
def test_a_drill_without_whoever_stands_in_is_refused_and_the_report_kept(
    state: StateFolder, endpoints: tuple[dict[str, Any], ...], drained: list[str], said: str
) -> None:
    document = json.loads(written(*endpoints))
    disk.write(state.status, json.dumps({**document, "drainedRegions": drained}).encode())
    with lock.StateLock(state.root):
        result = run("rehearse", "region", "us-east-1", "--state", state.root, "-o", "json")
    assert result.exit_code == 4, result.stderr
    report = json.loads(result.stdout)
    assert (report["outcome"], said in report["reason"]) == ("Refused", True), report
    (kept,) = state.rehearsals.iterdir()
    assert json.loads(kept.read_text()) == report
    assert not state.drains.exists()


ORDER = DrainOrder(kind=DrainKind.REGION, name="eu-west-1", began_ms=1_000, until_ms=9_000)


def test_what_has_ended_is_not_kept(state: StateFolder) -> None:
    drains.write(state, [ORDER], now_ms=8_999)
    assert drains.read(state) == (ORDER,)
    drains.write(state, [ORDER], now_ms=9_000)
    assert drains.read(state) == ()


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b'{"drains": 5}',
        b'{"drains": [5]}',
        b'{"drains": [{"kind": "Region", "name": 1, "beganMs": 1, "untilMs": 2, "overMs": 0}]}',
        b'{"drains": [{"kind": "Region", "name": "r", "beganMs": true, "untilMs": 2, "overMs": 0}]}',
        b'{"drains": [{"kind": "Planet", "name": "r", "beganMs": 1, "untilMs": 2, "overMs": 0}]}',
        b'{"drains": [{"kind": "Region", "name": "r", "beganMs": 1, "untilMs": 99999999999, "overMs": 0}]}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_ends_no_drain_and_begins_none(state: StateFolder, damage: bytes) -> None:
    warnings: list[str] = []
    orders = drains.Orders(state, warnings.append)
    drains.write(state, [ORDER], now_ms=2_000)
    assert orders.read() == (ORDER,)
    state.drains.write_bytes(damage)
    assert [orders.read(), orders.read()] == [(ORDER,)] * 2
    assert len(warnings) == 1, "told once"
    with pytest.raises(StateError):
        drains.read(state)
    assert "what was drained stays so until its time" in warnings[0]
    assert drains.Orders(state, warnings.append).read() == (ORDER,), "also of a process that begins then"
    assert warnings[1] == warnings[0]
    state.drains_copy.write_bytes(damage)
    assert drains.Orders(state, warnings.append).read() == ()
    assert "so what was drained comes back by steps" in warnings[2], "it says what happens"
