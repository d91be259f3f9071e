"""The stop of a consumer in `fairlead up`: the policy that a cluster has, and a file that may be damaged."""

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import run

from builders import manifest
from fairlead.adapters import disk
from fairlead.runtime import memory, stop
from fairlead.standalone import kill
from fairlead.standalone.state import StateFolder

STATUS = json.dumps(
    {
        **{
            key: []
            for key in ("regions", "objects", "diagnostics", "endpoints", "failing", "drainedRegions", "rollouts")
        },
        "consumers": ["team/a", "team/b"],
    }
).encode()


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    state = StateFolder(root=tmp_path / ".fairlead")
    disk.write(state.status, STATUS)
    return state


def test_stop_list_and_let_go(state: StateFolder) -> None:
    assert run("kill", "team/a", "team/b", "--state", state.root).stdout == "team/a: stopped\nteam/b: stopped\n"
    assert run("kill", "--undo", "team/a", "--state", state.root).stdout == "team/a: goes on\n"
    assert run("kill", "--list", "--state", state.root).stdout == "team/b: stopped\n"


def test_whoever_is_not_there_is_told_in_one_line_and_nobody_is_stopped(state: StateFolder) -> None:
    result = run("kill", "team/a", "team/aa", "--state", state.root)
    assert result.exit_code == 1
    assert result.stderr == "error: ModelConsumer team/aa is not there: nobody was stopped\n"
    assert not state.killed.exists()
    result = run("kill", "team/a", "--state", state.root / "elsewhere")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"killed": 5}', b'{"killed": ["a"]}', b"[" * 100_000])
def test_a_damaged_file_lets_nobody_go_on(state: StateFolder, damage: bytes) -> None:
    disk.write(state.killed, b'{"killed": ["team/a"]}')
    warnings: list[str] = []
    stops = kill.Stops(state, warnings.append)
    assert stops.read() == {"team/a"}
    state.killed.write_bytes(damage)
    assert [stops.read(), stops.read()] == [{"team/a"}] * 2
    assert len(warnings) == 1, "told once"
    policies: Any = {stop.policy_key("team", "b"): stop.policy("team", "b")}
    disk.write(state.last_good, memory.encode(policies))
    assert kill.Stops(state, warnings.append).read() == {"team/b"}, "after a restart: what was remembered"
    result = run("kill", "team/a", "--state", state.root)
    assert result.stdout == "team/a: stopped\n"
    assert result.stderr.startswith("warning: ")
    assert kill.Stops(state, warnings.append).read() == {"team/a", "team/b"}
    assert len(warnings) == 2


def test_where_nothing_says_who_was_stopped_that_is_what_is_said(state: StateFolder) -> None:
    disk.write(state.killed, b"{")
    disk.write(state.last_good, b"{")
    warnings: list[str] = []
    assert kill.Stops(state, warnings.append).read() == set()
    assert [word for word in warnings if "nobody is" in word]
    assert not [word for word in warnings if "stays so" in word]


def test_names_are_not_checked_where_nothing_says_them(state: StateFolder) -> None:
    state.status.write_bytes(b"{")
    result = run("kill", "team/new", "--state", state.root)
    assert result.stdout == "team/new: stopped\n"
    assert "names are not checked" in result.stderr


def test_only_the_policy_of_the_command_is_one() -> None:
    mine = manifest("BudgetPolicy", "x", "team", {}) | {}
    mine["metadata"]["labels"] = {stop.LABEL: "a"}
    assert stop.stopped({memory.decode_key({"kind": "BudgetPolicy", "namespace": "team", "name": "x"}): mine}) == set()
