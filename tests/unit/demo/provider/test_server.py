"""The provider behind its sockets: the official client, raw connections, faults, death."""

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from fairlead.demo.provider import Outcome, RemoteControl, SimulatedProvider

TOOLS: Any = [
    {
        "type": "function",
        "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
    }
]
HELLO: Any = [{"role": "user", "content": "hello there"}]


@pytest.fixture(name="provider")
def running_provider() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("a", "org/b"), keys=("k",), region="eu-west-1").start() as provider:
        yield provider


@pytest.fixture(name="client")
def official_client(provider: SimulatedProvider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=provider.base_url, api_key="k", max_retries=0, timeout=20) as client:
        yield client


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.01)


def post(provider: SimulatedProvider, body: object, path: str = "/v1/chat/completions", **headers: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=20)
    try:
        all_headers = {"Content-Type": "application/json", "Authorization": "Bearer k", **headers}
        connection.request("POST", path, json.dumps(body), all_headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), dict(answer.headers)
    finally:
        connection.close()


def test_chat(client: openai.OpenAI, provider: SimulatedProvider) -> None:
    answer = client.chat.completions.create(model="org/b", messages=HELLO, n=2, max_tokens=5)
    assert answer.choices[1].message.content == "eu-west-1/org/b is what this simulated"
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 10)
    (record,) = provider.control.requests()
    assert (record.outcome, record.status, record.problem, record.model) == (Outcome.ANSWERED, 200, None, "org/b")


@pytest.mark.parametrize("include_usage", [True, False])
def test_chat_stream(client: openai.OpenAI, include_usage: bool) -> None:
    options: Any = {"include_usage": True} if include_usage else openai.omit
    stream = client.chat.completions.create(model="a", messages=HELLO, stream=True, stream_options=options)
    chunks = list(stream)
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert [text for text in texts if text][:2] == ["eu-west-1/a", " is"]
    assert chunks[-1].choices == [] if include_usage else chunks[-1].choices[0].finish_reason == "stop"
    assert [chunk.usage.completion_tokens for chunk in chunks if chunk.usage] == [12] * include_usage


def test_chunks_come_one_by_one(client: openai.OpenAI, provider: SimulatedProvider) -> None:
    provider.control.set(chunk_gap_ms=20)
    stream = client.chat.completions.create(model="a", messages=HELLO, stream=True, max_tokens=8)
    times = [time.monotonic() for _ in stream]
    assert times[-1] - times[0] > 0.1


def test_tool_call(client: openai.OpenAI) -> None:
    choice = client.chat.completions.create(model="a", messages=HELLO, tools=TOOLS).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    call: Any = choice.message.tool_calls[0]
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "eu-west-1/a"})
    answered: Any = [*HELLO, {"role": "assistant", "tool_calls": [call.model_dump()]}]
    answered.append({"role": "tool", "tool_call_id": call.id, "content": "sunny"})
    done = client.chat.completions.create(model="a", messages=answered, tools=TOOLS)
    assert done.choices[0].message.content


def test_tool_call_streams(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="a", messages=HELLO, tools=TOOLS) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.tool_calls is not None
    assert final.choices[0].message.tool_calls[0].function.arguments == '{"city": "eu-west-1/a"}'


class Place(BaseModel):
    city: str
    people: int


def test_json_mode(client: openai.OpenAI) -> None:
    parsed = client.chat.completions.parse(model="a", messages=HELLO, response_format=Place)
    assert parsed.choices[0].message.parsed == Place(city="eu-west-1/a", people=7)
    plain = client.chat.completions.create(model="a", messages=HELLO, response_format={"type": "json_object"})
    assert json.loads(plain.choices[0].message.content or "") == {"answer": "eu-west-1/a"}


def test_completions(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="a", prompt="once", max_tokens=2)
    assert answer.choices[0].text == "eu-west-1/a is"
    chunks = list(client.completions.create(model="a", prompt="once", max_tokens=2, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == "eu-west-1/a is"


def test_responses(client: openai.OpenAI) -> None:
    answer = client.responses.create(model="a", input="hello", max_output_tokens=3)
    assert (answer.output_text, answer.status) == ("eu-west-1/a is what", "incomplete")
    assert answer.usage is not None
    assert answer.usage.output_tokens == 3
    with client.responses.stream(model="a", input=[{"role": "user", "content": "hello"}]) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds.count("response.output_text.delta") == 12
    assert final.output_text.startswith("eu-west-1/a is")


def test_responses_tool_call(client: openai.OpenAI) -> None:
    tools: Any = [{"type": "function", **TOOLS[0]["function"]}]
    answer: Any = client.responses.create(model="a", input="hello", tools=tools)
    assert (answer.output[0].name, json.loads(answer.output[0].arguments)) == ("weather", {"city": "eu-west-1/a"})
    with client.responses.stream(model="a", input="hello", tools=tools) as stream:
        final: Any = stream.get_final_response()
    assert json.loads(final.output[0].arguments) == {"city": "eu-west-1/a"}


def test_embeddings(client: openai.OpenAI, provider: SimulatedProvider) -> None:
    packed = client.embeddings.create(model="a", input=["x", "y"], dimensions=4)
    plain = client.embeddings.create(model="a", input=["x", "y"], dimensions=4, encoding_format="float")
    assert [each.embedding for each in packed.data] == [each.embedding for each in plain.data]
    assert packed.usage.prompt_tokens == 2
    provider.control.set(embedding_models=("bge",))
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="a", input="x")


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["a", "org/b"]
    assert client.models.retrieve("org/b").id == "org/b"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("c")


def events(provider: SimulatedProvider, body: object) -> list[Any]:
    connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=20)
    headers = {"Content-Type": "application/json", "Authorization": "Bearer k", "anthropic-version": "2023-06-01"}
    connection.request("POST", "/v1/messages", json.dumps(body), headers)
    text = connection.getresponse().read().decode()
    connection.close()
    return [json.loads(block.partition("\ndata: ")[2]) for block in text.strip().split("\n\n")]


def test_messages(provider: SimulatedProvider) -> None:
    asked: dict[str, Any] = {"model": "a", "max_tokens": 4, "messages": [{"role": "user", "content": "x" * 40}]}
    version = {"anthropic-version": "2023-06-01"}
    status, answer, _ = post(provider, asked, "/v1/messages", **version)
    assert (status, answer["content"][0]["text"]) == (200, "eu-west-1/a is what this")
    usage = {"input_tokens": 8, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 2, "output_tokens": 4}
    assert (answer["stop_reason"], answer["usage"]) == ("max_tokens", usage)
    seen = events(provider, {**asked, "stream": True})
    kinds = [event["type"] for event in seen]
    assert kinds[:3] == ["message_start", "content_block_start", "ping"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert kinds.count("content_block_delta") == 4
    assert seen[0]["message"]["usage"]["input_tokens"] == 8
    assert seen[-2]["usage"] == {"output_tokens": 4}
    tools = [{"name": "f", "input_schema": {"type": "object", "properties": {"q": {"type": "integer"}}}}]
    _, called, _ = post(provider, {**asked, "tools": tools}, "/v1/messages", **version)
    assert (called["stop_reason"], called["content"][0]["input"]) == ("tool_use", {"q": 7})


@pytest.mark.parametrize(
    ("path", "headers", "model", "want"),
    [
        ("/v1/chat/completions", {"Authorization": "Bearer no"}, "a", (401, "invalid_api_key")),
        ("/v1/chat/completions", {"x-fl-route": "a"}, "a", (400, "internal_header")),
        ("/v1/chat/completions", {"Content-Type": "text/plain"}, "a", (400, "invalid_content_type")),
        ("/v1/chat/completions", {}, "c", (404, "model_not_found")),
        ("/v1/chat/completions/", {}, "a", (404, "invalid_url")),
        ("/chat/completions", {}, "a", (404, "invalid_url")),
        ("/v1/models", {}, "a", (405, "method_not_allowed")),
    ],
)
def test_refuses(
    provider: SimulatedProvider, path: str, headers: dict[str, str], model: str, want: tuple[int, str]
) -> None:
    status, body, _ = post(provider, {"model": model, "messages": HELLO}, path, **headers)
    assert (status, body["error"]["code"]) == want
    assert provider.control.stats().problems == {want[1]: 1}


def test_status_fault(provider: SimulatedProvider) -> None:
    provider.control.fault(status=429, retry_after=7, count=1)
    status, body, headers = post(provider, {"model": "a", "messages": HELLO})
    assert (status, body["error"]["code"], headers["Retry-After"]) == (429, "simulated_fault", "7")
    assert post(provider, {"model": "a", "messages": HELLO})[0] == 200
    assert provider.control.stats().by_status == {429: 1, 200: 1}


def test_slow_first_byte(provider: SimulatedProvider) -> None:
    provider.control.fault(slow_first_byte_ms=100)
    start = time.monotonic()
    assert post(provider, {"model": "a", "messages": HELLO})[0] == 200
    assert time.monotonic() - start > 0.1


def test_usage_left_out(provider: SimulatedProvider) -> None:
    provider.control.fault(usage=False)
    assert "usage" not in post(provider, {"model": "a", "messages": HELLO})[1]
    provider.control.clear()
    assert "usage" in post(provider, {"model": "a", "messages": HELLO})[1]


@pytest.mark.parametrize(
    ("fault", "error"), [("reset", ConnectionResetError), ("drop", http.client.RemoteDisconnected)]
)
def test_breaks_before_headers(provider: SimulatedProvider, fault: str, error: type[Exception]) -> None:
    provider.control.fault(**{fault: True})
    with pytest.raises(error):
        post(provider, {"model": "a", "messages": HELLO})
    until(lambda: provider.control.requests()[0].outcome is Outcome.BROKEN)
    assert provider.control.stats().disconnects == 0


def test_breaks_after_chunks(client: openai.OpenAI, provider: SimulatedProvider) -> None:
    provider.control.fault(break_after_chunks=3)
    seen: list[object] = []
    with pytest.raises(openai.APIError):
        seen.extend(client.chat.completions.create(model="a", messages=HELLO, stream=True))
    assert len(seen) == 3


@pytest.mark.parametrize("fault", [{"hang": True}, {"stall_after_chunks": 2}])
def test_client_that_leaves_is_counted(provider: SimulatedProvider, fault: dict[str, Any]) -> None:
    provider.control.fault(**fault)
    body = json.dumps({"model": "a", "messages": HELLO, "stream": True}).encode()
    with socket.create_connection(("127.0.0.1", provider.port)) as sock:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        sock.sendall(head.encode() + b"Authorization: Bearer k\r\nContent-Type: application/json\r\n\r\n" + body)
        until(lambda: provider.control.stats().in_flight == 1)
    until(lambda: provider.control.stats().disconnects == 1)
    assert provider.control.stats().in_flight == 0


def test_dies_and_comes_back_on_the_same_port(provider: SimulatedProvider) -> None:
    provider.control.fault(hang=True, count=1)
    failed = threading.Event()

    def ask() -> None:
        try:
            post(provider, {"model": "a", "messages": HELLO})
        except OSError:
            failed.set()

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: provider.control.stats().in_flight == 1)
    provider.control.die()
    thread.join(20)
    assert failed.is_set()
    with pytest.raises(ConnectionRefusedError):
        post(provider, {"model": "a", "messages": HELLO})
    assert provider.control.requests()[0].outcome is Outcome.BROKEN
    provider.control.revive()
    assert post(provider, {"model": "a", "messages": HELLO})[0] == 200


def test_keys_rotate(provider: SimulatedProvider) -> None:
    provider.control.set(keys=("k2",))
    assert post(provider, {"model": "a", "messages": HELLO})[0] == 401
    assert post(provider, {"model": "a", "messages": HELLO}, Authorization="Bearer k2")[0] == 200


def test_body_is_kept_byte_exact(provider: SimulatedProvider) -> None:
    body = {"model": "a", "messages": HELLO, "x": 10**40, "y": "\ud800"}
    post(provider, body)
    assert provider.control.requests()[-1].body == json.dumps(body).encode()
    provider.control.reset()
    assert provider.control.requests() == ()


def test_a_process_of_its_own_obeys_over_http() -> None:
    command = [sys.executable, "-m", "fairlead.demo.provider", "--key", "k", "--models", "m", "--region", "r"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            where = json.loads(child.stdout.readline())
            control = RemoteControl(where["address"], where["control_port"])
            control.fault(status=503, count=1)
            base = f"http://127.0.0.1:{where['port']}/v1"
            with openai.OpenAI(base_url=base, api_key="k", max_retries=0) as client:
                with pytest.raises(openai.InternalServerError):
                    client.models.list()
                assert client.chat.completions.create(model="m", messages=HELLO).choices[0].message.content
                control.set(answer_tokens=1)
                assert client.chat.completions.create(model="m", messages=HELLO).choices[0].message.content == "r/m"
                control.die()
                with pytest.raises(openai.APIConnectionError):
                    client.models.list()
                control.revive()
                assert len(client.models.list().data) == 1
            assert control.stats().by_status == {503: 1, 200: 3}
            assert control.requests()[-1].header("authorization") == "Bearer k"
            control.clear()
            control.reset()
            assert control.stats().requests == 0
            with pytest.raises(ValueError, match="no_such"):
                control.fault(no_such=1)
        finally:
            child.terminate()
            assert child.wait(20) == 0


def test_a_probe_is_answered_as_anybody_and_counted_as_nobody(provider: SimulatedProvider) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=10)
    connection.request("GET", "/v1/models", headers={"user-agent": "fairlead-probe"})
    assert connection.getresponse().status == 401
    connection.close()
    assert (provider.control.stats().requests, provider.control.stats().problems) == (0, {})
