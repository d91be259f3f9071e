"""OpenAI's own package at a provider of Anthropic's API: tools, several at once, streams, pictures, errors."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running_up import CREDENTIAL, RunningUp, Site, consumer, provider, route, secret

from clients.reader import PACKAGES, SNIPPET_S
from fairlead.demo.provider import SimulatedProvider

AGENT = Path(__file__).with_name("agent.py")
MODEL, KEY = "claude-sim", "sk-app-1"
ANTHROPIC = {"protocol": "Anthropic", "chatCompletions": "Translate"}


@pytest.fixture(scope="module")
def claude() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=(MODEL,), keys=(CREDENTIAL,), header="x-api-key", anthropic=True) as running:
        yield running


@pytest.fixture(scope="module")
def seen(claude: SimulatedProvider, tmp_path_factory: pytest.TempPathFactory) -> Any:
    site = Site(tmp_path_factory.mktemp("up"))
    spoken = provider(claude.base_url, MODEL)
    spoken["spec"] |= ANTHROPIC
    routed = (route("chat", MODEL), secret("sim", key=CREDENTIAL), consumer("app", "k"), secret("app", k=KEY))
    site.write("all.yaml", spoken, *routed)
    with RunningUp(site) as up:
        up.wait_for("listening")
        words = [str(PACKAGES / "bin" / "python"), "-W", "ignore", str(AGENT)]
        done = subprocess.run(
            [*words, f"http://127.0.0.1:{site.ports[0]}/v1", "chat", KEY],
            capture_output=True,
            text=True,
            check=False,
            timeout=SNIPPET_S,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.mark.parametrize("form", ["whole", "stream"])
def test_an_agent_is_done_in_two_turns(seen: Any, form: str) -> None:
    first, last = seen[form]
    assert (first["finish"], first["text"] or "") == ("tool_calls", "")
    assert [name for name, _ in first["calls"]] == ["look", "find"]
    assert all(set(given) == {"at"} for _, given in first["calls"])
    assert (last["finish"], last["calls"], MODEL in last["text"]) == ("stop", [], True)
    assert {one["tokens"] for one in seen[form]} == {0}
    assert {one["model"] for one in seen[form]} == {MODEL}


def test_what_cannot_be_said_raises_what_the_package_has_for_it(seen: Any) -> None:
    kind, status, code, message = seen["refused"]
    assert (kind, status, code) == ("BadRequestError", 400, "unsupported_parameter")
    assert "seed" in message


def test_the_provider_took_all_that_it_got(seen: Any, claude: SimulatedProvider) -> None:
    assert seen
    assert {record.problem for record in claude.control.requests()} == {None}
    assert {record.target for record in claude.control.requests()} == {"/v1/messages"}
