"""Pairs of answers in `fairlead up`: kept when the installation asks for it, private, redacted, shown by a command."""

import json
import os
import signal
import stat
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from running_up import CREDENTIAL, SECRET_KEY, RunningUp, Site, _command_line, ask, provider, route, secret, until

from fairlead.cli import main
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]
SHADOW = {"provider": "other", "model": "sparrow", "sample": "100%"}


@pytest.fixture
def shadowed(site: Site) -> Iterator[Site]:
    """Let `chat` be copied to another provider, and pairs of it be recorded."""
    with SimulatedProvider(models=("sparrow",), keys=(CREDENTIAL,), region="elsewhere") as other:
        site.write("other.yaml", provider(other.base_url, "sparrow", name="other"), secret("other", key=CREDENTIAL))
        site.write("route.yaml", route("chat", "sparrow", shadow={**SHADOW, "record": {"share": "100%"}}))
        site.write_config(recorder={"keep": "1h", "megabytes": 1})
        yield site


def shown(site: Site, *options: str) -> Any:
    result = CliRunner().invoke(main, ["recorder", "show", "-c", str(site.config), *options, "-o", "json"])
    return json.loads(result.stdout) if result.exit_code == 0 else []


def recorder_of(up: RunningUp) -> int:
    return next((pid for pid in up._all_children() if " recorder serve " in _command_line(pid)), 0)


def test_pairs_are_kept_privately_and_shown(shadowed: Site, start: Start) -> None:
    (number,) = shadowed.ports
    up = start(shadowed).serving()
    until(lambda: (ask(number)[0], len(shown(shadowed)) > 0) == (200, True))
    pair = shown(shadowed, "fairlead/chat", "-n", "1")[0]
    assert pair["stable"]["target"] == "sim/one/sparrow"
    assert pair["candidate"]["target"] == "other/one/sparrow"
    assert pair["candidate"]["text"].startswith("elsewhere/sparrow is what this simulated provider says")
    assert shown(shadowed, "fairlead/none") == []
    text = CliRunner().invoke(main, ["recorder", "show", "-c", str(shadowed.config)]).stdout
    assert "stable: sim/one/sparrow" in text
    assert "| candidate: other/one/sparrow" in text
    folder = shadowed.state / "_recorder"
    for path in (folder, *folder.rglob("*")):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o007, path
        if path.is_file():
            assert SECRET_KEY.encode() not in path.read_bytes()
            assert CREDENTIAL.encode() not in path.read_bytes()
    assert up.stop() == 0


def test_a_recorder_that_dies_comes_back_and_one_that_nobody_wants_ends(shadowed: Site, start: Start) -> None:
    (number,) = shadowed.ports
    up = start(shadowed).serving()
    first = until(lambda: recorder_of(up))
    os.kill(first, signal.SIGKILL)
    assert ask(number)[0] == 200
    until(lambda: recorder_of(up) not in (0, first))
    before = len(shown(shadowed))
    until(lambda: (ask(number)[0], len(shown(shadowed)) > before) == (200, True))
    del shadowed.installation["recorder"]
    shadowed.write_config()
    until(lambda: recorder_of(up) == 0)
    assert "no recorder" in up.wait_for("warning", "spec.shadow.record")["what"]
    assert ask(number)[0] == 200
