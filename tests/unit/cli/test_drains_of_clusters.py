"""`fairlead drain` and `fairlead rehearse` of a cluster; of `fairlead up` they are tested where that runs."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from command_line import run

from builders import provider
from fairlead.adapters import kube_client
from fairlead.cli import drain
from fairlead.controller import rehearsals
from fairlead.controller.drains import CONFIG_MAP, PREFIX
from fairlead.controller.load import CONFIG_MAP as HEALTH
from fairlead.controller.load import FILE, Load, encode
from fairlead.health.capacity import Carrier
from fairlead.health.rehearsal import Bounds, Outcome, Span, Watched
from fairlead.runtime.rehearsal import report
from memory_cluster import MemoryCluster

US = "us-east-1"
LOAD = Load(
    carriers=(Carrier(name="p/us", carried=100, capacity=None), Carrier(name="q/us", carried=10, capacity=60)),
    regions={"p/us": US, "q/us": "eu-west-1"},
    ladders=(("p/us", "q/us"),),
)


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": name, "namespace": "fairlead"}, "data": data}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> MemoryCluster:
    found = MemoryCluster(
        provider("p"),
        provider("q"),
        config_map(CONFIG_MAP, regions=f"{US} eu-west-1"),
        config_map(HEALTH, **{FILE: json.dumps(encode(LOAD))}),
    )

    @asynccontextmanager
    async def connect(context: str | None = None) -> AsyncIterator[MemoryCluster]:
        assert context in (None, "there")
        yield found

    monkeypatch.setattr(kube_client, "connect", connect)
    monkeypatch.setattr(drain, "PATIENCE_S", 0.0)
    return found


def annotations(cluster: MemoryCluster, kind: str, name: str) -> dict[str, str]:
    found: dict[str, str] = (cluster.find(kind, name) or {})["metadata"].get("annotations", {})
    return found


def stands(cluster: MemoryCluster, state: str) -> None:
    cluster.put(
        {**(cluster.find("ModelProvider", "q") or {}), "status": {"endpoints": [{"name": "us", "state": state}]}}
    )


def test_drain_list_and_undo_an_endpoint(cluster: MemoryCluster) -> None:
    late = run("drain", "endpoint", "q/us", "--for", "30m")
    assert late.exit_code == 1
    assert "q/us: written, but not in effect within 0 s; does an operator lead there?" in late.stdout
    assert "what they can carry is unknown of p/us" in late.stderr
    stands(cluster, "Drained")
    done = run("drain", "endpoint", "q/us", "--for", "30m", "--over", "10m", "--context", "there")
    assert (done.exit_code, done.stdout.startswith("endpoint q/us: drained until ")) == (0, True), done.stderr
    assert annotations(cluster, "ModelProvider", "q")[f"{PREFIX}us"].endswith(" over 600s")
    assert run("drain", "--list").stdout == done.stdout
    stands(cluster, "Recovering")
    assert run("drain", "endpoint", "q/us", "--undo").stdout == "q/us: comes back by steps\n"
    assert annotations(cluster, "ModelProvider", "q") == {}
    assert run("drain", "--list").stdout == ""


def test_too_little_room_is_refused_unless_forced(cluster: MemoryCluster) -> None:
    refused = run("drain", "region", US, "--for", "30m")
    assert refused.exit_code == 1
    assert "100 requests a minute are to move, and q/us have room for 50" in refused.stderr
    assert annotations(cluster, "ConfigMap", CONFIG_MAP) == {}
    cluster.put(config_map(HEALTH, **{FILE: json.dumps({**encode(LOAD), "drained": [US]})}))
    forced = run("drain", "region", US, "--for", "30m", "--force")
    assert (forced.exit_code, "warning: 100 requests" in forced.stderr) == (0, True), forced.stderr
    assert f"{PREFIX}{US}" in annotations(cluster, "ConfigMap", CONFIG_MAP)


def test_what_nobody_has_said_is_unknown_and_refuses_nothing(cluster: MemoryCluster) -> None:
    cluster.take("ConfigMap", HEALTH)
    stands(cluster, "Drained")
    done = run("drain", "endpoint", "q/us", "--for", "30m")
    assert done.exit_code == 0
    assert "warning: what endpoints carry is not known, so no `capacity` is checked" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["drain", "region", "mars", "--for", "30m"], "region mars is not there, want one of: us-east-1, eu-west-1"),
        (["drain", "endpoint", "p/mars", "--for", "30m"], "endpoint p/mars is not there, want one of: p/us, q/us"),
        (["rehearse", "region", "mars"], "region mars is not there"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_is_written(
    cluster: MemoryCluster, words: list[str], said: str
) -> None:
    result = run(*words)
    assert (result.exit_code, said in result.stderr) == (1, True), result.stderr
    assert annotations(cluster, "ConfigMap", CONFIG_MAP) == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["region", "mars"], "region mars is not there"),
        (["region", US], f"region {US} is not drained, nothing was undone; drained: nothing"),
        (["endpoint", "q/us"], "endpoint q/us is not drained"),
        (["endpoint", "p/mars"], "endpoint p/mars is not drained"),
    ],
)
def test_what_is_not_drained_is_not_undone(cluster: MemoryCluster, words: list[str], said: str) -> None:
    assert cluster
    result = run("drain", *words, "--undo")
    assert (result.exit_code, said in result.stderr, result.stdout) == (1, True, ""), result.stderr


@pytest.mark.parametrize(
    ("state", "drained", "said", "forced"),
    [
        ("Down", [], "refused: who is to stand in is not well: p/us is Down", True),
        ("Healthy", ["eu-west-1"], "refused: region eu-west-1 is drained already", False),
    ],
)
def test_a_drill_that_nobody_would_stand_in_for_is_refused(
    cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch, *, state: str, drained: list[str], said: str, forced: bool
) -> None:
    async def outcome(*_: object, within_s: float) -> None:
        assert within_s

    monkeypatch.setattr(rehearsals, "outcome", outcome)
    carriers = (replace(LOAD.carriers[0], capacity=999, state=state), LOAD.carriers[1])
    written = encode(replace(LOAD, carriers=carriers, drained=frozenset(drained)))
    cluster.put(config_map(HEALTH, **{FILE: json.dumps(written)}))
    told = run("rehearse", "region", "eu-west-1")
    assert (told.exit_code, said in told.stdout) == (4, True), told.stdout
    assert run("rehearse", "region", "eu-west-1", "--force").exit_code == (1 if forced else 4)


@pytest.mark.parametrize("reason", ["", "5 of 25 requests failed (20%), want at most 1%"])
def test_a_drill_is_asked_for_reported_and_taken_away(
    cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    async def outcome(*_: object, within_s: float) -> dict[str, Any]:
        assert within_s > 300
        (asked,) = annotations(cluster, "ConfigMap", CONFIG_MAP).items()
        assert asked[0] == f"{rehearsals.PREFIX}eu-west-1"
        assert asked[1].endswith("error-rate 2% first-byte-p95 200%")
        span = Span(seconds=30.0, requests=100, served={"p/us": 100})
        bounds = Bounds(error_rate_bp=200, first_byte_increase_bp=20_000)
        times = {"began": "2026-03-01T10:00:00Z", "ended": "2026-03-01T10:05:00Z"}
        seen = Watched(before=span, during=span, settled=span)
        outcome = Outcome.GAVE_UP if reason else Outcome.HELD
        return report("eu-west-1", **times, bounds=bounds, outcome=outcome, reason=reason, seen=seen)

    monkeypatch.setattr(rehearsals, "outcome", outcome)
    told = run("rehearse", "region", "eu-west-1", "--max-error-rate", "2%")
    assert told.exit_code == int(bool(reason)), told.stderr
    how = f"gave up: {reason}" if reason else "held"
    assert told.stdout.startswith(f"eu-west-1 was drained from 2026-03-01T10:00:00Z to 2026-03-01T10:05:00Z: {how}\n")
    assert "served by p/us" in told.stdout
    assert annotations(cluster, "ConfigMap", CONFIG_MAP) == {}
    document = json.loads(run("rehearse", "region", "eu-west-1", "--max-error-rate", "2%", "-o", "json").stdout)
    assert document["outcome"] == ("GaveUp" if reason else "Held")


def test_nobody_who_reports_is_an_error(cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    async def outcome(*_: object, within_s: float) -> None:
        assert within_s

    monkeypatch.setattr(rehearsals, "outcome", outcome)
    told = run("rehearse", "region", "eu-west-1")
    assert (told.exit_code, "does one lead there?" in told.stderr) == (1, True)
    assert annotations(cluster, "ConfigMap", CONFIG_MAP) == {}
