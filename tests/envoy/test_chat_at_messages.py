"""Clients of chat/completions at providers of Anthropic's Messages: the official package and strict providers."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from app_gateway import KEY, anew, for_app
from openai import APIStatusError, BadRequestError, OpenAI
from running import Answer, Gateway
from running_up import until

from builders import endpoint, model, provider, route, target
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy

MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"
QUESTION: Any = [{"role": "user", "content": "Where?"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: Any = {"type": "function", "function": {"name": "look", "description": 'Looks "there"', "parameters": SCHEMA}}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
CACHED = {"type": "ephemeral"}


def call(id_: str, arguments: str) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": "look", "arguments": arguments}}


AGENT: Any = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Look\tthere: é\u2028", "cache_control": CACHED}, PICTURE]},
    {
        "role": "assistant",
        "content": "I look.",
        "tool_calls": [call("t1", '{"city": "a \\"b\\" \\\\ \\n é"}'), call("functions.look:0", "{}")],
    },
    {"role": "tool", "tool_call_id": "t1", "content": [{"type": "text", "text": "one"}]},
    {"role": "tool", "tool_call_id": "functions.look:0", "content": "two"},
    {"role": "user", "content": "And?"},
]


@pytest.fixture(scope="module")
def gpt() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("gpt",), keys=("gpt-key",), region="gpt") as running:
        yield running


@pytest.fixture(scope="module")
def claude() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(
        models=("claude",), keys=("claude-key",), header="x-api-key", anthropic=True, region="claude"
    ) as running:
        yield running


def opened(name: str, sim: SimulatedProvider) -> dict[str, Any]:
    return endpoint("api", "us", baseURL=sim.base_url, credential={"secretName": name, "key": "key"})


@pytest.fixture(scope="module")
def running(gpt: SimulatedProvider, claude: SimulatedProvider) -> Iterator[Gateway]:
    never = {"consecutiveFailures": 100}
    anthropic = {"protocol": "Anthropic", "chatCompletions": "Translate", "endpoints": [opened("claude", claude)]}
    with for_app(
        provider(
            "gpt",
            endpoints=[opened("gpt", gpt)],
            models=[model("gpt"), model("modest", id="gpt")],
            circuitBreaker={"consecutiveFailures": 2},
        ),
        provider(
            "claude",
            **anthropic,
            models=[model("claude", maxOutputTokens=77), model("modest", id="claude")],
            circuitBreaker={"consecutiveFailures": 2},
        ),
        provider("held", **anthropic, models=[model("claude")], circuitBreaker={**never, "maxInFlight": 5}),
        provider(
            "hinted",
            **anthropic,
            unsupported="LeaveOut",
            models=[model("claude", reasoning="Budget"), model("plain", id="claude")],
        ),
        provider("apart", protocol="Anthropic", endpoints=[opened("claude", claude)], models=[model("claude")]),
        route("claude", target("claude", "claude")),
        route("capped", target("claude", "claude"), maxOutputTokens=5),
        route("held", target("held", "claude")),
        route("hinted", target("hinted", "claude")),
        route("hinted-capped", target("hinted", "claude"), maxOutputTokens=2000),
        route("hinted-in-part", target("hinted", "claude"), fallbacks=[target("hinted", "plain")]),
        route("hinted-first", target("hinted", "claude"), fallbacks=[target("gpt", "gpt")]),
        route("modest", target("claude"), modelNames=["mo*"], fallbacks=[target("gpt")]),
        route("gpt-first", target("gpt", "gpt"), fallbacks=[target("claude", "claude")]),
        route("claude-first", target("claude", "claude"), fallbacks=[target("gpt", "gpt")]),
        route("apart-first", target("apart", "claude"), fallbacks=[target("held", "claude")]),
        route("copied", target("gpt", "gpt"), shadow=target("claude", "claude", sample="100%")),
    ) as started:
        yield started


@pytest.fixture(autouse=True)
def well(gpt: SimulatedProvider, claude: SimulatedProvider) -> None:
    anew(gpt, claude)


@pytest.fixture
def client(running: Gateway) -> OpenAI:
    return OpenAI(base_url=f"http://127.0.0.1:{running.port}/v1", api_key=KEY, max_retries=0)


def ask(running: Gateway, name: str = "claude", **members: Any) -> Answer:
    return running.ask(name, path=CHAT, key=KEY, **members)


def said(sim: SimulatedProvider) -> Any:
    (record,) = sim.control.requests()
    assert record.problem is None, record
    assert record.target == MESSAGES
    return json.loads(record.body)


def test_a_plain_question(client: OpenAI, claude: SimulatedProvider) -> None:
    answer = client.chat.completions.create(
        model="claude",
        max_completion_tokens=9,
        messages=[{"role": "system", "content": "Be brief."}, *QUESTION],
        user="u",
        stop="END",
    )
    (choice,) = answer.choices
    assert (answer.model, choice.message.role, choice.finish_reason) == ("claude", "assistant", "length")
    assert "claude" in (choice.message.content or "")
    assert answer.usage
    assert answer.usage.completion_tokens == 9
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 9
    assert said(claude) == {
        "model": "claude",
        "max_tokens": 9,
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Where?"}]}],
        "metadata": {"user_id": "u"},
        "stop_sequences": ["END"],
    }
    (record,) = claude.control.requests()
    sent = {name.lower(): value for name, value in record.headers}
    assert (sent["x-api-key"], sent["anthropic-version"]) == ("claude-key", "2023-06-01")
    assert "authorization" not in sent


@pytest.mark.parametrize(("name", "most"), [("claude", 77), ("held", 4096), ("modest", 4096), ("capped", 5)])
def test_an_answer_without_a_limit_of_the_clients_has_the_models(
    running: Gateway, claude: SimulatedProvider, name: str, most: int
) -> None:
    assert ask(running, name).status == 200
    assert said(claude)["max_tokens"] == most


@pytest.mark.parametrize("usage", [False, True])
def test_a_stream_is_what_the_package_reads(client: OpenAI, *, usage: bool) -> None:
    whole = client.chat.completions.create(model="claude", max_tokens=9, messages=QUESTION)
    options: Any = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = list(
        client.chat.completions.create(model="claude", max_tokens=9, messages=QUESTION, stream=True, **options)
    )
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(texts) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    assert [chunk.usage.completion_tokens for chunk in chunks if chunk.usage] == ([9] if usage else [])
    assert all(chunk.choices or chunk.usage for chunk in chunks)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("choice", ["required", "auto", {"type": "function", "function": {"name": "look"}}])
def test_a_tool_is_called(client: OpenAI, claude: SimulatedProvider, choice: Any, *, stream: bool) -> None:
    asked: Any = {
        "model": "claude",
        "messages": QUESTION,
        "tools": [TOOL],
        "tool_choice": choice,
        "parallel_tool_calls": False,
    }
    if stream:
        with client.chat.completions.stream(**asked) as events:
            answer = events.get_final_completion()
    else:
        answer = client.chat.completions.create(**asked)
    (found,) = answer.choices
    assert found.finish_reason == "tool_calls"
    (one,) = found.message.tool_calls or ()
    assert one.type == "function"
    assert one.function.name == "look"
    assert "city" in json.loads(one.function.arguments)
    body = said(claude)
    assert body["tools"] == [{"name": "look", "description": 'Looks "there"', "input_schema": SCHEMA}]
    assert body["tool_choice"]["disable_parallel_tool_use"] is True
    again = [*QUESTION, found.message, {"role": "tool", "tool_call_id": one.id, "content": "fine"}]
    assert client.chat.completions.create(model="claude", messages=again, tools=[TOOL]).choices[0].message.content


def test_what_an_agent_sends(running: Gateway, claude: SimulatedProvider) -> None:
    answer = ask(
        running,
        messages=AGENT,
        tools=[{**TOOL, "cache_control": CACHED}],
        reasoning_effort="high",
        metadata={"trace": "x"},
        temperature=0.5,
        n=1,
        presence_penalty=0,
        logprobs=False,
    )
    assert answer.status == 200, answer
    assert set(answer.headers["x-fairlead-left-out"].split(", ")) == {"reasoning_effort", "metadata"}
    body = said(claude)
    assert body["system"] == [{"type": "text", "text": "Be brief."}]
    assert (body["temperature"], body["tools"][0]["cache_control"]) == (0.5, CACHED)
    first, assistant, last = body["messages"]
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    assert first["content"] == [{"type": "text", "text": "Look\tthere: é\u2028", "cache_control": CACHED}, picture]
    assert [one["type"] for one in assistant["content"]] == ["text", "tool_use", "tool_use"]
    assert [one.get("input") for one in assistant["content"]] == [None, {"city": 'a "b" \\ \n é'}, {}]
    assert [one["type"] for one in last["content"]] == ["tool_result", "tool_result", "text"]
    assert last["content"][1]["tool_use_id"] == assistant["content"][2]["id"]


def test_a_schema_binds_the_answer(client: OpenAI, claude: SimulatedProvider) -> None:
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": SCHEMA}}
    answer = client.chat.completions.create(model="claude", messages=QUESTION, response_format=wanted)
    assert "city" in json.loads(answer.choices[0].message.content or "")
    assert said(claude)["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}


REFUSED: Mapping[str, Any] = {
    "n": 2,
    "logprobs": True,
    "logit_bias": {"5": 1},
    "seed": 7,
    "presence_penalty": 0.5,
    "frequency_penalty": -1,
    "temperature": 1.5,
    "stop": ["\n"],
    "response_format": {"type": "json_object"},
    "modalities": ["text", "audio"],
    "audio": {"voice": "x", "format": "mp3"},
}


@pytest.mark.parametrize("member", REFUSED)
def test_what_cannot_be_said_is_refused_by_name(client: OpenAI, claude: SimulatedProvider, member: str) -> None:
    with pytest.raises(BadRequestError, match=member) as raised:
        client.chat.completions.create(model="claude", messages=QUESTION, extra_body={member: REFUSED[member]})
    assert (raised.value.type, raised.value.code) == ("invalid_request_error", "unsupported_parameter")
    assert not claude.control.requests()


@pytest.mark.parametrize("name", ["claude-first", "modest"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_one_rung_cannot_be_told_another_is(
    running: Gateway, gpt: SimulatedProvider, claude: SimulatedProvider, name: str, *, stream: bool
) -> None:
    for _ in range(4):  # more than end in an ejection
        answer = ask(running, name, seed=7, stream=stream)
        assert (answer.status, answer.headers["x-fairlead-attempts"]) == (200, "1"), answer
        assert answer.target.startswith("gpt/api/")
        assert "x-fairlead-left-out" not in answer.headers
    assert not claude.control.requests()
    assert json.loads(gpt.control.requests()[0].body)["seed"] == 7
    assert ask(running, name, stream=stream).target.startswith("claude/api/")


@pytest.mark.parametrize(
    ("name", "left_out", "budget"),
    [
        ("hinted", "seed", 8000),
        ("hinted-first", "seed", 8000),
        ("hinted-capped", "seed", 1600),
        ("hinted-in-part", "seed, reasoning_effort", None),
    ],
)
def test_hints_are_said_where_all_that_want_them_take_them(
    running: Gateway, claude: SimulatedProvider, name: str, left_out: str, budget: int | None
) -> None:
    answer = ask(running, name, reasoning_effort="high", max_tokens=10_000, seed=7)
    assert (answer.target, answer.headers["x-fairlead-left-out"]) == ("hinted/api/claude", left_out)
    assert said(claude).get("thinking") == (budget and {"type": "enabled", "budget_tokens": budget})


def test_a_rung_that_wants_no_other_words_is_passed_over(running: Gateway) -> None:
    answer = ask(running, "apart-first")
    assert (answer.target, answer.headers["x-fairlead-attempts"]) == ("held/api/claude", "1")


@pytest.mark.parametrize(("path", "member"), [("/v1/responses", "input"), ("/v1/completions", "prompt")])
def test_other_paths_are_not_said_otherwise(running: Gateway, path: str, member: str) -> None:
    answer = running.ask("claude", path=path, key=KEY, **{member: "x"})
    assert (answer.status, answer.code) == (404, "unsupported_endpoint")
    assert "at /v1/messages, and at /v1/chat/completions in its words." in answer.message


@pytest.mark.parametrize(("first", "other"), [("gpt", "claude"), ("claude", "gpt")])
@pytest.mark.parametrize("stream", [False, True])
def test_the_next_rung_may_speak_the_other_api(
    running: Gateway, request: pytest.FixtureRequest, first: str, other: str, *, stream: bool
) -> None:
    request.getfixturevalue(first).control.fault(status=400 + 98)
    answer = ask(running, f"{first}-first", stream=stream, max_tokens=9)
    assert (answer.status, answer.target) == (200, f"{other}/api/{other}")
    last = request.getfixturevalue(other).control.requests()[-1]
    assert last.target == (MESSAGES if other == "claude" else CHAT)
    assert ("anthropic-version" in {name.lower() for name, _ in last.headers}) == (other == "claude")
    if stream:
        assert answer.body.decode().count("data: [DONE]") == 1
    else:
        assert json.loads(answer.body)["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "invalid_request_error", None),
        (429, "rate_limit_error", "rate_limit_exceeded"),
        (503, "server_error", "overloaded"),
        (529, "server_error", None),
    ],
)
def test_errors_have_the_shape_of_the_api_that_was_asked(
    client: OpenAI, claude: SimulatedProvider, status: int, kind: str, code: str | None
) -> None:
    claude.control.fault(status=status)
    with pytest.raises(APIStatusError) as raised:
        client.chat.completions.create(model="claude", messages=QUESTION)
    assert raised.value.status_code == status
    body: Any = raised.value.body
    assert (body["type"], body["code"], body["param"]) == (kind, code, None)
    assert "a fault that somebody asked for" in body["message"]


@pytest.mark.parametrize("name", ["claude", "held"])
def test_a_key_that_the_provider_refuses_is_no_secret_of_its(
    client: OpenAI, claude: SimulatedProvider, name: str
) -> None:
    claude.control.fault(status=401)
    with pytest.raises(APIStatusError) as raised:
        client.chat.completions.create(model=name, messages=QUESTION)
    assert raised.value.status_code == 502
    body: Any = raised.value.body
    assert (body["type"], body["code"]) == ("server_error", "provider_refused")
    assert "refused the gateway's credential" in body["message"]


def test_the_gateways_own_errors_are_in_the_clients_words(running: Gateway, claude: SimulatedProvider) -> None:
    claude.control.fault(reset=True)
    answer = ask(running, "claude")
    assert answer.status >= 500
    assert json.loads(answer.body)["error"]["type"] == "server_error", answer


def test_a_stream_that_breaks_has_no_end(client: OpenAI, claude: SimulatedProvider) -> None:
    claude.control.fault(break_after_chunks=6)
    seen: list[str] = []
    with pytest.raises(Exception, match="Connection error"):
        seen.extend(
            chunk.choices[0].delta.content or ""
            for chunk in client.chat.completions.create(model="claude", messages=QUESTION, stream=True)
        )
    assert any(seen)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("usage", [False, True])
@pytest.mark.parametrize("name", ["claude", "held"])
def test_tokens_are_counted_as_the_provider_said(
    running: Gateway, claude: SimulatedProvider, name: str, *, stream: bool, usage: bool
) -> None:
    claude.control.set(cached_percent=50)
    options = {"stream_options": {"include_usage": True}} if usage and stream else {}
    answer = ask(running, name, stream=stream, messages=[{"role": "user", "content": "word " * 40}], **options)
    assert answer.status == 200
    line = until(lambda: running.line(answer))[0]
    assert (line["usage_status"], line["completion_tokens"]) == (1, 12)
    assert line["cached_tokens"] * 2 == pytest.approx(line["prompt_tokens"], abs=1)


def test_messages_themselves_are_as_they_were(running: Gateway, claude: SimulatedProvider) -> None:
    answer = running.ask("claude", path=MESSAGES, key=KEY, max_tokens=5)
    assert json.loads(answer.body)["type"] == "message"
    assert said(claude)["messages"] == [{"role": "user", "content": "hello"}]


def test_a_shadow_that_wants_other_words_gets_no_copies(
    running: Gateway, gpt: SimulatedProvider, claude: SimulatedProvider
) -> None:
    assert ask(running, "copied").status == 200
    assert ask(running, "claude").status == 200
    assert [record.target for record in claude.control.requests()] == [MESSAGES]
    assert [record.target for record in gpt.control.requests()] == [CHAT]
