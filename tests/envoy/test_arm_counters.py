"""What rollouts judge by, as a real Envoy counts it: tokens, why answers ended, copies that hang."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from dialects import ANTHROPIC_START, CHAT, MESSAGES, RESPONSES
from running import ROUTE, TIMEOUTS, Gateway, gateway, plan, route, simple, target
from scripted import JSON, SSE, Script, ScriptedProvider

from fairlead import ir
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]


def series(running: Gateway, name: str, *labels: str) -> dict[tuple[str, ...], int]:
    """Counts of `fairlead_<name>` by the values of some labels."""
    found: dict[tuple[str, ...], int] = {}
    for line in running.metrics().splitlines():
        if line.startswith(f"envoy_fairlead_{name}{{"):
            shown = dict(re.findall(r'(\w+)="([^"]*)"', line))
            key = tuple(shown[label] for label in labels)
            found[key] = found.get(key, 0) + int(line.split()[-1])
    return found


@pytest.fixture(scope="module")
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as started:
        yield started


@pytest.fixture(scope="module")
def scripted(provider: ScriptedProvider) -> Iterator[Gateway]:
    upstream = ir.Upstream(host="127.0.0.1", port=provider.port, tls=False, base_path="/v1")
    with Gateway(simple(target("a/e/m", provider, upstream=upstream))) as started:  # type: ignore[arg-type]
        yield started


def events(*said: Any) -> bytes:
    texts = [one if isinstance(one, str) else json.dumps(one, separators=(",", ":")) for one in said]
    return "".join(f"data: {text}\n\n" for text in texts).encode()


def ended(reason: str | None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}


WORD = {"choices": [{"delta": {"content": 'finish_reason":"length"'}, "finish_reason": None}]}
WHOLE = {"choices": [{"message": {"content": "x", "finish_reason": "no"}, "finish_reason": "tool_calls"}], "usage": {}}
DELTA = {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 5}}
CASES = [
    pytest.param(CHAT, JSON, json.dumps(WHOLE).encode(), "tool_calls", id="in one piece"),
    pytest.param(CHAT, JSON, b'{"choices":[]}', "", id="nothing said"),
    pytest.param(CHAT, JSON, b'{"choices":[1,{},{"finish_reason":"eos"}]}', "other", id="a word of its own"),
    pytest.param(CHAT, SSE, events(WORD, ended(None), ended("stop"), "[DONE]"), "stop", id="a stream"),
    pytest.param(CHAT, SSE, events(json.dumps(ended("content_filter"))), "content_filter", id="with spaces"),
    pytest.param(CHAT, SSE, events(WORD, ended(None)), "", id="a stream without an end"),
    pytest.param(
        CHAT,
        SSE,
        events({**ended("length"), "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
        "length",
        id="usage",
    ),
    pytest.param(MESSAGES, JSON, b'{"content":[{"type":"text"}],"stop_reason":"end_turn"}', "stop", id="messages"),
    pytest.param(
        MESSAGES,
        SSE,
        events({"type": "message_start", "message": {"usage": ANTHROPIC_START, "stop_reason": None}}, DELTA),
        "length",
        id="a stream of messages",
    ),
    pytest.param(
        RESPONSES, JSON, b'{"output":[{"status":"completed"}],"status":"incomplete"}', "length", id="responses"
    ),
    pytest.param(
        RESPONSES,
        SSE,
        events(
            {"type": "response.created", "response": {"status": "in_progress", "usage": None}},
            {"type": "response.completed", "response": {"status": "completed", "usage": {"input_tokens": 6}}},
        ),
        "stop",
        id="a stream of responses",
    ),
]


@pytest.mark.parametrize("pieces", [1, 7])
@pytest.mark.parametrize(("path", "kind", "body", "reason"), CASES)
def test_why_an_answer_ended(
    scripted: Gateway,
    provider: ScriptedProvider,
    wait_until: Wait,
    *,
    path: str,
    kind: str,
    body: bytes,
    reason: str,
    pieces: int,
) -> None:
    size = -(-len(body) // pieces)
    cut = [body[at : at + size] for at in range(0, len(body), size)]
    provider.script = Script(content_type=kind, pieces=cut)
    before = series(scripted, "attempt_finished", "reason", "flags")
    answer = scripted.ask(path=path, stream=kind == SSE)
    assert answer.status == 200
    now = wait_until(lambda: (found := series(scripted, "attempt_finished", "reason", "flags")) != before and found)
    assert {key for key in now if now[key] != before.get(key, 0)} == {(reason, "-")}


def test_tokens_count_for_the_arm_that_was_drawn(wait_until: Wait) -> None:
    """A candidate that is a fallback of stable, too, and answers there what the stable target refuses."""
    with SimulatedProvider(models=("old", "new"), keys=()) as provider, SimulatedProvider(keys=()) as failing:
        old, new = target("a/e/old", failing), target("b/e/new", provider)
        failing.control.fault(status=500)
        arms = (
            ir.Arm(ladder=f"{ROUTE}/0", weight=5000, side=ir.Side.STABLE),
            ir.Arm(ladder=f"{ROUTE}/1-candidate", weight=5000, side=ir.Side.CANDIDATE),
        )
        made = route(ROUTE, plan(f"{ROUTE}/0", last=old, arms=arms), stickiness=ir.Stickiness.REQUEST)
        ladders = {f"{ROUTE}/0": (old, new), f"{ROUTE}/1-candidate": (new, old)}
        with Gateway(gateway({"chat": made}, ladders)) as running:
            for number in range(40):
                assert running.ask(stream=bool(number % 2)).target == "b/e/new"
            counts = wait_until(
                lambda: sum((found := series(running, "attempt_finished", "arm", "target")).values()) == 40 and found
            )
            tokens = series(running, "attempt_completion_tokens", "arm", "target")
            reasons = series(running, "attempt_finished", "reason")
    assert set(counts) == {("@team/chat/0", "b/e/new"), ("@team/chat/1-candidate", "b/e/new")}
    assert tokens == {key: 12 * count for key, count in counts.items()}
    assert reasons == {("stop",): 40}


def test_a_copy_that_hangs_is_counted_when_a_client_would_know_it(wait_until: Wait) -> None:
    timers = replace(TIMEOUTS, first_byte_ms=1500, response_ms=2000)
    with SimulatedProvider(models=("m",), keys=()) as good, SimulatedProvider(models=("n",), keys=()) as bad:
        own, other = target("a/e/m", good), target("b/e/n", bad)
        made = route(
            ROUTE, plan(f"{ROUTE}/0", last=own), timeouts=timers, shadow=ir.Shadow(target="b/e/n", sample=10_000)
        )
        with Gateway(gateway({"chat": made}, {f"{ROUTE}/0": (own,)}, others=[other])) as running:
            for stream in (True, False):
                assert running.ask(stream=stream).status == 200
            wait_until(lambda: sum(series(running, "copy_finished", "reason").values()) == 2)
            assert series(running, "copy_total", "route", "target", "code", "flags") == {
                (ROUTE, "b/e/n", "200", "-"): 2
            }
            assert series(running, "copy_completion_tokens", "target") == {("b/e/n",): 24}
            assert series(running, "copy_finished", "reason", "flags") == {("stop", "-"): 2}
            bad.control.fault(hang=True)
            for stream in (True, False) * 3:
                assert running.ask(stream=stream).status == 200
            failed = wait_until(
                lambda: (found := series(running, "copy_total", "code", "flags")).get(("504", "UT")) == 6 and found
            )
            assert failed == {("200", "-"): 2, ("504", "UT"): 6}
            bad.control.clear()
            bad.control.fault(break_after_chunks=2)
            assert running.ask(stream=True).status == 200
            wait_until(lambda: sum(series(running, "copy_total", "code").values()) == 9)
            (cut,) = {key for key in series(running, "copy_total", "code", "flags") if key not in failed}
            assert cut[0] == "200"
            assert cut[1] != "-"
            # Of the streams that began: an answer in one piece has no first byte of its own.
            wait_until(lambda: series(running, "copy_first_byte_ms_count", "target") == {("b/e/n",): 2})
