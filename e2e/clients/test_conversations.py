"""Forty conversations by the official packages of both APIs, in two languages, at strict providers of each protocol."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clients import conversations
from clients.conversations import LANGUAGES, STOP, Run
from clients.providers import World, world
from clients.reader import PACKAGES, SNIPPET_S

HERE = Path(__file__).parent
PROGRAMS = {
    "Python": [str(PACKAGES / "bin" / "python"), "-W", "ignore", str(HERE / "speak.py")],
    "JavaScript": ["node", str(PACKAGES / "speak.mjs")],
}
RUNS = list(conversations.runs())
KINDS = {
    400: "BadRequestError",
    401: "AuthenticationError",
    404: "NotFoundError",
    429: "RateLimitError",
    502: "InternalServerError",
    503: "InternalServerError",
    529: "InternalServerError",
}
"""What the packages raise."""
OWN_KINDS = {("Python", "messages", 503): "ServiceUnavailableError", ("Python", "messages", 529): "OverloadedError"}


@pytest.fixture(scope="module")
def everybody() -> Iterator[World]:
    with world() as running:
        yield running


@pytest.fixture(scope="module")
def heard(everybody: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What the programs heard in each turn of each run; both speak at the same time."""
    folder, base = tmp_path_factory.mktemp("plan"), f"http://127.0.0.1:{everybody.gateway.port}"
    (PACKAGES / "speak.mjs").write_text((HERE / "speak.mjs").read_text())  # node looks for packages beside it
    with ThreadPoolExecutor() as pool:
        spoken = list(pool.map(partial(speak, folder, base), LANGUAGES))
    found: dict[str, list[Any]] = {}
    for line in "".join(spoken).splitlines():
        turn = json.loads(line)
        found.setdefault(turn.pop("run"), []).append(turn)
    return found


def speak(folder: Path, base: str, language: str) -> str:
    plan = folder / f"{language}.json"
    plan.write_text(json.dumps(conversations.plan(base, language)))
    words = [*PROGRAMS[language], str(plan)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=SNIPPET_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def expected(run: Run, one: dict[str, Any]) -> dict[str, Any]:
    """Say what comes of a turn."""
    column, wanted = run.column, {"finish": STOP[run.of.api], **one.get("expect", {})}
    refused = run.of.refusal(column) or one.get("refused", {}).get(column.speaks)
    if refused:
        return {"error": 503} if column.first else {"error": 400, "names": refused}
    if column.name in run.of.there:
        return {"error": 400, "there": run.of.there[column.name]}
    error = wanted.get("error")
    if isinstance(error, dict):
        error = error.get(column.speaks)
    return {"error": error} if error else {**wanted, "error": None}


def judge_error(run: Run, said: Any, wanted: dict[str, Any]) -> None:
    status = wanted["error"]
    assert said["error"] == status, said
    kind = OWN_KINDS.get((run.language, run.of.api, status), KINDS[status])
    assert kind in said["kinds"], said
    body = said["body"]
    if run.of.api == "messages":
        assert (body["type"], set(body["error"]) >= {"type", "message"}) == ("error", True), said
    else:
        assert {"message", "type", "code"} <= set(body) or "status" in body or run.column.of == "azure", said
    if "names" in wanted:
        assert f"The {wanted['names']} parameter is not supported by this model" in said["message"], said
    assert wanted.get("there", "") in said["message"], said


def judge_answer(run: Run, one: dict[str, Any], said: Any, wanted: dict[str, Any]) -> None:
    column, api = run.column, run.of.api
    speaks = column.speaks or ("anthropic" if one["model"] == "anthropic" else "openai")
    is_own = speaks == conversations.OWN[api]
    assert "finish" in said, said
    if "stopped_by" in wanted:
        assert said["stopped_by"] == (wanted["stopped_by"] if is_own else None), said
        assert said["finish"] == (wanted["finish"] if speaks == "openai" else "stop_sequence"), said
    else:
        assert said["finish"] == wanted["finish"], said
    assert [name for _, name, _ in said["calls"]] == wanted.get("calls", []), said
    assert len({id_ for id_, _, _ in said["calls"]}) == len(said["calls"])
    who = f"{column.says or column.of or one['model']}/"
    assert all(given.get("city", who).startswith(who) for _, _, given in said["calls"]), said
    if not said["calls"] and wanted.get("tokens", 9) > 0:
        assert who in said["text"], said
    for name in wanted.get("json", ()):
        assert name in json.loads(said["text"]), said
    if "without" in wanted:
        assert wanted["without"] not in said["text"].replace(who, ""), said
    if "tokens" in wanted and column.of != "gemini":
        assert said["tokens"][1] == wanted["tokens"], said
    assert min(said["tokens"]) > 0, said
    if api == "messages":
        assert said["thinks"] is (wanted.get("thinks", False) and is_own), said
    named = {one["left_out"]} if "left_out" in one else run.of.hints(column)
    assert set(said["left_out"].split(", ")) - {""} <= named, said


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_a_conversation_is_had(heard: dict[str, list[Any]], run: Run) -> None:
    turns = heard[run.name]
    left_out: set[str] = set()
    for one, said in zip(run.of.turns, turns, strict=False):
        wanted = expected(run, one)
        if wanted["error"] is not None:
            judge_error(run, said, wanted)
        elif one.get("counts"):
            assert said["counted"] > 0, said
        else:
            judge_answer(run, one, said, wanted)
            left_out |= set(said["left_out"].split(", ")) - {""}
    assert len(turns) == len(run.of.turns) or run.of.refusal(run.column), "the rest goes on with what was refused"
    if run.column.of and not run.of.refusal(run.column) and run.column.name not in run.of.there:
        assert left_out == run.of.hints(run.column)


def test_providers_took_all_but_what_is_theirs_to_refuse(heard: dict[str, list[Any]], everybody: World) -> None:
    assert heard
    theirs = Counter(run.column.of for run in RUNS for _ in run.of.turns if run.column.name in run.of.there)
    late = sum("with thoughts" in run.of.name for run in RUNS)  # the turn whose call had none
    bad = {name: sum(sim.control.stats().problems.values()) for name, sim in everybody.providers.items()}
    assert bad == {"openai": 0, "azure": 0, "gemini": theirs["gemini"], "anthropic": late, "bedrock": 0}
