"""What no provider is asked about: unknown names, broken requests, callers without a key."""

import json
from typing import Any

import openai
import pytest
from endpoint_world import ASK, PAGE, sim, world
from world import KEY, World, error_of, raw

from fairlead.demo.provider import SimulatedProvider

__all__ = ["sim", "world"]

pytestmark = pytest.mark.envoy


@pytest.mark.parametrize(
    ("asked", "body", "refusal"),
    [
        ("POST /v1/audio/variations", "{}", (404, "unknown_url")),
        ("POST /", "", (404, "unknown_url")),
        ("GET /v1/chat/completions", "", (404, "unknown_url")),
        ("DELETE /v1/models/chat", "", (404, "unknown_url")),
        ("POST /v1/chat/completions", '{"model":"nobody","messages":[]}', (404, "model_not_found")),
        ("POST /v1/chat/completions", '{"model":"embed","messages":[]}', (404, "unsupported_endpoint")),
        ("POST /v1/embeddings", '{"model":"chat","input":"a"}', (404, "unsupported_endpoint")),
        ("POST /v1/chat/completions", '{"model":"chat",}', (400, "invalid_json")),
        ("POST /v1/chat/completions", '{"model":"chat","model":"chat"}', (400, "invalid_json")),
        ("POST /v1/chat/completions", "", (400, "invalid_json")),
        ("POST /v1/chat/completions", '{"messages":[]}', (400, "missing_model")),
        ("POST /v1/chat/completions", '{"model":1}', (400, "invalid_model")),
        ("POST /v1/chat/completions", '{"model":"chat","stream":"yes"}', (400, "invalid_stream")),
        ("POST /v1/chat/completions", '{"model":"capped","max_tokens":1e9}', (400, "invalid_max_tokens")),
        ("POST /v1/chat/completions", '{"model":"chat","x":"' + "a" * 2_000_000 + '"}', (413, "request_too_large")),
    ],
)
def test_errors_of_the_gateway(
    world: World, sim: SimulatedProvider, asked: str, body: str, refusal: tuple[int, str]
) -> None:
    with world.http() as client:
        answer = client.request(*asked.split(), content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, error_of(answer)["code"]) == refusal
    assert sim.control.stats().requests == 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer sk-wrong"},
        {"authorization": "Bearer"},
        {"authorization": f"Basic {KEY}"},
        {"x-api-key": "sk-wrong"},
        {"x-fl-consumer": "fairlead/client"},
        {"authorization": "Bearer anonymous"},
        {"x-fl-anonymous": "anonymous"},
    ],
)
def test_without_a_good_key_nothing_goes(world: World, sim: SimulatedProvider, headers: dict[str, str]) -> None:
    with world.http(None) as client:
        for answer in (
            client.post("/v1/chat/completions", json={"model": "chat", "messages": ASK}, headers=headers),
            client.get("/v1/models", headers=headers),
            client.get("/nowhere", headers=headers),
        ):
            assert answer.status_code == 401
            assert error_of(answer)["code"] == "invalid_api_key"
    assert sim.control.stats().requests == 0


def test_errors_by_the_official_client(world: World) -> None:
    with world.openai("sk-wrong") as client, pytest.raises(openai.AuthenticationError) as refused:
        client.chat.completions.create(model="chat", messages=ASK)
    assert refused.value.code == "invalid_api_key"
    with world.openai() as client:
        with pytest.raises(openai.NotFoundError) as unknown:
            client.chat.completions.create(model="nobody", messages=ASK, stream=True)
        assert unknown.value.code == "model_not_found"
        assert "nobody" in str(unknown.value)
        with pytest.raises(openai.APIStatusError) as large:
            client.chat.completions.create(model="chat", messages=[{"role": "user", "content": "a" * 3_000_000}])
        assert large.value.status_code == 413


@pytest.mark.parametrize("base", ["", "/", "/v1/v1", "/openai/v1", "/v1/"])
def test_the_official_client_is_told_where_the_api_is(world: World, base: str) -> None:
    with openai.OpenAI(api_key=KEY, base_url=f"{world.url()}{base}", max_retries=0) as client:
        if base == "/v1/":
            assert client.chat.completions.create(model="chat", messages=ASK).choices
        else:
            with pytest.raises(openai.NotFoundError, match=r"ends in `/v1`, which makes it /v1/chat/completions"):
                client.chat.completions.create(model="chat", messages=ASK)


def test_azures_client_brings_its_key_and_is_told_where_the_model_stands(world: World) -> None:
    with openai.AzureOpenAI(
        api_key=KEY, base_url=f"{world.url()}/v1", api_version="2024-10-21", max_retries=0
    ) as client:
        assert client.models.retrieve("chat").id == "chat"
        with pytest.raises(openai.NotFoundError, match="The model stands in the body"):
            client.chat.completions.create(model="chat", messages=ASK)


@pytest.mark.parametrize("kept", [{"background": True}, {"previous_response_id": "resp_1"}, {"conversation": "conv_1"}])
def test_what_one_provider_would_keep_is_refused_by_name(world: World, kept: dict[str, Any]) -> None:
    with world.openai() as client, pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="chat", input="Where are you?", **kept)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", next(iter(kept)))


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /v1/models HTTP/1.0\nHost: a\n\n", 401),
        ("FOO BAR\n\n", 400),
        ("GET /v1/models HTTP/1.1\n\n", 400),
        ("GET /v1/realtime HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket\n\n", 426),
        (f"GET /v1/models HTTP/1.1\nHost: a\nX-Long: {'a' * 70_000}\n\n", 431),
        (f"POST /v1/chat/completions HTTP/1.1\nHost: a\nX-Api-Key: {KEY}\nTransfer-Encoding: chunked\n\nzz\n", 400),
        ("CONNECT a:80 HTTP/1.1\nHost: a:80\n\n", 401),
    ],
)
def test_what_is_no_request_at_all(world: World, head: str, status: int) -> None:
    answered, content_type, body = raw(world.port(), head)
    assert (answered, content_type) == (status, "application/json")
    assert json.loads(body)["error"]["message"]


def test_a_page_that_may_call_can_read_why_it_was_refused(world: World) -> None:
    asked = {"origin": PAGE, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    with world.http(None) as client:
        assert client.options("/v1/chat/completions", headers=asked).headers["access-control-allow-origin"] == PAGE
        answer = client.post("/v1/chat/completions", headers={"origin": PAGE}, json={"model": "chat", "messages": ASK})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, PAGE)
        assert (
            client.options("/v1/chat/completions", headers={**asked, "origin": "https://evil.example"}).status_code
            == 403
        )
