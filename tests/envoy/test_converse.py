"""Conversations of clients of both APIs with Bedrock's Converse: official packages, strict and scripted providers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic import Anthropic, BadRequestError
from app_gateway import KEY, anew, for_app
from openai import APIError, OpenAI
from running import Answer, Gateway
from running_up import until
from scripted import JSON, Script, ScriptedProvider

from builders import endpoint, model, provider, route, target
from converse_lua import begun, block, ended, event, text, thrown, use
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy

MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"
CLAUDE = "us.anthropic.claude-sonnet-4-20250514-v1:0"
FILE = b"[default]\naws_access_key_id = AKID\naws_secret_access_key = secret\n"
QUESTION: Any = [{"role": "user", "content": "Where?"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: Any = {"name": "look", "description": 'Looks "there"', "input_schema": SCHEMA}
FUNCTION: Any = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}
OTHER: Any = {"type": "function", "function": {"name": "hear", "parameters": SCHEMA}}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
EVENTS = "application/vnd.amazon.eventstream"


def speaking(name: str, port_or_url: int | str, **fields: Any) -> dict[str, Any]:
    url = port_or_url if isinstance(port_or_url, str) else f"http://127.0.0.1:{port_or_url}"
    one = endpoint(
        "api", "us", baseURL=url, awsRegion="us-east-1", credential={"secretName": "aws", "key": "credentials"}
    )
    catalogue = [model("claude", id=CLAUDE), model("modest", id=CLAUDE)]
    patient = {"consecutiveFailures": 100}
    return provider(name, protocol="Bedrock", endpoints=[one], models=catalogue, circuitBreaker=patient, **fields)


@pytest.fixture(scope="module")
def bedrock() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=(CLAUDE,), keys=("AKID:secret",), base="", bedrock=True) as running:
        yield running


@pytest.fixture(scope="module")
def scripted() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


@pytest.fixture(scope="module")
def gpt() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("gpt",), keys=("gpt-key",), region="gpt") as running:
        yield running


@pytest.fixture(scope="module")
def claude() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("claude",), keys=("claude-key",), header="x-api-key", anthropic=True) as running:
        yield running


@pytest.fixture(scope="module")
def running(
    bedrock: SimulatedProvider, scripted: ScriptedProvider, gpt: SimulatedProvider, claude: SimulatedProvider
) -> Iterator[Gateway]:
    def at(name: str, sim: SimulatedProvider) -> list[Any]:
        return [endpoint("api", "us", baseURL=sim.base_url, credential={"secretName": name, "key": "key"})]

    then = [target("gpt", "gpt")]
    every = [target("claude", "claude"), target("bedrock", "claude")]
    with for_app(
        speaking("bedrock", bedrock.base_url),
        speaking("scripted", scripted.port),
        provider(
            "gpt", endpoints=at("gpt", gpt), models=[model("gpt"), model("modest", id="gpt")], messages="Translate"
        ),
        provider(
            "claude",
            protocol="Anthropic",
            chatCompletions="Translate",
            endpoints=at("claude", claude),
            models=[model("claude")],
        ),
        route("bedrock", target("bedrock", "claude")),
        route("scripted", target("scripted", "claude")),
        route("scripted-first", target("scripted", "claude"), fallbacks=then),
        route("bedrock-first", target("bedrock", "claude"), fallbacks=then),
        route("gpt-first", target("gpt", "gpt"), fallbacks=every),
        route("claude-first", target("claude", "claude"), fallbacks=[target("bedrock", "claude"), *then]),
        route("modest", target("bedrock"), modelNames=["mo*"], fallbacks=[target("gpt")]),
        held={"aws/credentials": FILE},
    ) as started:
        yield started


@pytest.fixture(autouse=True)
def well(bedrock: SimulatedProvider, gpt: SimulatedProvider, claude: SimulatedProvider) -> None:
    anew(bedrock, gpt, claude)


@pytest.fixture
def client(running: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"http://127.0.0.1:{running.port}/v1", api_key=KEY, max_retries=0) as one:
        yield one


@pytest.fixture
def agent(running: Gateway) -> Iterator[Anthropic]:
    with Anthropic(base_url=f"http://127.0.0.1:{running.port}", api_key=KEY, max_retries=0) as one:
        yield one


def ask(running: Gateway, name: str, path: str, **members: Any) -> Answer:
    return running.ask(name, path=path, key=KEY, **({"max_tokens": 9} | members))


def sent(sim: SimulatedProvider) -> list[Any]:
    """Return the bodies that it took."""
    found = sim.control.requests()
    assert [one.problem for one in found] == [None] * len(found)
    return [json.loads(one.body) for one in found]


@pytest.mark.parametrize("stream", [False, True])
def test_an_agent_of_anthropics_calls_its_tool_and_goes_on(
    agent: Anthropic, bedrock: SimulatedProvider, *, stream: bool
) -> None:
    messages: Any = [
        {"role": "user", "content": [{"type": "text", "text": "Look\tthere: é"}, PICTURE]},
    ]
    asked: Any = {"model": "bedrock", "max_tokens": 99, "system": "Be brief.", "tools": [TOOL], "messages": messages}
    marked = {**asked, "cache_control": {"type": "ephemeral"}}
    if stream:
        with agent.messages.stream(**marked) as events:
            answer = events.get_final_message()
    else:
        answer = agent.messages.create(**marked)
    assert (answer.model, answer.stop_reason) == (CLAUDE, "tool_use")
    assert answer.id.startswith("msg_")
    assert answer.usage.cache_creation_input_tokens
    (call,) = [one for one in answer.content if one.type == "tool_use"]
    assert "city" in call.input
    said = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "fine"}, PICTURE]}
    again = [*messages, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [said]}]
    last = agent.messages.create(**{**asked, "messages": again})
    assert last.content[0].type == "text"
    first, second = sent(bedrock)
    assert first["messages"][0]["content"][-1] == {"cachePoint": {"type": "default"}}
    assert [one["role"] for one in second["messages"]] == ["user", "assistant", "user"]
    assert second["messages"][1]["content"] == [
        {"toolUse": {"toolUseId": call.id, "name": "look", "input": call.input}}
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_an_agent_of_openais_calls_two_tools_at_once_and_goes_on(
    client: OpenAI, bedrock: SimulatedProvider, *, stream: bool
) -> None:
    asked: Any = {"model": "bedrock", "tools": [FUNCTION, OTHER], "messages": QUESTION}
    if stream:
        with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as events:
            answer: Any = events.get_final_completion()
        assert answer.usage.total_tokens
    else:
        answer = client.chat.completions.create(**asked)
    (choice,) = answer.choices
    assert (answer.model, choice.finish_reason) == (CLAUDE, "tool_calls")
    calls = choice.message.tool_calls
    assert [one.function.name for one in calls] == ["look", "hear"]
    assert all("city" in json.loads(one.function.arguments) for one in calls)
    results = [{"role": "tool", "tool_call_id": one.id, "content": "fine"} for one in calls]
    again = client.chat.completions.create(**{**asked, "messages": [*QUESTION, choice.message, *results]})
    assert again.choices[0].message.content
    assert [len(one["content"]) for one in sent(bedrock)[-1]["messages"]] == [1, 2, 2]


def test_the_schema_of_an_answer_is_kept(client: OpenAI) -> None:
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}
    answer = client.chat.completions.create(model="bedrock", messages=QUESTION, response_format=wanted)
    assert "city" in json.loads(answer.choices[0].message.content or "")


THOUGHT = block(0, {"reasoningContent": {"text": "I look."}}, {"reasoningContent": {"signature": "EqQB"}})
SAID = begun() + THOUGHT + text(1, "Ok", ", é") + use(2, "tooluse_1", '{"ci', 'ty": "a"}') + ended("tool_use")


def test_what_a_model_thought_goes_back_signed(agent: Anthropic, scripted: ScriptedProvider) -> None:
    scripted.script = Script(pieces=[SAID[at : at + 7] for at in range(0, len(SAID), 7)], content_type=EVENTS)
    asked: Any = {"model": "scripted", "max_tokens": 2048, "messages": QUESTION, "tools": [TOOL]}
    asked["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    with agent.messages.stream(**asked) as events:
        answer = events.get_final_message()
    thought, said, call = answer.content
    assert thought.to_dict() == {"type": "thinking", "thinking": "I look.", "signature": "EqQB"}
    assert (said.to_dict()["text"], call.to_dict()["input"]) == ("Ok, é", {"city": "a"})


def test_a_client_of_chat_gets_no_thoughts(client: OpenAI, scripted: ScriptedProvider) -> None:
    scripted.script = Script(pieces=[SAID], content_type=EVENTS)
    with client.chat.completions.stream(model="scripted", messages=QUESTION, tools=[FUNCTION]) as events:
        (choice,) = events.get_final_completion().choices
    assert (choice.message.content, choice.finish_reason) == ("Ok, é", "tool_calls")


@pytest.mark.parametrize("cut", [False, True])
def test_a_stream_that_ends_early_is_an_error(
    client: OpenAI, agent: Anthropic, scripted: ScriptedProvider, *, cut: bool
) -> None:
    scripted.script = Script(pieces=[begun() + text(0, "a")], content_type=EVENTS, cut=cut)
    asked: Any = {"model": "scripted", "messages": QUESTION, "max_tokens": 9}
    why = r"peer closed|incomplete|Connection" if cut else "ended before its answer did"
    with pytest.raises(Exception, match=why):
        list(client.chat.completions.create(**asked, stream=True))
    with pytest.raises(Exception, match=why), agent.messages.stream(**asked) as events:
        events.get_final_message()


def test_what_is_thrown_in_a_stream_ends_it(client: OpenAI, scripted: ScriptedProvider) -> None:
    thrown_ = thrown("throttlingException", "Too many tokens")
    scripted.script = Script(pieces=[begun() + text(0, "a") + thrown_], content_type=EVENTS)
    with pytest.raises(APIError, match="Too many tokens"):
        list(client.chat.completions.create(model="scripted", messages=QUESTION, stream=True))


def whole(*content: Any, reason: str = "end_turn") -> Script:
    output = {"message": {"role": "assistant", "content": list(content)}}
    usage = {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12}
    said = json.dumps({"output": output, "stopReason": reason, "usage": usage, "metrics": {"latencyMs": 1}})
    return Script(pieces=[said.encode()], content_type=JSON, chunked=False)


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
@pytest.mark.parametrize(
    "script",
    [
        whole({"image": {"format": "png", "source": {"bytes": "aGk="}}}),
        whole({"text": "a"}, reason="malformed_tool_use"),
        Script(pieces=[b'{"a": 1}'], content_type=JSON, chunked=False),
        Script(pieces=[b'{"message": "The model failed"}'], content_type=JSON, chunked=False, status=424),
        Script(
            pieces=[b'{"message": "The provided model identifier is invalid."}'],
            content_type=JSON,
            chunked=False,
            status=400,
        ),
    ],
    ids=["a picture", "no call", "no answer", "the model failed", "no model"],
)
def test_what_is_no_answer_leads_to_the_next_rung(
    running: Gateway, scripted: ScriptedProvider, script: Script, path: str
) -> None:
    scripted.script = script
    assert ask(running, "scripted-first", path).target == "gpt/api/gpt"
    alone = ask(running, "scripted", path)
    assert alone.status in {500, 502}
    assert alone.message


def test_a_request_that_is_at_fault_is_told_in_the_clients_words(running: Gateway, scripted: ScriptedProvider) -> None:
    body = b'{"message": "messages: too many"}'
    scripted.script = Script(pieces=[body], content_type=JSON, chunked=False, status=400)
    assert json.loads(ask(running, "scripted-first", MESSAGES).body) == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "messages: too many"},
    }
    assert ask(running, "scripted-first", CHAT).message == "messages: too many"


@pytest.mark.parametrize(
    ("path", "members", "name"),
    [
        (MESSAGES, {"metadata": {"user_id": "u"}}, "metadata"),
        (CHAT, {"user": "u", "verbosity": "low"}, "user, verbosity"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_left_out_is_named(running: Gateway, path: str, members: Any, name: str, *, stream: bool) -> None:
    answer = ask(running, "bedrock", path, stream=stream, **members)
    assert (answer.status, answer.headers["x-fairlead-left-out"]) == (200, name)


LINKED = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
SHOWN = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def test_what_cannot_be_said_is_refused_by_name(agent: Anthropic, bedrock: SimulatedProvider) -> None:
    asked: Any = {"max_tokens": 9, "messages": [{"role": "user", "content": [LINKED]}]}
    with pytest.raises(BadRequestError, match=r"The images by URL parameter is not supported .* Bedrock's Converse"):
        agent.messages.create(model="bedrock", **asked)
    assert not bedrock.control.requests()


@pytest.mark.parametrize(
    ("name", "path", "members", "met"),
    [
        ("bedrock-first", CHAT, {"messages": [{"role": "user", "content": [SHOWN]}]}, "gpt/api/gpt"),
        ("bedrock-first", MESSAGES, {"messages": [{"role": "user", "content": [LINKED]}]}, "gpt/api/gpt"),
        ("bedrock-first", MESSAGES, {"top_k": 5}, "bedrock/api/claude"),
        ("modest", CHAT, {"messages": [{"role": "user", "content": [SHOWN]}]}, "gpt/api/modest"),
        ("modest", MESSAGES, {"messages": [{"role": "user", "content": [LINKED]}]}, "gpt/api/modest"),
        ("modest", MESSAGES, {"top_k": 5}, "bedrock/api/modest"),
        ("claude-first", CHAT, {"n": 2}, "gpt/api/gpt"),
        ("claude-first", CHAT, {"messages": [{"role": "user", "content": [SHOWN]}]}, "claude/api/claude"),
        ("gpt-first", MESSAGES, {"top_k": 5}, "claude/api/claude"),
        ("gpt-first", MESSAGES, {"messages": [{"role": "user", "content": [LINKED]}]}, "gpt/api/gpt"),
    ],
)
def test_a_rung_that_cannot_be_told_is_passed_over(
    running: Gateway, name: str, path: str, members: Any, met: str
) -> None:
    answer = ask(running, name, path, **members)
    assert (answer.status, answer.target) == (200, met), answer


def test_a_ladder_may_mix_all_three(
    running: Gateway, gpt: SimulatedProvider, claude: SimulatedProvider, bedrock: SimulatedProvider
) -> None:
    for path in (MESSAGES, CHAT):
        anew(gpt, claude, bedrock)
        gpt.control.fault(status=503)
        claude.control.fault(status=503)
        answer = ask(running, "gpt-first", path, metadata={"user_id": "u"})
        assert (answer.status, answer.target) == (200, "bedrock/api/claude")
        assert "metadata" in answer.headers["x-fairlead-left-out"]
        (body,) = sent(bedrock)
        assert body == {
            "messages": [{"role": "user", "content": [{"text": "hello"}]}],
            "inferenceConfig": {"maxTokens": 9},
        }


def test_a_stream_brings_each_event_as_it_comes(running: Gateway, scripted: ScriptedProvider) -> None:
    pieces = [begun(), event("contentBlockDelta", delta={"text": "a"}, contentBlockIndex=0), text(0, "b"), ended()]
    scripted.script = Script(pieces=pieces, content_type=EVENTS)
    answer = ask(running, "scripted", MESSAGES, stream=True)
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.body.count(b"text_delta") == 2
    (line,) = until(lambda: running.line(answer))
    assert (line["prompt_tokens"], line["completion_tokens"], line["usage_status"]) == (5, 7, 1)
