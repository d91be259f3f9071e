"""`fairlead kill` and `fairlead budgets` of a cluster; of `fairlead up` they are tested where that runs."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from command_line import run

from fairlead.adapters import kube_client
from fairlead.cli import kill
from memory_cluster import MemoryCluster


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> MemoryCluster:
    found = MemoryCluster({"kind": "ModelConsumer", "metadata": {"name": "a", "namespace": "team-web"}})

    @asynccontextmanager
    async def connect(context: str | None = None) -> AsyncIterator[MemoryCluster]:
        assert context in (None, "there")
        yield found

    monkeypatch.setattr(kube_client, "connect", connect)
    monkeypatch.setattr(kill, "PATIENCE_S", 0.0)
    return found


def test_stop_list_and_let_go(cluster: MemoryCluster) -> None:
    unconfirmed = run("kill", "team-web/a")
    assert unconfirmed.exit_code == 1
    assert "team-web/a: written, but not known to be in effect: no operator has judged it yet" in unconfirmed.stdout
    policy = cluster.find("BudgetPolicy", "kill-a", "team-web") or {}
    cluster.put({**policy, "status": {"conditions": [{"type": "Enforced", "status": "True"}]}})
    assert run("kill", "team-web/a", "--context", "there").stdout == "team-web/a: stopped\n"
    assert run("kill", "--list").stdout == "team-web/a: stopped\n"
    budgets = run("budgets", "-n", "team-web")
    assert budgets.stdout.startswith("team-web/kill-a: $0 each")
    assert json.loads(run("budgets", "-o", "json").stdout)["policies"][0]["name"] == "team-web/kill-a"
    undone = run("kill", "--undo", "team-web/a")
    assert (undone.exit_code, undone.stdout) == (0, "team-web/a: goes on\n")
    assert run("kill", "--list").stdout == ""


@pytest.mark.parametrize(
    ("usd", "named", "stops"), [("0", "a", True), ("0.00", "a", True), ("1", "a", False), ("0", "b", False)]
)
def test_to_let_go_says_who_else_stops(cluster: MemoryCluster, usd: str, named: str, stops: bool) -> None:
    own = {"kind": "BudgetPolicy", "metadata": {"name": "stop", "namespace": "team-web"}}
    cluster.put({**own, "spec": {"consumers": {"names": [named]}, "limit": {"usd": usd}}})
    undone = run("kill", "--undo", "team-web/a")
    assert undone.exit_code == int(stops)
    still = "still stopped, by BudgetPolicy team-web/stop, whose limit is 0: delete it"
    assert undone.stdout == f"team-web/a: {still if stops else 'goes on'}\n"


def test_somebody_who_is_not_there(cluster: MemoryCluster) -> None:
    result = run("kill", "team-web/b")
    assert result.exit_code == 1
    assert "ModelConsumer team-web/b is not there" in result.stderr
    assert cluster.all("BudgetPolicy") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["kill"], "name at least one consumer"),
        (["kill", "a"], "got `a`, want `namespace/name`"),
        (["kill", "t/a", "--state", ".", "--context", "x"], "give one or the other"),
        (["budgets", "--state", ".", "-n", "x"], "give one or the other"),
        (["budgets", "-n", "x", "-A"], "got both -n and -A"),
    ],
)
def test_wrong_command_lines(words: list[str], said: str, tmp_path: Path) -> None:
    result = run(*(str(tmp_path) if word == "." else word for word in words))
    assert result.exit_code == 2
    assert said in result.stderr
