"""Clients of Anthropic's Messages at providers of chat/completions: the official package and strict providers."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from anthropic import Anthropic, APIStatusError, BadRequestError, NotFoundError
from app_gateway import KEY, anew, for_app
from running import Answer, Gateway
from running_up import until

from builders import endpoint, model, provider, route, target
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy

MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"
QUESTION: Any = [{"role": "user", "content": "Where?"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: Any = {"name": "look", "description": 'Looks "there"', "input_schema": SCHEMA}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
CACHED = {"type": "ephemeral"}
AGENT: Any = [
    {
        "role": "user",
        "content": [{"type": "text", "text": "Look\tthere: é\u2028", "cache_control": {"type": "ephemeral"}}, PICTURE],
    },
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "t1", "name": "look", "input": {"city": 'a "b" \\ \n é'}},
            {"type": "tool_use", "id": "t2", "name": "look", "input": {}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "one"}, PICTURE]},
            {"type": "tool_result", "tool_use_id": "t2", "content": "two", "is_error": True},
            {"type": "text", "text": "And?"},
        ],
    },
]


@pytest.fixture(scope="module")
def gpt() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("gpt",), keys=("gpt-key",), region="gpt") as running:
        yield running


@pytest.fixture(scope="module")
def claude() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("claude",), keys=("claude-key",), header="x-api-key", anthropic=True) as running:
        yield running


def opened(name: str, sim: SimulatedProvider) -> dict[str, Any]:
    return endpoint("api", "us", baseURL=sim.base_url, credential={"secretName": name, "key": "key"})


@pytest.fixture(scope="module")
def running(gpt: SimulatedProvider, claude: SimulatedProvider) -> Iterator[Gateway]:
    never = {"consecutiveFailures": 100}
    with for_app(
        provider(
            "gpt",
            messages="Translate",
            endpoints=[opened("gpt", gpt)],
            models=[model("gpt"), model("modest", id="gpt")],
            circuitBreaker=never,
        ),
        provider(
            "held",
            messages="Translate",
            endpoints=[opened("gpt", gpt)],
            models=[model("gpt")],
            circuitBreaker={**never, "maxInFlight": 5},
        ),
        provider(
            "hinted",
            messages="Translate",
            unsupported="LeaveOut",
            endpoints=[opened("gpt", gpt)],
            models=[model("gpt", reasoning="Effort")],
        ),
        provider(
            "claude",
            protocol="Anthropic",
            endpoints=[opened("claude", claude)],
            models=[model("claude"), model("modest", id="claude")],
            circuitBreaker=never,
        ),
        route("gpt", target("gpt", "gpt")),
        route("capped", target("gpt", "gpt"), maxOutputTokens=5),
        route("held", target("held", "gpt")),
        route("hinted", target("hinted", "gpt")),
        route("copied", target("claude", "claude"), shadow=target("gpt", "gpt", sample="100%")),
        route("modest", target("gpt"), modelNames=["mo*"], fallbacks=[target("claude")]),
        route("gpt-first", target("gpt", "gpt"), fallbacks=[target("claude", "claude")]),
        route("claude-first", target("claude", "claude"), fallbacks=[target("gpt", "gpt")]),
    ) as started:
        yield started


@pytest.fixture(autouse=True)
def well(gpt: SimulatedProvider, claude: SimulatedProvider) -> None:
    anew(gpt, claude)


@pytest.fixture
def client(running: Gateway) -> Anthropic:
    return Anthropic(base_url=f"http://127.0.0.1:{running.port}", api_key=KEY, max_retries=0)


def ask(running: Gateway, name: str = "gpt", **members: Any) -> Answer:
    return running.ask(name, path=MESSAGES, key=KEY, **{"max_tokens": 50, **members})


def said(sim: SimulatedProvider) -> Any:
    (record,) = sim.control.requests()
    assert record.problem is None, record
    assert record.target == CHAT
    return json.loads(record.body)


def test_a_plain_question(client: Anthropic, gpt: SimulatedProvider) -> None:
    message = client.messages.create(model="gpt", max_tokens=9, system="Be brief.", messages=QUESTION)
    assert (message.model, message.role, message.stop_reason) == ("gpt", "assistant", "max_tokens")
    assert "gpt" in message.content[0].text
    assert message.usage.output_tokens == 9
    assert said(gpt) == {
        "model": "gpt",
        "messages": [{"role": "system", "content": "Be brief."}, *QUESTION],
        "max_completion_tokens": 9,
    }


def test_a_stream_is_what_the_package_reads(client: Anthropic) -> None:
    whole = client.messages.create(model="gpt", max_tokens=9, messages=QUESTION).content[0].text
    with client.messages.stream(model="gpt", max_tokens=9, messages=QUESTION) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert final.content[0].text == whole
    assert final.stop_reason == "max_tokens"
    assert (final.usage.output_tokens, final.usage.input_tokens > 0) == (9, True)


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called(client: Anthropic, *, stream: bool) -> None:
    asked: Any = {
        "model": "gpt",
        "max_tokens": 90,
        "messages": QUESTION,
        "tools": [TOOL],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
    }
    if stream:
        with client.messages.stream(**asked) as events:
            message = events.get_final_message()
    else:
        message = client.messages.create(**asked)
    assert message.stop_reason == "tool_use"
    (block,) = message.content
    assert (block.type, block.name) == ("tool_use", "look")
    assert "city" in block.input


def test_what_an_agent_sends(running: Gateway, gpt: SimulatedProvider) -> None:
    answer = ask(
        running,
        messages=AGENT,
        system=[{"type": "text", "text": "One"}, {"type": "text", "text": "two"}],
        tools=[{**TOOL, "cache_control": CACHED}],
        thinking={"type": "enabled", "budget_tokens": 1024},
        metadata={"user_id": "u"},
        stop_sequences=["END"],
        temperature=0.5,
    )
    assert answer.status == 200, answer
    assert set(answer.headers["x-fairlead-left-out"].split(", ")) == {
        "cache_control",
        "thinking",
        "is_error",
        "metadata",
    }
    body = said(gpt)
    assert body["stop"] == ["END"]
    assert body["temperature"] == 0.5
    assert body["tools"] == [
        {"type": "function", "function": {"name": "look", "description": 'Looks "there"', "parameters": SCHEMA}}
    ]
    system, first, assistant, one, two, last = body["messages"]
    assert system == {"role": "system", "content": "One\ntwo"}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    assert first == {"role": "user", "content": [{"type": "text", "text": "Look\tthere: é\u2028"}, picture]}
    assert assistant["content"] == "I look."
    assert [json.loads(call["function"]["arguments"]) for call in assistant["tool_calls"]] == [
        {"city": 'a "b" \\ \n é'},
        {},
    ]
    assert one == {"role": "tool", "tool_call_id": "t1", "content": "one"}
    assert two == {"role": "tool", "tool_call_id": "t2", "content": "two"}
    assert last == {"role": "user", "content": [picture, {"type": "text", "text": "And?"}]}


REFUSED: Mapping[str, Any] = {
    "top_k": 5,
    "mcp_servers": [{"type": "url", "url": "https://x"}],
    "stop_sequences": list("abcde"),
    "output_format": {"type": "text"},
    "tools": [{"type": "bash_20250124", "name": "bash"}],
    "messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "text", "data": "x"}}]}],
}


@pytest.mark.parametrize("member", REFUSED)
def test_what_cannot_be_said_is_refused_by_name(client: Anthropic, gpt: SimulatedProvider, member: str) -> None:
    with pytest.raises(BadRequestError, match=member if member != "messages" else "document"):
        client.messages.create(model="gpt", max_tokens=9, messages=QUESTION, extra_body={member: REFUSED[member]})
    assert not gpt.control.requests()


@pytest.mark.parametrize("name", ["gpt-first", "modest"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_one_rung_cannot_be_told_another_is(
    running: Gateway, gpt: SimulatedProvider, claude: SimulatedProvider, name: str, *, stream: bool
) -> None:
    assert ask(running, name, top_k=5, stream=stream).target.startswith("claude/api/")
    assert not gpt.control.requests()
    assert json.loads(claude.control.requests()[0].body)["top_k"] == 5
    assert ask(running, name, stream=stream).target.startswith("gpt/api/")


def test_hints_are_said_where_models_and_providers_take_them(running: Gateway, gpt: SimulatedProvider) -> None:
    thinking = {"type": "enabled", "budget_tokens": 31_999}
    answer = ask(running, "hinted", max_tokens=32_000, thinking=thinking, top_k=5)
    assert (answer.status, answer.headers["x-fairlead-left-out"]) == (200, "top_k")
    assert (said(gpt)["reasoning_effort"], "top_k" in said(gpt)) == ("high", False)


def test_a_shadow_that_wants_other_words_gets_no_copies(
    running: Gateway, gpt: SimulatedProvider, claude: SimulatedProvider
) -> None:
    assert ask(running, "copied").status == 200
    assert ask(running, "gpt").status == 200
    assert [record.target for record in claude.control.requests()] == [MESSAGES]
    assert [record.target for record in gpt.control.requests()] == [CHAT]


@pytest.mark.parametrize(("first", "other"), [("gpt", "claude"), ("claude", "gpt")])
@pytest.mark.parametrize("stream", [False, True])
def test_the_next_rung_may_speak_the_other_api(
    client: Anthropic, request: pytest.FixtureRequest, first: str, other: str, *, stream: bool
) -> None:
    request.getfixturevalue(first).control.fault(status=503)
    asked: Any = {"model": f"{first}-first", "max_tokens": 9, "messages": QUESTION}
    if stream:
        with client.messages.stream(**asked) as events:
            message = events.get_final_message()
    else:
        message = client.messages.create(**asked)
    assert message.model == other
    assert message.usage.output_tokens == 9


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "invalid_request_error"), (429, "rate_limit_error"), (503, "api_error")]
)
def test_errors_have_the_shape_of_the_api_that_was_asked(
    client: Anthropic, gpt: SimulatedProvider, status: int, kind: str
) -> None:
    gpt.control.fault(status=status)
    with pytest.raises(APIStatusError) as raised:
        client.messages.create(model="gpt", max_tokens=9, messages=QUESTION)
    assert raised.value.status_code == status
    body: Any = raised.value.body
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert "a fault that somebody asked for" in body["error"]["message"]


def test_a_key_that_the_provider_refuses_is_no_secret_of_its(client: Anthropic, gpt: SimulatedProvider) -> None:
    gpt.control.fault(status=401)
    with pytest.raises(APIStatusError) as raised:
        client.messages.create(model="gpt", max_tokens=9, messages=QUESTION)
    assert raised.value.status_code == 502
    assert "refused the gateway's credential" in str(raised.value)


def test_a_stream_that_breaks_has_no_end(running: Gateway, gpt: SimulatedProvider) -> None:
    gpt.control.fault(break_after_chunks=4)
    client = Anthropic(base_url=f"http://127.0.0.1:{running.port}", api_key=KEY, max_retries=0)
    seen: list[str] = []
    with pytest.raises(Exception, match="incomplete chunked read"):
        seen.extend(
            event.type for event in client.messages.create(model="gpt", max_tokens=9, messages=QUESTION, stream=True)
        )
    assert "message_start" in seen
    assert "message_stop" not in seen


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["gpt", "held"])
def test_tokens_are_counted_as_the_provider_said(
    running: Gateway, gpt: SimulatedProvider, name: str, *, stream: bool
) -> None:
    gpt.control.set(cached_percent=50)
    answer = ask(running, name, stream=stream, messages=[{"role": "user", "content": "word " * 40}])
    assert answer.status == 200
    line = until(lambda: running.line(answer))[0]
    assert (line["usage_status"], line["completion_tokens"]) == (1, 12)
    assert line["cached_tokens"] * 2 == pytest.approx(line["prompt_tokens"], abs=1)


def test_a_cap_of_the_route_holds(running: Gateway, gpt: SimulatedProvider) -> None:
    assert json.loads(ask(running, "capped").body)["usage"]["output_tokens"] == 5
    assert said(gpt)["max_completion_tokens"] == 5


def test_chat_itself_is_as_it_was(running: Gateway, gpt: SimulatedProvider) -> None:
    answer = running.ask("gpt", path=CHAT, key=KEY)
    assert json.loads(answer.body)["object"] == "chat.completion"
    assert "x-fairlead-left-out" not in answer.headers
    assert said(gpt)["messages"] == [{"role": "user", "content": "hello"}]


def test_tokens_are_not_counted_beforehand(client: Anthropic) -> None:
    with pytest.raises(NotFoundError):
        client.messages.count_tokens(model="gpt", messages=QUESTION)
