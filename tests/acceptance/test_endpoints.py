"""Every endpoint, by the official client and byte by byte, at one strict provider with a base path of its own."""

import json
import time

import httpx
import openai
import pytest
from endpoint_world import ASK, CREDENTIAL, WIRE, client, seen, sim, world
from running_up import until
from world import KEY, World

from fairlead.demo.provider import Outcome, SimulatedProvider

__all__ = ["client", "sim", "world"]

pytestmark = pytest.mark.envoy


def test_chat(client: openai.OpenAI, sim: SimulatedProvider) -> None:
    answer = client.chat.completions.create(model="chat", messages=ASK)
    assert answer.choices[0].message.content.startswith(f"us-east-1/{WIRE} is")
    assert answer.usage.completion_tokens == 12
    record = seen(sim)
    assert (record.method, record.target) == ("POST", "/openai/v9/chat/completions")
    assert record.header("api-key") == CREDENTIAL
    assert record.header("host") == f"127.0.0.1:{sim.port}" or record.header("host") == "127.0.0.1"


def test_a_stream_arrives_chunk_by_chunk(client: openai.OpenAI, sim: SimulatedProvider) -> None:
    gap_s = 0.5
    sim.control.fault(chunk_gap_ms=int(gap_s * 1000))
    arrived = []
    text = ""
    usage = None
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    for chunk in client.chat.completions.create(model="chat", messages=ASK, max_tokens=6, **asked):
        if chunk.choices and chunk.choices[0].delta.content:
            arrived.append(time.monotonic())
            text += chunk.choices[0].delta.content
        usage = chunk.usage or usage
    assert text.startswith(f"us-east-1/{WIRE} is")
    assert usage.completion_tokens == len(arrived) == 6
    # Not in one piece at the end: of five gaps the machine may sleep through three.
    assert arrived[-1] - arrived[0] > 2 * gap_s
    assert json.loads(seen(sim).body)["stream_options"] == {"include_usage": True}


def test_tools_and_their_results(client: openai.OpenAI, sim: SimulatedProvider) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools = [{"type": "function", "function": {"name": "weather", "parameters": schema}}]
    answer = client.chat.completions.create(model="chat", messages=ASK, tools=tools, tool_choice="required")
    (call,) = answer.choices[0].message.tool_calls
    assert call.function.name == "weather"
    assert "city" in json.loads(call.function.arguments)
    assert json.loads(seen(sim).body)["tools"] == tools
    follow_up = [*ASK, answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
    assert client.chat.completions.create(model="chat", messages=follow_up, tools=tools).choices[0].message.content


def test_tools_in_a_stream(client: openai.OpenAI) -> None:
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    stream = client.chat.completions.create(
        model="chat", messages=ASK, tools=tools, tool_choice="required", stream=True
    )
    calls = [call for chunk in stream if chunk.choices for call in chunk.choices[0].delta.tool_calls or ()]
    assert calls[0].function.name == "weather"
    json.loads("".join(call.function.arguments or "" for call in calls))


def test_json_mode(client: openai.OpenAI, sim: SimulatedProvider) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
    form = {"type": "json_schema", "json_schema": {"name": "form", "schema": schema}}
    answer = client.chat.completions.create(model="chat", messages=ASK, response_format=form)
    assert isinstance(json.loads(answer.choices[0].message.content)["answer"], int)
    assert json.loads(seen(sim).body)["response_format"] == form


def test_an_image(client: openai.OpenAI, sim: SimulatedProvider) -> None:
    picture = "data:image/png;base64," + "iVBORw0KGgo" * 20_000
    content = [{"type": "text", "text": "what is it"}, {"type": "image_url", "image_url": {"url": picture}}]
    client.chat.completions.create(model="chat", messages=[{"role": "user", "content": content}])
    assert json.loads(seen(sim).body)["messages"][0]["content"] == content


REST = (
    ' ,\n\t"messages":[{"role":"user","content":"Grüße, \\u4f60\\u597d 你好 \\ud83d\\ude00 🚢 \\"q\\" \\\\ \\/"}] ,'
    '"seed" : 9007199254740993 ,"x_unknown":{"z":1,"a":[1.0,1e-7,-0.0,1E400,null,{}],"model":"not me"},'
    '"x_big":123456789012345678901234567890,"temperature":1.10 , "metadata" : {"stream":"no"}  '
)


@pytest.mark.parametrize("model_member", ['"model":"chat"', ' \n"model" :\t"chat"'])
def test_every_other_byte_passes_as_it_came(world: World, sim: SimulatedProvider, model_member: str) -> None:
    with world.http() as client:
        body = ("{" + model_member + REST + "}\n").encode()
        answer = client.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert seen(sim).body == ('{"model":"' + WIRE + '"' + REST + "}").encode()


def test_a_model_in_the_middle(world: World, sim: SimulatedProvider) -> None:
    body = '{"messages":[{"role":"user","content":"a"}], "model": "chat" ,"n":1}'
    with world.http() as client:
        assert client.post(
            "/v1/chat/completions", content=body, headers={"content-type": "application/json"}
        ).is_success
    assert seen(sim).body == ('{"model":"' + WIRE + '","messages":[{"role":"user","content":"a"}] ,"n":1}').encode()


def test_large_answers_and_requests_keep_their_bytes(world: World, sim: SimulatedProvider) -> None:
    text = "ü" * 900_000
    answer = world.chat("chat", messages=[{"role": "user", "content": text}])
    assert answer.status_code == 200
    assert json.loads(seen(sim).body)["messages"][0]["content"] == text


def test_completions(client: openai.OpenAI, sim: SimulatedProvider) -> None:
    answer = client.completions.create(model="chat", prompt="Once upon a time", max_tokens=4)
    assert answer.usage.completion_tokens == 4
    assert seen(sim).target == "/openai/v9/completions"
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(client.completions.create(model="chat", prompt="Once", max_tokens=4, **asked))
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
    assert chunks[-1].usage.completion_tokens == 4


def test_embeddings(client: openai.OpenAI, sim: SimulatedProvider) -> None:
    answer = client.embeddings.create(model="embed", input=["one", "two"])
    assert len(answer.data) == 2
    assert answer.usage.prompt_tokens == 2
    record = seen(sim)
    assert (record.target, record.model) == ("/openai/v9/embeddings", "vectors")


def test_responses(client: openai.OpenAI, sim: SimulatedProvider) -> None:
    answer = client.responses.create(model="chat", input="Where are you?", max_output_tokens=20)
    assert answer.output_text.startswith(f"us-east-1/{WIRE}")
    assert seen(sim).target == "/openai/v9/responses"
    events = list(client.responses.create(model="chat", input="Where?", stream=True))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert events[-1].response.usage.output_tokens == 12


def test_messages_of_a_client_with_x_api_key(world: World, sim: SimulatedProvider) -> None:
    body = {"model": "chat", "max_tokens": 7, "messages": ASK}
    headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01", "anthropic-beta": "some-feature"}
    with world.http(None) as client:
        answer = client.post("/v1/messages", json=body, headers=headers)
        assert answer.json()["type"] == "message"
        assert answer.json()["usage"]["output_tokens"] == 7
        record = seen(sim)
        assert record.target == "/openai/v9/messages"
        assert record.header("anthropic-beta") == "some-feature"
        assert record.header("x-api-key") is None
        streamed = client.post("/v1/messages", json=body | {"stream": True}, headers=headers).text
    assert "event: message_start" in streamed
    assert streamed.rstrip().endswith('{"type":"message_stop"}')


def test_models(client: openai.OpenAI, sim: SimulatedProvider) -> None:
    assert [each.id for each in client.models.list()] == ["capped", "chat", "embed"]
    assert client.models.retrieve("chat").id == "chat"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("vendor/m")
    assert caught.value.code == "model_not_found"
    assert sim.control.stats().requests == 0, "the gateway answers by itself"


@pytest.mark.parametrize(
    ("path", "members", "want"),
    [
        ("/v1/chat/completions", {}, {"max_completion_tokens": 5}),
        ("/v1/chat/completions", {"max_tokens": 3}, {"max_tokens": 3}),
        ("/v1/chat/completions", {"max_tokens": 900}, {"max_tokens": 5}),
        ("/v1/completions", {"prompt": "a"}, {"max_tokens": 5}),
        ("/v1/responses", {"input": "a", "max_output_tokens": 900}, {"max_output_tokens": 5}),
        ("/v1/messages", {"max_tokens": 900}, {"max_tokens": 5}),
    ],
)
def test_output_is_limited(
    world: World, sim: SimulatedProvider, path: str, members: dict[str, object], want: dict[str, int]
) -> None:
    asked = {"model": "capped", **({} if "prompt" in members or "input" in members else {"messages": ASK}), **members}
    with world.http() as client:
        answer = client.post(path, json=asked, headers={"anthropic-version": "2023-06-01"})
    assert answer.status_code == 200, answer.text
    sent = json.loads(seen(sim).body)
    assert {name: value for name, value in sent.items() if name.startswith("max_")} == want
    usage = answer.json()["usage"]
    assert usage.get("completion_tokens", usage.get("output_tokens")) == min(5, *want.values())


def test_a_query_reaches_no_provider(world: World, sim: SimulatedProvider) -> None:
    with world.http() as client:
        answer = client.post("/v1/chat/completions?api-version=2", json={"model": "chat", "messages": ASK})
    assert answer.status_code == 200
    assert seen(sim).target == "/openai/v9/chat/completions"


def test_nothing_of_the_gateway_or_the_client_leaks(world: World, sim: SimulatedProvider) -> None:
    forged = {
        "x-fl-consumer": "fairlead/other",
        "x-fl-route": "fairlead/other",
        "x-fl-host": "a b c d",
        "x-envoy-retry-on": "5xx",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-api-key": "another",
        "api-key": "forged",
        "proxy-authorization": "Basic c2VjcmV0",
        "x-goog-api-key": "goog",
        "ocp-apim-subscription-key": "ocp",
        "cookie": "session=1",
        "x-forwarded-for": "10.0.0.1",
        "accept-encoding": "gzip",
        "x-stainless-lang": "python",
    }
    with world.http() as client:
        answer = client.post("/v1/chat/completions", json={"model": "chat", "messages": ASK}, headers=forged)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-fairlead-route"] == "fairlead/chat"
    record = seen(sim)
    assert record.header("api-key") == CREDENTIAL
    arrived = {name.lower() for name, _ in record.headers}
    assert arrived.isdisjoint(forged.keys() - {"api-key"}), arrived
    assert not {name for name in arrived if name.startswith(("x-fl-", "x-envoy-"))}
    # What a provider says beside what clients know stays here, and so does what Envoy says.
    assert not {name for name in answer.headers if name.startswith(("x-fl-", "x-envoy-", "x-simulated-"))}


def test_headers_say_who_answered(world: World, sim: SimulatedProvider) -> None:
    answer = world.chat("chat")
    assert {name: value for name, value in answer.headers.items() if name.startswith("x-fairlead-")} == {
        "x-fairlead-route": "fairlead/chat",
        "x-fairlead-target": "vendor/only/m",
        "x-fairlead-region": "us-east-1",
        "x-fairlead-attempts": "1",
    }
    identifier = answer.headers.get_list("x-request-id")
    assert len(identifier) == 1
    assert identifier[0] != seen(sim).header("x-none")
    assert world.line(answer)["request_id"] == identifier[0]


def test_a_client_that_leaves_stops_the_provider(client: openai.OpenAI, sim: SimulatedProvider) -> None:
    sim.control.fault(chunk_gap_ms=50)
    stream = client.chat.completions.create(model="chat", messages=ASK, stream=True, max_tokens=4000)
    for _, _chunk in zip(range(3), stream, strict=False):
        pass
    stream.close()
    until(lambda: sim.control.stats().disconnects == 1, "the provider goes on talking to nobody")
    assert seen(sim).outcome is Outcome.DISCONNECTED
    sim.control.clear()
    sim.control.fault(hang=True, count=1)
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=3).chat.completions.create(model="chat", messages=ASK)
    until(lambda: sim.control.stats().disconnects == 2, "the provider still works for a client that left")


def test_a_stream_that_breaks_is_seen_to_break(client: openai.OpenAI, sim: SimulatedProvider) -> None:
    sim.control.fault(break_after_chunks=3)
    stream = client.chat.completions.create(model="chat", messages=ASK, stream=True)
    got = []
    with pytest.raises((openai.APIError, httpx.HTTPError)):
        got.extend(stream)
    assert len(got) >= 2, "what came before reaches the client"
    assert sim.control.stats().requests == 1, "no other attempt after the first byte"


def test_a_providers_400_passes_as_it_is(world: World) -> None:
    sim = world.sims["sim"]
    sim.control.reset()
    answer = world.chat("chat", temperature="hot")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "temperature"
    assert answer.headers["x-fairlead-attempts"] == "1"
    sim.control.reset()
