"""Pairs of answers: both sides of the same request meet at a recorder, without secrets, and no client waits for it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted import JSON, SSE, Script, ScriptedProvider
from serving import ASK, Rung, Serving, answered, route, seen

from fairlead.envoy.recorder import MOST_POSTS
from fairlead.ir import Recording
from fairlead.recorder import shelf
from ports import free_port

pytestmark = pytest.mark.envoy

Start = Callable[..., Rung]
Serve = Callable[..., Serving]
Wait = Callable[[Callable[[], Any]], Any]

ALL = 10_000
FAIRLEAD = Path(sys.executable).with_name("fairlead")
KINDS = ("card", "key", "mail", "phone")
SECRETS = ("sk-proj-4f9aB27cD61eF80aB93c", "alice@mail.example.com", "4111 1111 1111 1111", "+49 170 1234567")


class Recorder:
    """A recorder in a process of its own."""

    def __init__(self, folder: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.folder, self.port, self.process = folder, port, process

    def recording(self, share: int = ALL) -> Recording:
        return Recording(share=share, redact=KINDS, service=f"127.0.0.1:{self.port}")

    def pairs(self) -> list[dict[str, Any]]:
        return list(shelf.read(self.folder)) if self.folder.is_dir() else []

    def everything(self) -> bytes:
        """All that it has written, its log included."""
        return b"".join(path.read_bytes() for path in sorted(self.folder.parent.rglob("*")) if path.is_file())


@contextmanager
def recorder(folder: Path) -> Iterator[Recorder]:
    port = free_port()
    folder.mkdir()
    command = [str(FAIRLEAD), "recorder", "serve", "--listen", f"127.0.0.1:{port}", "--dir", str(folder / "pairs")]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            deadline = time.monotonic() + 60
            while b"listening" not in (folder / "log").read_bytes():
                assert time.monotonic() < deadline
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.02)
            yield Recorder(folder / "pairs", port, process)
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    with recorder(tmp_path_factory.mktemp("recorder") / "all") as one:
        yield one


@pytest.fixture
def recording(running: Recorder) -> Recorder:
    """The recorder of all tests, without what those before left."""
    for path in running.folder.glob("*"):
        path.unlink()
    return running


def scripted(one: Rung, provider: ScriptedProvider) -> Rung:
    upstream = replace(one.target.upstream, host="127.0.0.1", port=provider.port, base_path="")
    return replace(one, target=replace(one.target, upstream=upstream))


def events(*values: Any) -> list[bytes]:
    return [b"data: " + json.dumps(value).encode() + b"\n\n" for value in values] + [b"data: [DONE]\n\n"]


def streamed(text: str) -> Script:
    """A chunk for each letter, and each in two pieces."""
    deltas = [{"choices": [{"index": 0, "delta": {"content": letter}}]} for letter in text]
    wire = b"".join(events(*deltas))
    return Script(pieces=[wire[start : start + 17] for start in range(0, len(wire), 17)], content_type=SSE)


def whole(text: str) -> Script:
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in text)
    body = '{"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":"' + escaped + '"}}]}'
    return Script(pieces=[body.encode()], content_type=JSON)


def test_both_answers_to_a_request_meet(start_rung: Start, serve: Serve, wait_until: Wait, recording: Recorder) -> None:
    alpha, shadow = start_rung("alpha"), start_rung("shadow")
    other = start_rung("other")
    gateway = serve(
        route("chat", alpha, shadow=(shadow, ALL), recording=recording.recording()),
        route("quiet", other, shadow=(shadow, ALL)),
    )
    for stream in (False, True):
        assert answered(gateway.ask("chat", stream=stream)) == (200, "alpha", "1")
        assert answered(gateway.ask("quiet", stream=stream)) == (200, "other", "1")
    wait_until(lambda: len(recording.pairs()) == 2)
    assert len(seen(shadow, 4)) == 4
    for pair in recording.pairs():
        assert pair["route"] == "team/chat"
        assert pair["question"] == {"messages": [{"role": "user", "text": ASK[0]["content"]}]}
        assert pair["candidate"]["usage"]["completion_tokens"] == 12
        for side, target in (("stable", "alpha"), ("candidate", "shadow")):
            found = pair[side]
            assert (found["target"], found["status"], found["finishReason"]) == (f"{target}/only/small", 200, "stop")
            assert found["text"].startswith(f"{target}/{target}-wire is what this simulated provider says")
    wait_until(
        lambda: len(gateway.lines(kind="request", route="team/chat")) == 2
    )  # Envoy writes them down a moment later
    ids = {line["request_id"] for line in gateway.lines(kind="request", route="team/chat")}
    assert {pair["request"] for pair in recording.pairs()} == ids
    # Neither provider sees anything of it: each would refuse a header of the gateway's.
    assert alpha.sim.control.stats().problems == shadow.sim.control.stats().problems == {}


@pytest.mark.parametrize("written", [streamed, whole], ids=["letter by letter", "escaped"])
def test_no_planted_secret_is_written(
    start_rung: Start, serve: Serve, wait_until: Wait, recording: Recorder, written: Callable[[str], Script]
) -> None:
    planted = " and ".join(SECRETS) + " and https://bob:hunter22@db.example.com/?token=zq81hs7d"
    with ScriptedProvider() as stable, ScriptedProvider() as candidate:
        stable.script, candidate.script = written(f"stable {planted}"), written(f"candidate {planted}")
        alpha, shadow = scripted(start_rung("alpha"), stable), scripted(start_rung("shadow"), candidate)
        gateway = serve(route("chat", alpha, shadow=(shadow, ALL), recording=recording.recording()))
        body = {"model": "chat", "stream": written is streamed, "messages": [{"role": "user", "content": planted}]}
        assert gateway.post(json.dumps(body)).status == 200
        (pair,) = wait_until(recording.pairs)
    for text in (pair["question"]["messages"][0]["text"], pair["stable"]["text"], pair["candidate"]["text"]):
        assert text.count("[key]") == 3
        assert [text.count(mark) for mark in ("[mail]", "[card]", "[phone]")] == [1, 1, 1]
    kept = recording.everything()
    for secret in (*SECRETS, "hunter22", "zq81hs7d", "key-of-alpha", "sk-alice"):
        assert secret.encode() not in kept
        assert secret[:6].encode() not in kept


def failing(gateway: Serving, calls: int) -> tuple[float, Sequence[tuple[int, str, str]]]:
    """Ask so often; the slowest answer, and all of them."""
    slowest, found = 0.0, []
    for number in range(calls):
        began = time.monotonic()
        found.append(answered(gateway.ask("chat", stream=number % 2 == 0)))
        slowest = max(slowest, time.monotonic() - began)
    return slowest, found


CALLS = 100


def test_a_recorder_that_is_away_costs_nothing(start_rung: Start, serve: Serve, wait_until: Wait) -> None:
    alpha, shadow = start_rung("alpha"), start_rung("shadow")
    away = Recording(share=ALL, redact=KINDS, service="127.0.0.1:1")
    gateway = serve(route("chat", alpha, shadow=(shadow, ALL), recording=away))
    slowest, found = failing(gateway, CALLS)
    assert found == [(200, "alpha", "1")] * CALLS
    assert slowest < 3
    wait_until(lambda: len(shadow.records) > 0)


def test_a_recorder_that_hangs_costs_nothing(
    start_rung: Start, serve: Serve, wait_until: Wait, recording: Recorder
) -> None:
    alpha, shadow = start_rung("alpha"), start_rung("shadow")
    gateway = serve(route("chat", alpha, shadow=(shadow, ALL), recording=recording.recording()))

    def posts(what: str) -> int:
        return next(iter(gateway.envoy.counters(rf"^cluster.!recorder/127.0.0.1_{recording.port}.{what}$").values()))

    recording.process.send_signal(signal.SIGSTOP)
    try:
        slowest, found = failing(gateway, CALLS)
        assert found == [(200, "alpha", "1")] * CALLS
        assert slowest < 3
        # No more are under way, or wait for a connection, than the bound says; the others were dropped.
        assert posts("upstream_rq_active") <= MOST_POSTS
        assert posts("upstream_rq_pending_active") <= MOST_POSTS
        assert posts("upstream_rq_pending_overflow") > 0
    finally:
        recording.process.send_signal(signal.SIGCONT)
    before = len(recording.pairs())
    wait_until(lambda: gateway.ask("chat").status == 200 and len(recording.pairs()) > before + 5)


def test_a_share_of_the_copies_is_recorded_and_each_is_whole(
    start_rung: Start, serve: Serve, wait_until: Wait, recording: Recorder
) -> None:
    alpha, shadow = start_rung("alpha"), start_rung("shadow")
    gateway = serve(route("chat", alpha, shadow=(shadow, 5_000), recording=recording.recording(5_000)))
    calls = 200
    for _ in range(calls):
        assert gateway.ask("chat").status == 200
    copies = wait_until(lambda: len(gateway.lines(kind="shadow")) >= 60 and gateway.lines(kind="shadow"))
    posted = f"cluster.!recorder/127.0.0.1_{recording.port}.upstream_rq_completed"
    wait_until(lambda: gateway.envoy.counters(posted)[posted] == 3 * len(recording.pairs()) > 0)
    assert 60 <= len(copies) <= 140
    assert 20 <= len(recording.pairs()) <= 85


def test_an_answer_that_never_came_is_a_pair_with_its_status(
    start_rung: Start, serve: Serve, wait_until: Wait, recording: Recorder
) -> None:
    alpha, shadow = start_rung("alpha"), start_rung("shadow")
    gateway = serve(route("chat", alpha, shadow=(shadow, ALL), recording=recording.recording()))
    shadow.sim.control.fault(status=500)
    assert answered(gateway.ask("chat")) == (200, "alpha", "1")
    (pair,) = wait_until(recording.pairs)
    assert (pair["stable"]["status"], pair["candidate"]["status"]) == (200, 500)
    assert "error" in pair["candidate"]


def test_a_long_answer_is_cut_in_the_record_alone(
    start_rung: Start, serve: Serve, wait_until: Wait, recording: Recorder
) -> None:
    alpha, shadow = start_rung("alpha"), start_rung("shadow")
    gateway = serve(route("chat", alpha, shadow=(shadow, ALL), recording=recording.recording()))
    answer = gateway.ask("chat", stream=True, metadata={"completion_tokens": "2000"})
    assert len(answer.body) > 300_000
    assert answer.body.endswith(b"data: [DONE]\n\n")
    (pair,) = wait_until(recording.pairs)
    assert pair["stable"]["cut"] is pair["candidate"]["cut"] is True
    assert pair["stable"]["text"].startswith("alpha/alpha-wire is what")
