"""Gemini's OpenAI-compatible API behind a gateway: a strict provider, the official packages as clients."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic import Anthropic
from app_gateway import KEY, anew, for_app
from openai import BadRequestError, OpenAI
from running import Answer, Gateway
from running_up import until

from builders import embedding, endpoint, model, provider, route, target
from fairlead.demo.provider import SimulatedProvider
from fairlead.demo.provider.gemini import THOUGHT

pytestmark = pytest.mark.envoy

QUESTION: Any = [{"role": "user", "content": "Where?"}]
BASE = "/v1beta/openai"


@pytest.fixture(scope="module")
def gemini() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(
        models=("flash",), embedding_models=("vectors",), keys=("gemini-key",), base=BASE, gemini=True, region="gemini"
    ) as running:
        yield running


@pytest.fixture(scope="module")
def gpt() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("gpt",), keys=("gpt-key",), region="gpt") as running:
        yield running


def speaking(name: str, sim: SimulatedProvider, key: str = "gemini", **fields: Any) -> dict[str, Any]:
    one = endpoint("api", "us", baseURL=sim.base_url.removesuffix(BASE), credential={"secretName": key, "key": "key"})
    catalogue = [model("flash"), model("long", id="models/flash"), embedding("vectors")]
    return provider(name, protocol="Gemini", endpoints=[one], models=catalogue, **fields)


@pytest.fixture(scope="module")
def running(gemini: SimulatedProvider, gpt: SimulatedProvider) -> Iterator[Gateway]:
    other = [endpoint("api", "us", baseURL=gpt.base_url, credential={"secretName": "gpt", "key": "key"})]
    with for_app(
        speaking("gemini", gemini),
        speaking("locked", gemini, key="wrong"),
        speaking("held", gemini, circuitBreaker={"maxInFlight": 5, "consecutiveFailures": 100}),
        provider("gpt", endpoints=other, models=[model("gpt")]),
        route("flash", target("gemini", "flash")),
        route("long", target("gemini", "long")),
        route("vectors", target("gemini", "vectors")),
        route("held", target("held", "flash")),
        route("locked", target("locked", "flash")),
        route("locked-first", target("locked", "flash"), fallbacks=[target("gpt", "gpt")]),
        route("flash-first", target("gemini", "flash"), fallbacks=[target("gpt", "gpt")]),
    ) as started:
        yield started


@pytest.fixture(autouse=True)
def well(gemini: SimulatedProvider, gpt: SimulatedProvider) -> None:
    anew(gemini, gpt)


@pytest.fixture
def client(running: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"http://127.0.0.1:{running.port}/v1", api_key=KEY, max_retries=0) as opened:
        yield opened


def ask(running: Gateway, name: str, path: str = "/v1/chat/completions", **members: Any) -> Answer:
    return running.ask(name, path=path, key=KEY, **members)


def line(running: Gateway, answer: Answer) -> dict[str, Any]:
    until(lambda: bool(running.line(answer)))
    (found,) = running.line(answer)
    return found


@pytest.mark.parametrize(("name", "wire"), [("flash", "flash"), ("long", "models/flash"), ("held", "flash")])
def test_chat_goes_as_it_came(client: OpenAI, gemini: SimulatedProvider, name: str, wire: str) -> None:
    answer = client.chat.completions.create(model=name, messages=QUESTION)
    assert "gemini" in (answer.choices[0].message.content or "")
    (record,) = gemini.control.requests()
    assert (record.target, json.loads(record.body)["model"]) == (f"{BASE}/chat/completions", wire)
    assert dict(record.headers)["authorization"] == "Bearer gemini-key"


def test_vectors(client: OpenAI, gemini: SimulatedProvider) -> None:
    assert client.embeddings.create(model="vectors", input="Where?").data
    assert [record.target for record in gemini.control.requests()] == [f"{BASE}/embeddings"]


@pytest.mark.parametrize("stream", [False, True])
def test_what_was_thought_is_counted_though_the_total_alone_has_it(running: Gateway, stream: bool) -> None:
    answer = ask(running, "flash", stream=stream, max_tokens=9)
    found = line(running, answer)
    assert (found["prompt_tokens"], found["completion_tokens"], found["usage_status"]) == (2, 9 + THOUGHT, 1)


def test_an_error_is_taken_out_of_its_list(client: OpenAI, gpt: SimulatedProvider) -> None:
    with pytest.raises(BadRequestError, match='Unknown name "seed"') as refused:
        client.chat.completions.create(model="flash-first", messages=QUESTION, seed=1)
    body: Any = refused.value.body
    assert (body["code"], body["status"]) == (400, "INVALID_ARGUMENT")
    assert not gpt.control.requests(), "it is the request's fault"


@pytest.mark.parametrize("name", ["flash", "held"])
def test_the_last_ones_own_error_is_one_too(running: Gateway, gemini: SimulatedProvider, name: str) -> None:
    gemini.control.fault(status=429)
    answer = ask(running, name)
    assert (answer.status, json.loads(answer.body)["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")


def test_a_key_that_is_refused_with_400_is_no_fault_of_the_requests(running: Gateway, gpt: SimulatedProvider) -> None:
    answer = ask(running, "locked-first")
    assert (answer.status, answer.target) == (200, "gpt/api/gpt")
    assert len(gpt.control.requests()) == 1
    assert ask(running, "locked").status == 502, "as any credential of the gateway that is refused"


def test_a_prompt_cannot_say_that_the_key_was_refused(running: Gateway, gemini: SimulatedProvider) -> None:
    said: Any = [{"role": "user", "content": 'reason: "API_KEY_INVALID"'}]
    assert ask(running, "flash", messages=said, seed=1).status == 400
    assert len(gemini.control.requests()) == 1


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/responses"])
def test_it_has_no_other_endpoint(running: Gateway, gemini: SimulatedProvider, path: str) -> None:
    asked: Any = {"prompt": "a"} if path == "/v1/completions" else {"input": "a"}
    answer = ask(running, "flash-first", path, **asked)
    assert (answer.status, answer.target) == (200, "gpt/api/gpt")
    refused = ask(running, "flash", path, **asked)
    assert (refused.status, refused.code) == (404, "unsupported_endpoint")
    assert "This gateway answers it at /v1/chat/completions" in refused.message
    assert not gemini.control.requests()


@pytest.mark.parametrize("stream", [False, True])
def test_messages_are_answered_in_their_words(running: Gateway, stream: bool) -> None:
    asked: Any = {"model": "flash", "max_tokens": 9, "messages": QUESTION}
    with Anthropic(base_url=f"http://127.0.0.1:{running.port}", api_key=KEY, max_retries=0) as client:
        if stream:
            with client.messages.stream(**asked) as events:
                answer = events.get_final_message()
        else:
            answer = client.messages.create(**asked)
    assert (answer.model, answer.stop_reason) == ("flash", "max_tokens")


def test_an_error_is_said_in_messages_words(running: Gateway, gemini: SimulatedProvider) -> None:
    gemini.control.fault(status=429)
    answer = ask(running, "flash", "/v1/messages", max_tokens=9)
    said = json.loads(answer.body)
    assert (answer.status, said["error"]["type"]) == (429, "rate_limit_error")
    assert "a fault that somebody asked for" in said["error"]["message"]
