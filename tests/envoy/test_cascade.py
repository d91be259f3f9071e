"""Cascades, as a real Envoy serves them: which models are asked, what reaches the client, who speaks for whom."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from running import (
    CONSUMER,
    KEY,
    ROUTE,
    TIMEOUTS,
    Answer,
    Gateway,
    credential,
    gateway,
    plan,
    route,
    simple,
    target,
    upstream,
)
from running_up import until
from speaking import Saying, Speaker, answers, fails, says

from fairlead import ir

pytestmark = pytest.mark.envoy
ACCEPT = ir.Accept(finish_reasons=("stop", "tool_calls"), json=True, tool_calls=True, refusal=True, min_characters=1)
CASCADE = ir.Cascade(accept=ACCEPT, models=("small", "large", "best"))
GOOD, CUT = says("Yes."), says("Y", "length")
MEGABYTE = 1 << 20
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "required": ["a"]}}}
PLAIN = "plain"


@pytest.fixture(scope="module")
def speaker() -> Iterator[Speaker]:
    with Speaker() as speaker:
        yield speaker


@pytest.fixture(scope="module")
def served(speaker: Speaker) -> Iterator[Gateway]:
    def at(name: str, folder: str, **fields: Any) -> ir.Target:
        place = upstream(speaker, base_path=f"{folder}/v1")  # type: ignore[arg-type]
        eager = ir.Breaker(consecutive_failures=1000, open_for_ms=60_000)
        return target(name, speaker, upstream=place, breaker=eager, credential="p/key", **fields)  # type: ignore[arg-type]

    one, two = at("p/one/small", "/one"), at("p/two/small", "/two")
    large, best = at("p/one/large", "/one", max_in_flight=4), at("q/one/best", "/one")
    short = replace(TIMEOUTS, response_ms=500)
    judged = route(ROUTE, plan(f"{ROUTE}/0", last=one), cascade=CASCADE, timeouts=short)
    plain = route("team/plain", plan("team/plain/0", last=one))
    keeping = ir.Cache(ttl_ms=3_600_000, shared=False, digest="d")
    kept = route("team/kept", plan("team/kept/0", last=one), cascade=CASCADE, cache=keeping)
    whole = gateway(
        {"chat": judged, PLAIN: plain, "kept": kept},
        {f"{ROUTE}/0": (one, two, large, best), "team/plain/0": (one, large), "team/kept/0": (one, large)},
        cache_bytes=MEGABYTE,
        credentials=[credential("p")],
        limits=ir.Limits(request_bytes=4 * MEGABYTE),
    )
    with Gateway(whole) as running:
        yield running


@pytest.fixture(autouse=True)
def _anew(speaker: Speaker) -> None:
    speaker.asked.clear()
    speaker.said = {"small": GOOD, "large": says("Certainly."), "best": says("By all means.")}


def told(answer: Answer) -> tuple[int, str, str]:
    return answer.status, answer.target, answer.headers["x-fairlead-cascade"]


def content(answer: Answer) -> Any:
    return json.loads(answer.body)["choices"][0]["message"]["content"]


def paths(speaker: Speaker) -> list[str]:
    return [f"{one.path.partition('/v1')[0]}/{one.model}" for one in speaker.asked]


def test_a_good_answer_is_the_first_models(served: Gateway, speaker: Speaker) -> None:
    answer = served.ask()
    assert told(answer) == (200, "p/one/small", "p/small=accepted")
    assert (content(answer), paths(speaker)) == ("Yes.", ["/one/small"])
    assert answer.headers["x-fairlead-attempts"] == "1"
    assert answer.headers["x-fairlead-region"] == "eu-west-1"


def test_an_answer_that_fails_a_check_goes_to_the_next_model_and_never_to_the_same_one_elsewhere(
    served: Gateway, speaker: Speaker
) -> None:
    speaker.said["small"] = CUT
    answer = served.ask()
    assert told(answer) == (200, "p/one/large", "p/small=finishReason, p/large=accepted")
    assert (content(answer), paths(speaker)) == ("Certainly.", ["/one/small", "/one/large"])
    assert answer.headers["x-fairlead-attempts"] == "2"


def test_the_last_model_is_not_judged(served: Gateway, speaker: Speaker) -> None:
    speaker.said |= {"small": CUT, "large": says("I can't help with that."), "best": says("", "length")}
    answer = served.ask()
    assert told(answer) == (200, "q/one/best", "p/small=finishReason, p/large=refusal, q/best=unjudged")
    assert content(answer) == ""


def test_failover_within_a_model_is_what_it_was(served: Gateway, speaker: Speaker) -> None:
    speaker.said["/one/small"] = fails(500)
    answer = served.ask()
    assert told(answer) == (200, "p/two/small", "p/small=accepted")
    assert (paths(speaker), answer.headers["x-fairlead-attempts"]) == (["/one/small", "/two/small"], "2")


def test_a_model_that_is_down_or_hangs_leads_to_the_next(served: Gateway, speaker: Speaker) -> None:
    speaker.said |= {"small": fails(503), "large": replace(GOOD, hangs=True)}
    answer = served.ask()
    assert told(answer) == (200, "q/one/best", "p/small=503, p/large=504, q/best=unjudged")
    assert paths(speaker) == ["/one/small", "/two/small", "/one/large", "/one/best"]


@pytest.mark.parametrize("down", ["large", "small at one"])
def test_when_all_better_models_are_down_the_first_ones_answer_is_the_answer(
    served: Gateway, speaker: Speaker, down: str
) -> None:
    speaker.said |= {"small": says("I cannot assist with that."), "large": fails(500), "best": fails(429)}
    if down != "large":
        speaker.said["/one/small"] = fails(503)
    answer = served.ask()
    name = "p/one/small" if down == "large" else "p/two/small"
    assert told(answer) == (200, name, "p/small=refusal, p/large=500, q/best=429, p/small=unjudged")
    assert content(answer) == "I cannot assist with that."


def test_when_everything_is_down_the_client_sees_the_providers_own_error(served: Gateway, speaker: Speaker) -> None:
    speaker.said = {name: fails(429) for name in ("small", "large", "best")}
    answer = served.ask()
    assert (answer.status, answer.message) == (429, "no")
    assert answer.headers["x-fairlead-cascade"] == "p/small=429, p/large=429, q/best=429, p/small=429"


def test_a_refusal_of_the_gateways_credential_stays_a_bad_gateway(served: Gateway, speaker: Speaker) -> None:
    speaker.said = {name: fails(401) for name in ("small", "large", "best")}
    answer = served.ask()
    assert (answer.status, answer.code) == (502, "provider_refused")


def test_the_requests_own_fault_goes_to_the_client_at_once(served: Gateway, speaker: Speaker) -> None:
    speaker.said["small"] = fails(400)
    assert told(served.ask()) == (400, "p/one/small", "p/small=400")
    assert paths(speaker) == ["/one/small"]


def test_streams_pass(served: Gateway, speaker: Speaker) -> None:
    chunk = {"id": "x", "choices": [{"index": 0, "delta": {"content": "Y"}, "finish_reason": "length"}]}
    events = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
    speaker.said["small"] = Saying(body=events, headers={"content-type": "text/event-stream"}, chunked=True)
    answer = served.ask(stream=True)
    assert told(answer) == (200, "p/one/small", "bypass")
    assert (answer.body, paths(speaker)) == (events, ["/one/small"])


def test_a_stream_that_nobody_asked_for_passes(served: Gateway, speaker: Speaker) -> None:
    kind = {"content-type": "text/event-stream"}
    speaker.said["small"] = Saying(body=b"data: [DONE]\n\n", headers=kind, chunked=True)
    assert told(served.ask()) == (200, "p/one/small", "p/small=unjudged")


def test_checks_read_the_request(served: Gateway, speaker: Speaker) -> None:
    speaker.said |= {"small": says("{}"), "large": says('{"a": 1}')}
    answer = served.ask(response_format=SCHEMA)
    assert told(answer) == (200, "p/one/large", "p/small=json, p/large=accepted")
    assert [one.body["response_format"] for one in speaker.asked] == [SCHEMA, SCHEMA]
    assert told(served.ask()) == (200, "p/one/small", "p/small=accepted")
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    speaker.said["small"] = says(None, "tool_calls", tool_calls=[call])
    look = {"type": "function", "function": {"name": "look"}}
    assert told(served.ask(tools=[look])) == (200, "p/one/small", "p/small=accepted")
    assert told(served.ask(tools=[{**look, "function": {"name": "see"}}]))[2] == "p/small=toolCalls, p/large=accepted"


@pytest.mark.parametrize(
    ("path", "cut", "whole"),
    [
        (
            "completions",
            {"choices": [{"text": "Y", "finish_reason": "length"}]},
            {"choices": [{"text": "Yes", "finish_reason": "stop"}]},
        ),
        (
            "responses",
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": [{}]},
            {"status": "completed", "output": [{"type": "message", "content": [{"type": "output_text", "text": "Y"}]}]},
        ),
        (
            "messages",
            {"content": [{"type": "text", "text": "Y"}], "stop_reason": "max_tokens"},
            {"content": [{"type": "text", "text": "Yes"}], "stop_reason": "end_turn"},
        ),
    ],
)
def test_other_apis_are_judged(
    served: Gateway, speaker: Speaker, path: str, cut: dict[str, Any], whole: dict[str, Any]
) -> None:
    speaker.said |= {"small": answers(cut), "large": answers(whole)}
    answer = served.ask(path=f"/v1/{path}")
    assert told(answer) == (200, "p/one/large", "p/small=finishReason, p/large=accepted")
    assert answer.body == speaker.said["large"].body


@pytest.mark.parametrize("chunked", [False, True])
def test_an_answer_above_a_megabyte_passes_unjudged(served: Gateway, speaker: Speaker, *, chunked: bool) -> None:
    speaker.said["small"] = replace(says("I can't help with that." + " " * MEGABYTE), chunked=chunked)
    answer = served.ask()
    assert told(answer) == (200, "p/one/small", "p/small=large")
    assert answer.body == speaker.said["small"].body


def test_a_rejected_answer_that_is_nearly_a_megabyte_long_is_replaced_whole(served: Gateway, speaker: Speaker) -> None:
    speaker.said["small"] = says("I can't help with that." + " " * (MEGABYTE - 2000))
    assert content(served.ask()) == "Certainly."


def test_a_long_request_reaches_every_model_whole(served: Gateway, speaker: Speaker) -> None:
    speaker.said |= {"small": CUT, "large": CUT}
    text = "a" * 2 * MEGABYTE
    served.ask(messages=[{"role": "user", "content": text}], user="somebody")
    assert [one.body["messages"][0]["content"] == text for one in speaker.asked] == [True] * 3
    assert [one.body["user"] for one in speaker.asked] == ["somebody"] * 3


def test_what_is_no_answer_leads_to_the_next_model(served: Gateway, speaker: Speaker) -> None:
    speaker.said["small"] = Saying(body=b'{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],}')
    assert told(served.ask()) == (200, "p/one/large", "p/small=unreadable, p/large=accepted")
    speaker.said["small"] = Saying(body=b"")
    assert told(served.ask()) == (200, "p/one/large", "p/small=502, p/large=accepted")


JUDGED = "refusal|r||p/x/y|-|p|y|y|9"


@pytest.mark.parametrize("model", ["chat", PLAIN])
@pytest.mark.parametrize("said", [JUDGED, "rejected", "accepted||x;y|p/x/y|-|p|y|y|9", ""])
def test_no_provider_speaks_for_the_judge(served: Gateway, speaker: Speaker, model: str, said: str) -> None:
    speaker.said["small"] = replace(
        GOOD, headers={"x-fl-judged": said, "x-fl-by": "9|p/x/y", "x-fairlead-cascade": "p/y=accepted"}
    )
    answer = served.ask(model)
    assert (answer.status, answer.target, paths(speaker)) == (200, "p/one/small", ["/one/small"])
    assert not [name for name in answer.headers if name.startswith("x-fl-")]
    assert answer.headers.get("x-fairlead-cascade") == ("p/small=accepted" if model == "chat" else None)


def test_no_client_speaks_for_the_gateway(served: Gateway, speaker: Speaker) -> None:
    speaker.said["small"] = CUT
    spoken = {"x-fl-rung": "p/one/best", "x-fl-judge": "-", "x-fl-retries": "9", "x-fl-consumer": "team/bob"}
    answer = served.ask(headers={**spoken, "x-envoy-max-retries": "0", "x-fl-judged": JUDGED})
    assert told(answer) == (200, "p/one/large", "p/small=finishReason, p/large=accepted")
    for one in speaker.asked:
        assert one.headers["authorization"] == "Bearer p-key"
        assert not [name for name in one.headers if name.startswith(("x-fl", "x-envoy", "x-fairlead", ":"))], (
            one.headers
        )


def test_a_cache_keeps_what_the_client_got_but_no_answer_that_was_rejected(served: Gateway, speaker: Speaker) -> None:
    refusal = says("I can't help with that.")
    speaker.said |= {"small": refusal, "large": fails(503)}
    for _ in range(2):
        answer = served.ask("kept", user="makeshift")
        assert told(answer) == (200, "p/one/small", "p/small=refusal, p/large=503, p/small=unjudged")
        assert answer.headers["x-fairlead-cache"] == "miss"
    speaker.said["large"] = GOOD
    assert told(served.ask("kept", user="good")) == (200, "p/one/large", "p/small=refusal, p/large=unjudged")
    asked = len(speaker.asked)
    answer = served.ask("kept", user="good")
    assert (content(answer), len(speaker.asked)) == ("Yes.", asked)
    assert (answer.headers["x-fairlead-cache"], answer.headers["x-fairlead-cascade"]) == ("hit", "bypass")


def test_a_rejected_answer_ejects_nobody(speaker: Speaker) -> None:
    def at(name: str) -> ir.Target:
        once = ir.Breaker(consecutive_failures=1, open_for_ms=60_000)
        return target(name, speaker, breaker=once)  # type: ignore[arg-type]

    speaker.said["small"] = CUT
    with Gateway(simple(at("p/one/small"), at("p/one/large"), cascade=CASCADE), by_share=True) as running:
        for _ in range(30):  # 20 % of 20 requests eject by share
            assert told(running.ask())[2] == "p/small=finishReason, p/large=unjudged"
        assert set(running.envoy.counters("ejections_total$").values()) == {0}


def test_what_was_asked_is_logged_and_counted(served: Gateway, speaker: Speaker) -> None:
    before = verdicts(served)
    speaker.said |= {"/one/small": fails(500), "small": CUT, "large": CUT}
    answer = served.ask()
    until(lambda: len(served.line(answer, "attempt")) == 4 and len(served.line(answer)) == 1)
    attempts = sorted(served.line(answer, "attempt"), key=lambda line: line["ts"])
    assert [(line["target"], line["status"], line["route"]) for line in attempts] == [
        ("p/one/small", 500, ROUTE),
        ("p/two/small", 200, ROUTE),
        ("p/one/large", 200, ROUTE),
        ("q/one/best", 200, ROUTE),
    ]
    assert {(line["consumer"], line["model"], line["stream"]) for line in attempts} == {(CONSUMER, "chat", False)}
    (line,) = served.line(answer)
    assert (line["target"], line["provider"], line["region"]) == ("q/one/best", "q", "eu-west-1")
    assert (line["attempts"], line["model_sent"], line["prompt_tokens"]) == (4, "best", 11)
    wanted = {("p/two/small", "finishReason"): 1, ("p/one/large", "finishReason"): 1, ("q/one/best", "unjudged"): 1}

    def came() -> dict[tuple[str, str], int]:
        return {key: count - before.get(key, 0) for key, count in verdicts(served).items()}

    until(lambda: came().items() >= wanted.items())


def verdicts(served: Gateway) -> dict[tuple[str, str], int]:
    """The counts of verdicts, by target and verdict."""
    found = {}
    for line in served.metrics().splitlines():
        if line.startswith("envoy_fairlead_cascade_verdicts{"):
            labels = dict(part.split("=", 1) for part in line.partition("{")[2].partition("}")[0].split(","))
            if labels["route"] != f'"{ROUTE}"':
                continue
            found[labels["target"].strip('"'), labels["verdict"].strip('"')] = int(line.rpartition(" ")[2])
    return found


def test_many_at_once_keep_their_own_answers(served: Gateway, speaker: Speaker) -> None:
    speaker.said["small"] = CUT
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: told(served.ask(key=KEY)), range(40)))
    # More than four at once overflow the bulkhead of `large`, and the next model answers.
    assert {verdict for _, _, verdict in found} <= {
        "p/small=finishReason, p/large=accepted",
        "p/small=finishReason, p/large=503, q/best=unjudged",
    }
    assert {status for status, _, _ in found} == {200}
