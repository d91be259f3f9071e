"""Providers that speak Anthropic's API: what reaches them, what passes over them, and what nobody can answer."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from anthropic import Anthropic, NotFoundError
from app_gateway import KEY, anew
from openai import NotFoundError as NotFoundAtOpenAI
from openai import OpenAI
from running import Gateway
from running_up import until

from builders import compiled, consumer, endpoint, installation, model, provider, route, secret, target
from fairlead import ir
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy

MESSAGES, COUNT, CHAT = "/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions"
CREDENTIAL = {"x-api-key": "claude-key"}
TOOL = {"name": "look", "description": "Looks", "input_schema": {"type": "object", "properties": {"at": {}}}}


@pytest.fixture(scope="module")
def claude() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(
        models=("claude",), keys=("claude-key",), header="x-api-key", anthropic=True, region="claude"
    ) as running:
        yield running


@pytest.fixture(scope="module")
def gpt() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("gpt",), keys=("gpt-key",), region="gpt") as running:
        yield running


def gateway(claude: SimulatedProvider, gpt: SimulatedProvider) -> ir.Gateway:
    """Serve each alone, both in either order, and a catalogue that another one stands behind."""
    made = compiled(
        provider(
            "claude",
            protocol="Anthropic",
            endpoints=[
                endpoint(
                    "api",
                    "us",
                    baseURL=claude.base_url.removesuffix("/v1"),
                    credential={"secretName": "claude", "key": "key"},
                )
            ],
            models=[model("claude"), model("sonnet", id="claude")],
            circuitBreaker={"consecutiveFailures": 2},
        ),
        provider(
            "gpt",
            endpoints=[endpoint("api", "us", baseURL=gpt.base_url, credential={"secretName": "gpt", "key": "key"})],
            models=[model("gpt"), model("sonnet", id="gpt")],
            circuitBreaker={"consecutiveFailures": 2},
        ),
        route("claude", target("claude", "claude")),
        route("claude-first", target("claude", "claude"), fallbacks=[target("gpt", "gpt")]),
        route("gpt-first", target("gpt", "gpt"), fallbacks=[target("claude", "claude")]),
        route("gpt", target("gpt", "gpt")),
        route("gpt-copied", target("gpt", "gpt"), shadow=target("claude", "claude", sample="100%")),
        route("all", target("claude"), modelNames=["son*"], fallbacks=[target("gpt")]),
        consumer("app"),
        secrets={secret("app"): "sk-app"},
        installed=installation(regions=[{"name": "us", "geo": "us", "listen": "127.0.0.1:8101"}]),
    )
    return made.gateways["us"].ir


@pytest.fixture(scope="module")
def running(claude: SimulatedProvider, gpt: SimulatedProvider) -> Iterator[Gateway]:
    with Gateway(gateway(claude, gpt)) as started:
        yield started


@pytest.fixture(autouse=True)
def well(claude: SimulatedProvider, gpt: SimulatedProvider) -> None:
    anew(claude, gpt)


def ask(running: Gateway, name: str, path: str = MESSAGES, **members: Any) -> Any:
    limit = {} if path == COUNT else {"max_tokens": 50}
    return running.ask(name, path=path, key=KEY, **{**limit, **members})


def sent(provider: SimulatedProvider) -> Mapping[str, str]:
    return {name.lower(): value for name, value in provider.control.requests()[-1].headers}


def test_messages_go_there_as_they_are(running: Gateway, claude: SimulatedProvider) -> None:
    answer = ask(running, "claude", tools=[TOOL], system=[{"type": "text", "text": "Be brief."}])
    assert answer.status == 200, answer
    assert json.loads(answer.body)["type"] == "message"
    assert answer.target == "claude/api/claude"
    (record,) = claude.control.requests()
    assert record.target == "/v1/messages"
    assert sent(claude)["x-api-key"] == "claude-key"
    assert sent(claude)["anthropic-version"] == "2023-06-01"
    assert "authorization" not in sent(claude)
    assert json.loads(record.body)["tools"] == [TOOL]


def test_a_version_that_the_client_names_stays(running: Gateway, claude: SimulatedProvider) -> None:
    running.ask("claude", path=MESSAGES, key=KEY, max_tokens=5, headers={"anthropic-version": "2023-01-01"})
    assert sent(claude)["anthropic-version"] == "2023-01-01"


@pytest.mark.parametrize("stream", [False, True])
def test_its_tokens_are_counted(running: Gateway, stream: bool) -> None:
    answer = ask(running, "claude", stream=stream)
    assert answer.status == 200
    line = until(lambda: running.line(answer))[0]
    assert line["usage_status"] == 1, line
    assert line["prompt_tokens"] > 0
    assert line["completion_tokens"] > 0


@pytest.mark.parametrize("name", ["claude", "claude-first", "gpt-first", "sonnet"])
def test_tokens_are_counted_beforehand_by_who_can(running: Gateway, claude: SimulatedProvider, name: str) -> None:
    answer = ask(running, name, COUNT)
    assert (answer.status, answer.headers["x-fairlead-attempts"]) == (200, "1"), answer
    assert json.loads(answer.body)["input_tokens"] > 0
    assert [record.target for record in claude.control.requests()] == [COUNT]


@pytest.mark.parametrize(
    ("name", "path", "said"),
    [
        ("claude", CHAT, "/v1/messages"),
        ("claude", "/v1/responses", "/v1/messages"),
        ("claude", "/v1/completions", "/v1/messages"),
        ("gpt", COUNT, "Anthropic's API"),
    ],
)
def test_what_nobody_can_answer_is_refused_in_its_own_shape(
    running: Gateway, claude: SimulatedProvider, name: str, path: str, said: str
) -> None:
    answer = ask(running, name, path)
    error = json.loads(answer.body)["error"]
    assert answer.status == 404
    assert said in error["message"]
    assert ("code" in error) == (path != COUNT)
    assert "x-fairlead-target" not in answer.headers
    assert not claude.control.requests()


@pytest.mark.parametrize("name", ["claude-first", "sonnet"])
@pytest.mark.parametrize("path", [CHAT, "/v1/completions", "/v1/responses"])
def test_what_it_cannot_answer_passes_over_it(
    running: Gateway, claude: SimulatedProvider, name: str, path: str
) -> None:
    own = {"/v1/completions": {"prompt": "hi"}, "/v1/responses": {"input": "hi"}}
    members = own.get(path, {"messages": [{"role": "user", "content": "hi"}]})
    for _ in range(4):
        answer = running.send(path, json.dumps({"model": name, **members}), key=KEY)
        assert answer.status == 200, answer
        assert answer.target.startswith("gpt/api/")
        assert answer.headers["x-fairlead-attempts"] == "1"
    assert not claude.control.requests()
    assert ask(running, name).target.startswith("claude/api/")


def test_the_last_resort_of_what_passes_over_is_one_that_can_answer(
    claude: SimulatedProvider, gpt: SimulatedProvider
) -> None:
    gpt.control.fault(status=500)
    with Gateway(gateway(claude, gpt)) as running:
        for _ in range(4):
            answer = running.ask("claude-first", path=CHAT, key=KEY)
            assert (answer.status, answer.target) == (500, "gpt/api/gpt")
        gpt.control.clear()
        assert running.ask("claude-first", path=CHAT, key=KEY).status == 200


def test_messages_go_on_to_another_provider_that_takes_them(running: Gateway, claude: SimulatedProvider) -> None:
    claude.control.fault(status=529)
    answer = ask(running, "claude-first")
    assert (answer.status, answer.target) == (200, "gpt/api/gpt")


def test_a_provider_without_the_path_is_passed_over_without_being_ejected(
    claude: SimulatedProvider, gpt: SimulatedProvider
) -> None:
    gpt.control.fault(status=404, path=MESSAGES)
    with Gateway(gateway(claude, gpt)) as running:
        for _ in range(6):
            assert ask(running, "gpt-first").target == "claude/api/claude"
        assert running.ask("gpt-first", path=CHAT, key=KEY).target == "gpt/api/gpt"


def test_a_shadow_gets_copies_of_what_it_can_answer(running: Gateway, claude: SimulatedProvider) -> None:
    assert running.ask("gpt-copied", path=CHAT, key=KEY).status == 200
    assert ask(running, "gpt-copied").status == 200
    until(claude.control.requests)
    assert ask(running, "claude").status == 200
    assert {record.target for record in until(claude.control.requests)} == {MESSAGES}
    assert {record.problem for record in claude.control.requests()} == {None}


def test_its_errors_reach_the_client_as_they_are(running: Gateway) -> None:
    answer = running.ask("claude", path=MESSAGES, key=KEY)  # without max_tokens
    assert answer.status == 400
    assert json.loads(answer.body)["type"] == "error"


def test_the_official_packages(running: Gateway) -> None:
    client = Anthropic(base_url=f"http://127.0.0.1:{running.port}", api_key=KEY, max_retries=0)
    question = [{"role": "user", "content": "hi"}]
    message = client.messages.create(model="claude", max_tokens=9, messages=question)
    assert message.usage.output_tokens > 0
    with client.messages.stream(model="claude", max_tokens=9, messages=question) as stream:
        assert "claude" in "".join(stream.text_stream)
        assert stream.get_final_message().stop_reason == "max_tokens"
    assert client.messages.count_tokens(model="claude", messages=question).input_tokens > 0
    with pytest.raises(NotFoundError):
        client.messages.count_tokens(model="gpt", messages=question)
    other = OpenAI(base_url=f"http://127.0.0.1:{running.port}/v1", api_key=KEY, max_retries=0)
    with pytest.raises(NotFoundAtOpenAI, match="/v1/messages"):
        other.chat.completions.create(model="claude", messages=question)
    assert other.chat.completions.create(model="claude-first", messages=question).model == "gpt"
