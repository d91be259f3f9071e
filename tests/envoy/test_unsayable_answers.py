"""An answer that the client's words have no place for fails its attempt: the next rung answers, the last is a 502."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from app_gateway import KEY, for_app
from running import Answer, Gateway
from running_up import until
from speaking import Saying, Speaker

from builders import endpoint, model, provider, route, target

pytestmark = pytest.mark.envoy

MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"
ANTHROPIC, OPENAI = "claude", "gpt"
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "input_tokens": 9, "output_tokens": 4}


def completion(**message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi", **message}, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": OPENAI, "choices": [choice], "usage": USAGE}


def message(*content: Any) -> dict[str, Any]:
    said = {"id": "m", "type": "message", "role": "assistant", "model": ANTHROPIC, "content": list(content)}
    return {**said, "stop_reason": "end_turn", "stop_sequence": None, "usage": USAGE}


def saying(body: Any) -> Saying:
    return Saying(body=json.dumps(body).encode())


CUT = {"id": "t", "type": "function", "function": {"name": "look", "arguments": '{"ci'}}
SEARCH = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
WELL = {OPENAI: completion(), ANTHROPIC: message({"type": "text", "text": "hi"})}
UNSAYABLE = {
    (MESSAGES, OPENAI): completion(tool_calls=[CUT]),
    (CHAT, ANTHROPIC): message({"type": "text", "text": "hi"}, SEARCH),
}
TRANSLATED = tuple(UNSAYABLE)


@pytest.fixture(scope="module")
def speaker() -> Iterator[Speaker]:
    with Speaker() as started:
        yield started


@pytest.fixture(scope="module")
def running(speaker: Speaker) -> Iterator[Gateway]:
    url = f"http://127.0.0.1:{speaker.port}"
    protocols = {
        OPENAI: {"messages": "Translate"},
        ANTHROPIC: {"protocol": "Anthropic", "chatCompletions": "Translate"},
    }
    with for_app(
        *(
            provider(
                f"{name}-{folder}",
                **protocols[name],
                endpoints=[endpoint("api", "us", baseURL=f"{url}/{folder}/v1")],
                models=[model(name)],
                circuitBreaker={"consecutiveFailures": 2},
            )
            for name in protocols
            for folder in ("one", "two")
        ),
        *(
            route(
                f"{name}-first",
                target(f"{name}-one", name),
                fallbacks=[target(f"{name}-two", name), target(f"{other}-two", other)],
            )
            for name, other in ((OPENAI, ANTHROPIC), (ANTHROPIC, OPENAI))
        ),
        *(route(f"{name}-alone", target(f"{name}-one", name)) for name in protocols),
    ) as started:
        yield started


@pytest.fixture(autouse=True)
def well(speaker: Speaker) -> None:
    for name, answer in WELL.items():
        for folder in ("one", "two"):
            speaker.said[f"/{folder}/{name}"] = saying(answer)
    speaker.asked.clear()


def ask(running: Gateway, path: str, name: str, **members: Any) -> Answer:
    return running.ask(name, path=path, key=KEY, max_tokens=9, **members)


def text_of(answer: Answer, path: str) -> str:
    body = json.loads(answer.body)
    found = body["content"][0]["text"] if path == MESSAGES else body["choices"][0]["message"]["content"]
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize(("path", "name"), TRANSLATED)
def test_the_next_rung_answers_and_nobody_is_ejected(running: Gateway, speaker: Speaker, path: str, name: str) -> None:
    speaker.said[f"/one/{name}"] = saying(UNSAYABLE[path, name])
    for _ in range(6):
        answer = ask(running, path, f"{name}-first")
        assert (answer.status, answer.target) == (200, f"{name}-two/api/{name}"), answer
        assert (answer.headers["x-fairlead-attempts"], text_of(answer, path)) == ("2", "hi")


@pytest.mark.parametrize(("path", "name"), TRANSLATED)
def test_the_rung_behind_it_may_speak_the_clients_api(running: Gateway, speaker: Speaker, path: str, name: str) -> None:
    for folder in ("one", "two"):
        speaker.said[f"/{folder}/{name}"] = saying(UNSAYABLE[path, name])
    answer = ask(running, path, f"{name}-first")
    assert (answer.status, answer.headers["x-fairlead-attempts"], text_of(answer, path)) == (200, "3", "hi")


@pytest.mark.parametrize(("path", "name"), TRANSLATED)
def test_the_last_one_is_a_502_in_the_clients_words(running: Gateway, speaker: Speaker, path: str, name: str) -> None:
    speaker.said[f"/one/{name}"] = saying(UNSAYABLE[path, name])
    answer = ask(running, path, f"{name}-alone")
    assert answer.status == 502, answer
    error = json.loads(answer.body)["error"]
    assert error["message"] == "The model's provider gave no answer that can be understood."
    assert error["type"] == ("api_error" if path == MESSAGES else "server_error")
    assert error.get("code") == (None if path == MESSAGES else "bad_gateway")
    assert len(speaker.asked) > 1


@pytest.mark.parametrize(("path", "name"), TRANSLATED)
def test_an_answer_in_one_piece_is_no_stream(running: Gateway, speaker: Speaker, path: str, name: str) -> None:
    other = {OPENAI: ANTHROPIC, ANTHROPIC: OPENAI}[name]
    events = b'data: {"type":"message_stop"}\n\n' if path == MESSAGES else b"data: [DONE]\n\n"
    speaker.said[f"/two/{other}"] = Saying(body=events, headers={"content-type": "text/event-stream"})
    answer = ask(running, path, f"{name}-first", stream=True)
    assert (answer.status, answer.target, answer.body) == (200, f"{other}-two/api/{other}", events), answer


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("path", "name"), TRANSLATED)
def test_what_is_compressed_though_nobody_asked_for_it_is_no_answer(
    running: Gateway, speaker: Speaker, path: str, name: str, *, stream: bool
) -> None:
    other = {OPENAI: ANTHROPIC, ANTHROPIC: OPENAI}[name]
    packed = gzip.compress(json.dumps(WELL[name]).encode())
    speaker.said[f"/one/{name}"] = Saying(body=packed, headers={"content-encoding": "gzip"}, chunked=stream)
    speaker.said[f"/two/{name}"] = speaker.said[f"/one/{name}"]
    answer = ask(running, path, f"{name}-first", stream=stream)
    assert (answer.status, answer.target) == (200, f"{other}-two/api/{other}"), answer
    alone = ask(running, path, f"{name}-alone", stream=stream)
    assert (alone.status, "content-encoding" in alone.headers) == (502, False), alone
    assert json.loads(alone.body)["error"]["message"].endswith("can be understood.")


@pytest.mark.parametrize(("path", "name"), TRANSLATED)
def test_what_was_paid_for_in_vain_is_told(running: Gateway, speaker: Speaker, path: str, name: str) -> None:
    speaker.said[f"/one/{name}"] = saying(UNSAYABLE[path, name])
    answer = ask(running, path, f"{name}-first")
    line = until(lambda: running.line(answer))[0]
    assert (line["completion_tokens"], line["usage_status"]) == (4, 1)
    attempts = until(lambda: found if len(found := running.line(answer, "attempt")) == 2 else None)
    assert [one["status"] for one in attempts] == [470, 200]


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
def test_what_went_into_the_cache_and_came_from_it_is_counted_in_whatever_words(
    running: Gateway, speaker: Speaker, path: str
) -> None:
    usage = {"input_tokens": 9, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 100, "output_tokens": 4}
    said = {**message({"type": "text", "text": "hi"}), "usage": usage}
    speaker.said[f"/one/{ANTHROPIC}"] = saying(said)
    answer = ask(running, path, f"{ANTHROPIC}-alone")
    line = until(lambda: running.line(answer))[0]
    counted = (line["prompt_tokens"], line["cached_tokens"], line["completion_tokens"], line["usage_status"])
    assert counted == (129, 100, 4, 1)


def test_tools_called_at_once_reach_a_client_of_chat(running: Gateway, speaker: Speaker) -> None:
    uses = [{"type": "tool_use", "id": f"t{number}", "name": "look", "input": {"at": number}} for number in range(3)]
    speaker.said[f"/one/{ANTHROPIC}"] = saying(message({"type": "text", "text": "hi"}, *uses))
    answer = ask(running, CHAT, f"{ANTHROPIC}-alone")
    (choice,) = json.loads(answer.body)["choices"]
    assert [json.loads(one["function"]["arguments"]) for one in choice["message"]["tool_calls"]] == [
        {"at": number} for number in range(3)
    ]
