"""The simulated Gemini: strict as the real one, and counting as it counts."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from fairlead.demo.provider import SimulatedProvider
from fairlead.demo.provider.gemini import THOUGHT

HELLO: Any = [{"role": "user", "content": "hello there"}]


@pytest.fixture(name="gemini")
def running_gemini() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("m",), keys=("k",), base="/v1beta/openai", gemini=True) as provider:
        yield provider


@pytest.fixture(name="client")
def official_client(gemini: SimulatedProvider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gemini.base_url, api_key="k", max_retries=0) as client:
        yield client


def test_what_was_thought_is_in_the_total_alone(client: openai.OpenAI) -> None:
    usage = client.chat.completions.create(model="models/m", messages=HELLO).usage
    assert usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens + THOUGHT


def test_each_event_has_counts_as_far_as_they_go(client: openai.OpenAI) -> None:
    options: Any = {"include_usage": True}
    asked = client.chat.completions
    chunks = list(asked.create(model="m", messages=HELLO, stream=True, stream_options=options, max_tokens=9))
    counts = [chunk.usage.completion_tokens for chunk in chunks if chunk.usage]
    assert len(counts) == len(chunks)
    assert counts == sorted(counts)
    assert counts[-1] == 9
    assert all(chunk.choices for chunk in chunks)


def test_a_wrong_key_is_the_requests_fault_there(client: openai.OpenAI) -> None:
    with (
        client.with_options(api_key="wrong") as other,
        pytest.raises(openai.BadRequestError) as refused,
    ):
        other.chat.completions.create(model="m", messages=HELLO)
    (wrapped,) = json.loads(refused.value.response.text)
    assert wrapped["error"]["details"][0]["reason"] == "API_KEY_INVALID"


def test_what_it_does_not_know_is_refused_whatever_it_says(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="m", messages=HELLO, frequency_penalty=0)
    assert 'Unknown name \\"frequency_penalty\\"' in refused.value.response.text
    assert refused.value.message == "Error code: 400", "the package does not find a message in a list"


def test_what_is_not_there(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.completions.create(model="m", prompt="a")
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="m", input="a")
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="nobody", messages=HELLO)
    assert [one.id for one in client.models.list()] == ["models/m"]
