"""`fairlead up` without a file: what the environment leads to is served, and said."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic
from running_up import COMMAND, CREDENTIAL, RunningUp, Site, ask

from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy

NOBODY = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "OPENROUTER_API_KEY": "", "ANTHROPIC_API_KEY": ""}


@pytest.fixture
def named(simulated: SimulatedProvider) -> dict[str, str]:
    return {**NOBODY, "OPENAI_API_KEY": CREDENTIAL, "OPENAI_BASE_URL": simulated.base_url}


@pytest.fixture
def simulated() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("gpt-4o-mini", "mystery"), keys=(CREDENTIAL,)) as running:
        yield running


@pytest.fixture
def start_in(tmp_path: Path) -> Iterator[Callable[..., RunningUp]]:
    with ExitStack() as stack:

        def run(*options: str, **settings: Any) -> RunningUp:
            return stack.enter_context(RunningUp(Site(tmp_path), *options, files=False, **settings))

        yield run


def _port(up: RunningUp) -> int:
    return int(up.wait_for("ready")["base_url"].rpartition(":")[2].removesuffix("/v1"))


def test_a_key_in_the_environment_is_enough(
    start_in: Callable[..., RunningUp], named: dict[str, str], tmp_path: Path
) -> None:
    before = {*tmp_path.iterdir()}
    up = start_in(**named, LANG="C")
    port = _port(up)
    for key in (None, "fairlead", CREDENTIAL):
        status, target, _ = ask(port, "gpt-4o-mini", key=key)
        assert (status, target) == (200, "openai/api/gpt-4o-mini")
    assert ask(port, "gpt-4o-mini", key="wrong")[0] == 401
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=60) as answer:
        assert {"gpt-4o-mini", "mystery"} <= {model["id"] for model in json.load(answer)["data"]}
    assert {path.name for path in tmp_path.iterdir()} - {path.name for path in before} == {
        ".fairlead",
        "m",
        "fairlead.yaml",
    }
    files = [path for path in (tmp_path / ".fairlead" / "_served").rglob("*") if path.is_file()]
    assert len(files) == 4
    assert all(CREDENTIAL not in path.read_text() for path in files)
    told = _say("status", "--state", tmp_path / ".fairlead")
    assert told.returncode == 0, told
    assert "openai/api/mystery" in told.stdout
    again = _say("up", cwd=tmp_path, **named)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "uses it" in again.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_a_provider_is_asked_ends_it_without_a_word(
    start_in: Callable[..., RunningUp], number: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        there = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        up = start_in(command=COMMAND, **{**NOBODY, "OPENAI_API_KEY": CREDENTIAL, "OPENAI_BASE_URL": there})
        connection, _ = silent.accept()
        with connection:
            assert up.stop(number) == 0
    assert (up.errors, up.events) == ("", [])


def test_a_key_of_anthropics_is_enough(start_in: Callable[..., RunningUp], tmp_path: Path) -> None:
    with SimulatedProvider(models=("claude",), keys=(CREDENTIAL,), header="x-api-key", anthropic=True) as claude:
        named = {"ANTHROPIC_API_KEY": CREDENTIAL, "ANTHROPIC_BASE_URL": claude.base_url.removesuffix("/v1")}
        port = _port(start_in(**{**NOBODY, **named}))
        question: Any = [{"role": "user", "content": "Who are you?"}]
        with Anthropic(base_url=f"http://127.0.0.1:{port}", api_key=CREDENTIAL, max_retries=0) as client:
            answer = client.messages.create(model="claude", max_tokens=9, messages=question)
            assert answer.model == "claude"
            assert client.messages.count_tokens(model="claude", messages=question).input_tokens > 0
        served = tmp_path / ".fairlead" / "_served"
        assert "  protocol: Anthropic\n" in (served / "resources" / "providers.yaml").read_text()
        told = subprocess.run(
            [*COMMAND, "check", "--probe", "-f", served / "resources", "-c", served / "installation.yaml"],
            capture_output=True,
            text=True,
            check=False,
            env={**_environment(), **NOBODY, **named},
            timeout=60,
        )
        assert "anthropic/api: reachable, key accepted, 1 of 1 models known there" in told.stdout + told.stderr


def test_a_person_reads_where_to_ask_and_what_is_printed_works(named: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "installation.yaml").write_text("regions: []\n")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for port in range(8101, 8110):
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                continue
            break
        taken.listen()
        environment = {**_environment(), **named}
        with subprocess.Popen(
            [*COMMAND, "up"], stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
        ) as process:
            assert process.stdout
            said = ""
            try:
                for line in process.stdout:
                    said += line
                    if "fairlead init" in line:
                        break
                _do_what_it_says(said)
            finally:
                process.terminate()
    assert "port 8101: another process listens there" in said
    assert "`fairlead up -f resources -c installation.yaml` serves it" in said
    assert "prices: genai-prices" in said
    assert "newest price of 20" in said
    assert "without a public price, served and not counted in dollars: mystery" in said


def _do_what_it_says(said: str) -> None:
    lines = [line[2:] for line in said.splitlines() if line.startswith("  ")]
    at = next(number for number, line in enumerate(lines) if line.startswith("curl "))
    curl = "\n".join(lines[at : at + 2])
    answer = subprocess.run(
        ["bash", "-c", f"{curl} --silent --fail-with-body"], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(answer.stdout)["model"] == "gpt-4o-mini"
    begin = next(number for number, line in enumerate(lines) if line.startswith("from openai"))
    python = "\n".join(lines[begin : begin + 4])
    told = subprocess.run([sys.executable, "-c", python], capture_output=True, text=True, check=True, timeout=60)
    assert "gpt-4o-mini" in told.stdout


def _environment() -> dict[str, str]:
    return dict(os.environ)


def _say(*words: Any, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=cwd,
        env={**_environment(), **environment},
    )
