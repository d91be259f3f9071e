"""Azure OpenAI behind a gateway, by deployments and by `/v1`: a strict provider, and the official package as judge."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic import Anthropic
from app_gateway import KEY, anew, for_app
from openai import AzureOpenAI, BadRequestError, NotFoundError, OpenAI, RateLimitError
from running import Answer, Gateway
from running_up import until

from builders import embedding, endpoint, model, provider, route, target
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy

QUESTION: Any = [{"role": "user", "content": "Where?"}]
OLD = "2024-10-21"
VERSIONS = {"by-old": OLD, "by-new": "2025-04-01-preview", "by-v1": None}
FORMS = list(VERSIONS)


@pytest.fixture(scope="module")
def azure() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(
        models=("gpt-4o-eu",),
        embedding_models=("vectors-eu",),
        keys=("azure-key",),
        header="api-key",
        base="/openai",
        azure=True,
        region="azure",
    ) as running:
        yield running


@pytest.fixture(scope="module")
def openai() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("gpt",), keys=("gpt-key",), region="openai") as running:
        yield running


def at(sim: SimulatedProvider, **fields: Any) -> dict[str, Any]:
    return endpoint("api", "us", baseURL=sim.base_url, credential={"secretName": "azure", "key": "key"}, **fields)


def speaking(name: str, sim: SimulatedProvider, version: str | None, **fields: Any) -> dict[str, Any]:
    written = {} if version is None else {"apiVersion": version}
    return provider(
        name,
        protocol="AzureOpenAI",
        endpoints=[at(sim, **written)],
        models=[model("gpt-4o", id="gpt-4o-eu"), model("lost", id="nobody"), embedding("ada", id="vectors-eu")],
        circuitBreaker={"consecutiveFailures": 2},
        **fields,
    )


@pytest.fixture(scope="module")
def running(azure: SimulatedProvider, openai: SimulatedProvider) -> Iterator[Gateway]:
    gpt = [endpoint("api", "us", baseURL=openai.base_url, credential={"secretName": "gpt", "key": "key"})]
    with for_app(
        *(speaking(name, azure, version) for name, version in VERSIONS.items()),
        speaking("held", azure, OLD),
        provider("bearer", protocol="AzureOpenAI", endpoints=[bearer(azure)], models=[model("gpt-4o", id="gpt-4o-eu")]),
        provider("gpt", endpoints=gpt, models=[model("gpt")]),
        *(route(name, target(name, "gpt-4o")) for name in FORMS),
        *(route(f"{name}-vectors", target(name, "ada")) for name in FORMS),
        route("held", target("held", "gpt-4o")),
        route("bearer", target("bearer", "gpt-4o")),
        route("lost", target("by-old", "lost")),
        route("lost-v1", target("by-v1", "lost")),
        route("old-first", target("by-old", "gpt-4o"), fallbacks=[target("gpt", "gpt")]),
        route("gpt-first", target("gpt", "gpt"), fallbacks=[target("by-old", "gpt-4o")]),
        route("copied", target("gpt", "gpt"), shadow=target("by-old", "gpt-4o", sample="100%")),
        route("any", target("by-old"), modelNames=["gpt-4*"]),
    ) as started:
        yield started


def bearer(sim: SimulatedProvider) -> dict[str, Any]:
    opened = {"secretName": "azure", "key": "key", "header": "Authorization"}
    return endpoint("api", "us", baseURL=sim.base_url, apiVersion=OLD, credential=opened)


@pytest.fixture(autouse=True)
def well(azure: SimulatedProvider, openai: SimulatedProvider) -> None:
    anew(azure, openai)


@pytest.fixture
def client(running: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"http://127.0.0.1:{running.port}/v1", api_key=KEY, max_retries=0) as opened:
        yield opened


def theirs(sim: SimulatedProvider, version: str | None) -> OpenAI:
    """Ask the provider without a gateway, as the official package does."""
    where = f"http://127.0.0.1:{sim.port}"
    if version is not None:
        return AzureOpenAI(azure_endpoint=where, api_key="azure-key", api_version=version, max_retries=0)
    return OpenAI(base_url=f"{where}/openai/v1", api_key="azure-key", max_retries=0)


def sent(sim: SimulatedProvider) -> tuple[str, str, dict[str, str], Any]:
    (record,) = sim.control.requests()
    assert record.problem is None, record
    headers = {name.lower(): value for name, value in record.headers}
    return record.method, record.target, headers, json.loads(record.body)


def ask(running: Gateway, name: str, path: str = "/v1/chat/completions", **members: Any) -> Answer:
    return running.ask(name, path=path, key=KEY, **members)


def asked(by: OpenAI, what: str, chat: str, vectors: str) -> Any:
    if what == "chat/completions":
        return by.chat.completions.create(model=chat, messages=QUESTION)
    if what == "completions":
        return by.completions.create(model=chat, prompt="Where?")
    if what == "embeddings":
        return by.embeddings.create(model=vectors, input="Where?")
    return by.responses.create(model=chat, input="Where?")


@pytest.mark.parametrize("what", ["chat/completions", "completions", "embeddings", "responses"])
@pytest.mark.parametrize("name", FORMS)
def test_requests_go_where_the_official_package_sends_them(
    client: OpenAI, azure: SimulatedProvider, name: str, what: str
) -> None:
    if (name, what) == ("by-old", "responses"):
        with pytest.raises(NotFoundError, match="supported at /v1/responses: its provider's API has no such endpoint"):
            asked(client, what, name, "")
        assert not azure.control.requests()
        return
    assert asked(client, what, name, f"{name}-vectors").usage
    method, ours, headers, body = sent(azure)
    assert (method, headers["api-key"], headers.get("authorization")) == ("POST", "azure-key", None)
    assert body["model"] == ("vectors-eu" if what == "embeddings" else "gpt-4o-eu")
    azure.control.reset()
    with theirs(azure, VERSIONS[name]) as judge:
        asked(judge, what, "gpt-4o-eu", "vectors-eu")
    assert ours == sent(azure)[1]


def test_the_body_names_the_deployment(client: OpenAI, azure: SimulatedProvider) -> None:
    for name in FORMS:
        azure.control.reset()
        client.chat.completions.create(model=name, messages=QUESTION)
        assert sent(azure)[3]["model"] == "gpt-4o-eu"


@pytest.mark.parametrize("name", FORMS)
def test_a_stream_is_metered_though_its_first_event_has_no_choice(
    running: Gateway, azure: SimulatedProvider, name: str
) -> None:
    answer = ask(running, name, stream=True, max_tokens=9)
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in answer.body.split(b"\n\n")[:-2]]
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert chunks[0]["prompt_filter_results"], "what its filters found reaches the client"
    assert not [chunk for chunk in chunks if chunk.get("usage")], "nobody asked for it"
    assert sent(azure)[3]["stream_options"] == {"include_usage": True}
    until(lambda: bool(running.line(answer)))
    (line,) = running.line(answer)
    assert (line["prompt_tokens"], line["completion_tokens"], line["usage_status"]) == (2, 9, 1), line


def test_a_prompt_that_is_filtered_is_the_requests_fault(
    running: Gateway, client: OpenAI, azure: SimulatedProvider, openai: SimulatedProvider
) -> None:
    azure.control.fault(status=400)
    for _ in range(3):
        with pytest.raises(BadRequestError) as refused:
            client.chat.completions.create(model="old-first", messages=QUESTION)
        assert refused.value.code == "content_filter"
        body: Any = refused.value.body
        assert body["innererror"]["code"] == "ResponsibleAIPolicyViolation"
    assert not openai.control.requests(), "nobody else is asked, and it is not ejected for it"
    azure.control.clear()
    assert ask(running, "old-first").target == "by-old/api/gpt-4o"


def test_a_rate_limit_says_its_milliseconds(client: OpenAI, azure: SimulatedProvider) -> None:
    azure.control.fault(status=429, retry_after=7)
    with pytest.raises(RateLimitError) as limited:
        client.chat.completions.create(model="held", messages=QUESTION)
    assert limited.value.response.headers["retry-after-ms"] == "7000"


def test_a_key_as_bearer_opens_nothing_there(running: Gateway, azure: SimulatedProvider) -> None:
    assert ask(running, "bearer").status == 502
    assert {(record.status, record.problem) for record in azure.control.requests()} == {(401, "401")}


@pytest.mark.parametrize("name", ["lost", "lost-v1"])
def test_a_deployment_that_is_not_there(running: Gateway, azure: SimulatedProvider, name: str) -> None:
    assert ask(running, name).status == 502
    assert {record.problem for record in azure.control.requests()} == {"DeploymentNotFound"}


def test_a_ladder_mixes_both(running: Gateway, azure: SimulatedProvider, openai: SimulatedProvider) -> None:
    openai.control.fault(status=503)
    answer = ask(running, "gpt-first")
    assert (answer.status, answer.target) == (200, "by-old/api/gpt-4o")
    assert sent(azure)[1] == f"/openai/deployments/gpt-4o-eu/chat/completions?api-version={OLD}"
    (first,) = openai.control.requests()
    assert "api-key" not in {name.lower() for name, _ in first.headers}


def test_a_path_comes_back_to_what_the_next_rung_has(
    running: Gateway, azure: SimulatedProvider, openai: SimulatedProvider
) -> None:
    azure.control.fault(status=503)
    assert ask(running, "old-first").target == "gpt/api/gpt"
    (record,) = openai.control.requests()
    assert (record.target, record.problem) == ("/v1/chat/completions", None)


def test_responses_pass_over_a_version_without_them(
    running: Gateway, azure: SimulatedProvider, openai: SimulatedProvider
) -> None:
    for _ in range(3):
        answer = ask(running, "old-first", "/v1/responses", input="Where?", messages=None)
        assert (answer.status, answer.target) == (200, "gpt/api/gpt"), answer
    assert not azure.control.requests()
    assert ask(running, "old-first").target == "by-old/api/gpt-4o", "it is not ejected for it"
    assert [record.target for record in openai.control.requests()] == ["/v1/responses"] * 3


def test_a_shadow_gets_its_copy_where_it_answers(running: Gateway, azure: SimulatedProvider) -> None:
    assert ask(running, "copied").target == "gpt/api/gpt"
    until(lambda: len(azure.control.requests()) == 1)
    assert sent(azure)[1] == f"/openai/deployments/gpt-4o-eu/chat/completions?api-version={OLD}"


def test_a_wildcard_and_the_last_resort_know_the_deployment(running: Gateway, azure: SimulatedProvider) -> None:
    azure.control.fault(status=503, count=1)
    answer = ask(running, "gpt-4o")
    assert (answer.status, answer.headers["x-fairlead-attempts"]) == (200, "2")
    paths = [record.target for record in azure.control.requests()]
    assert paths == [f"/openai/deployments/gpt-4o-eu/chat/completions?api-version={OLD}"] * 2


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("stream", [False, True])
def test_messages_are_answered_in_their_words(
    running: Gateway, azure: SimulatedProvider, name: str, stream: bool
) -> None:
    asked: Any = {"model": name, "max_tokens": 9, "messages": QUESTION}
    with Anthropic(base_url=f"http://127.0.0.1:{running.port}", api_key=KEY, max_retries=0) as client:
        if stream:
            with client.messages.stream(**asked) as events:
                answer = events.get_final_message()
        else:
            answer = client.messages.create(**asked)
    assert (answer.model, answer.stop_reason, answer.usage.output_tokens) == ("gpt-4o-eu", "max_tokens", 9)
    assert sent(azure)[1].partition("?")[0].endswith("/chat/completions")


def test_nobody_counts_tokens_of_messages_there(running: Gateway) -> None:
    answer = ask(running, "by-v1", "/v1/messages/count_tokens")
    assert (answer.status, json.loads(answer.body)["error"]["type"]) == (404, "not_found_error")
