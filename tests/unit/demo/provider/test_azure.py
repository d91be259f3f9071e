"""The simulated Azure refuses what the real one refuses, and the official package understands the rest."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import openai
import pytest

from fairlead.demo.provider import SimulatedProvider
from fairlead.demo.provider.azure import Asked, asked
from fairlead.demo.provider.refusal import Refusal

OLD, NEW = "2024-10-21", "2025-04-01-preview"
HELLO: Any = [{"role": "user", "content": "hello there"}]


@pytest.fixture(name="azure")
def running_azure() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("d",), keys=("k",), header="api-key", base="/openai", azure=True) as provider:
        yield provider


Ask = Callable[..., openai.AzureOpenAI]


@pytest.fixture(name="client")
def official_clients(azure: SimulatedProvider) -> Iterator[Ask]:
    with ExitStack() as opened:

        def client(**fields: Any) -> openai.AzureOpenAI:
            where = f"http://127.0.0.1:{azure.port}"
            known = {"azure_endpoint": where, "api_key": "k", "api_version": OLD, "max_retries": 0}
            return opened.enter_context(openai.AzureOpenAI(**{**known, **fields}))

        yield client


def test_the_official_package_is_answered(client: Ask) -> None:
    answer: Any = client().chat.completions.create(model="d", messages=HELLO)
    assert answer.prompt_filter_results[0]["prompt_index"] == 0
    options: Any = {"include_usage": True}
    chunks: Any = list(client().chat.completions.create(model="d", messages=HELLO, stream=True, stream_options=options))
    assert (chunks[0].choices, chunks[0].id, chunks[0].model) == ([], "", "")
    assert chunks[-1].usage.completion_tokens == answer.usage.completion_tokens
    assert [one.id for one in client().models.list()] == ["d"]
    assert client(api_version=NEW).responses.create(model="d", input="hello").output_text


@pytest.mark.parametrize(
    ("fields", "error", "code"),
    [
        ({"api_key": "wrong"}, openai.AuthenticationError, "401"),
        ({"api_key": None, "azure_ad_token": "k"}, openai.AuthenticationError, "401"),
        ({"api_version": "2024"}, openai.BadRequestError, "BadRequest"),
    ],
)
def test_what_is_refused(client: Ask, fields: Any, error: type[openai.APIStatusError], code: str) -> None:
    with pytest.raises(error) as refused:
        client(**fields).chat.completions.create(model="d", messages=HELLO)
    assert refused.value.code == code


def test_another_deployment_is_not_there(client: Ask) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client().chat.completions.create(model="e", messages=HELLO)
    assert refused.value.code == "DeploymentNotFound"


@pytest.mark.parametrize(
    ("path", "query", "found"),
    [
        ("/deployments/d/chat/completions", {}, 404),
        ("/deployments/d/chat/completions", {"api-version": OLD}, Asked(endpoint="/chat/completions", deployment="d")),
        ("/deployments/d/responses", {"api-version": OLD}, 404),
        ("/deployments/d/messages", {"api-version": OLD}, 404),
        ("/chat/completions", {"api-version": OLD}, 404),
        ("/responses", {"api-version": OLD}, 400),
        ("/responses", {"api-version": NEW}, Asked(endpoint="/responses")),
        ("/models", {"api-version": OLD}, Asked(endpoint="/models")),
        ("/v1/messages", {}, 404),
        ("/v1/models", {"api-version": OLD}, 400),
        ("/v1/models", {"api-version": "preview"}, Asked(endpoint="/models", takes_bearer=True)),
    ],
)
def test_where_it_answers(path: str, query: dict[str, str], found: Asked | int) -> None:
    answer = asked(path, query)
    assert (answer.status if isinstance(answer, Refusal) else answer) == found
