"""Images, speech, orders and moderations: the official client at a real gateway, booked to the nano-dollar."""

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import openai
import pytest
from running_up import CREDENTIAL, RunningUp, Site, consumer, provider, route, secret, until

from budget.client import budget, request, spent, usage, window_with_room
from budget.conftest import IN_TIME, KEY
from fairlead.adapters.gateway_metrics import HttpGatewayMetrics
from fairlead.demo.provider import SimulatedProvider
from fairlead.demo.provider.beside import IMAGE_TOKENS, SOUND
from fairlead.demo.provider.form import WORDS
from fairlead.runtime import rehearsal, requests
from fairlead.runtime.rehearsal import Counted, between
from fairlead.runtime.requests import Wanted
from fairlead.standalone import request_logs, status
from fairlead.standalone.state import StateFolder

pytestmark = pytest.mark.envoy
USD = 10**9
PRICED: dict[str, dict[str, Any]] = {
    "dall-e-3": {"type": "Image", "usdPerImage": "0.04"},
    "gpt-image-1": {"type": "Image", "usdPerMillionTokens": {"input": "5", "imageInput": "10", "output": "40"}},
    "gpt-image-plain": {"type": "Image", "usdPerMillionTokens": {"input": "5", "output": "40"}},
    "gpt-image-dear": {"type": "Image", "usdPerMillionTokens": {"input": "5", "imageInput": "700", "output": "40"}},
    "tts-1": {"type": "Audio", "usdPerMillionCharacters": "15"},
    "gpt-4o-mini-tts": {"type": "Audio", "usdPerMillionTokens": {"input": "0.6", "output": "12"}},
    "whisper-1": {"type": "Audio", "usdPerMinute": "0.006"},
    "whisper-second": {"type": "Audio", "usdPerMinute": "0.012", "id": 'whisper-2: "b"'},
    "gpt-4o-transcribe": {
        "type": "Audio",
        "usdPerMillionTokens": {"input": "2.5", "output": "10", "audioInput": "6"},
        "maxOutputTokens": 2000,
    },
    "rerank-v3.5": {"type": "Rerank", "usdPerThousandSearches": "2"},
    "jina-reranker": {"type": "Rerank", "usdPerMillionTokens": {"input": "0.02"}},
    "jina-dear": {"type": "Rerank", "usdPerMillionTokens": {"input": "20"}},
    "omni-moderation": {"type": "Moderation", "usdPerMillionTokens": {"input": "0"}},
    "dall-e-dear": {"type": "Image", "usdPerImage": "100"},
}


@pytest.fixture(scope="module")
def sim() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(
        models=("m",), beside_models=tuple(one.get("id", name) for name, one in PRICED.items()), keys=(CREDENTIAL,)
    ) as sim:
        yield sim


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, sim: SimulatedProvider) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    site.write_config(budgets=IN_TIME)
    made = provider(sim.base_url, "m", name="p")
    made["spec"]["models"] += [{"name": name, **priced} for name, priced in PRICED.items()]
    site.write("provider.yaml", made, secret("p", key=CREDENTIAL))
    site.write("route.yaml", *(route(name.replace(".", "-"), name, provider="p") for name in ("m", *PRICED)))
    heard = route("heard", "whisper-1", provider="p", fallbacks=[{"provider": "p", "model": "whisper-second"}])
    site.write("heard.yaml", heard)
    site.write("consumer.yaml", consumer("agent", "k"), secret("agent", k=KEY))
    site.write("budget.yaml", budget(usd="10", window=window_with_room()))
    with RunningUp(site) as running:
        running.serving()
        yield site


@pytest.fixture(scope="module")
def port(site: Site) -> int:
    return site.ports[0]


@pytest.fixture
def client(port: int, sim: SimulatedProvider) -> Iterator[openai.OpenAI]:
    sim.control.clear()
    sim.control.reset()
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, max_retries=0, timeout=20) as client:
        yield client
    assert sim.control.stats().problems == {}, "the provider had to refuse something"


@pytest.fixture
def booked(port: int) -> Callable[[int], None]:
    before = until(lambda: _settled(port), "something is reserved")

    def wait(nanodollars: int) -> None:
        found = until(lambda: _settled(port), "something is reserved")
        if found == before and nanodollars:  # the report is on its way
            until(lambda: _settled(port) not in {None, before}, "nothing was booked")
        until(lambda: spent(port) >= before[0] + nanodollars, f"{spent(port) - before[0]} booked, want {nanodollars}")
        assert spent(port) - before[0] == nanodollars

    return wait


def _estimated(port: int) -> int:
    return round(usage(port)["budget"]["estimated"] * USD)


def _settled(port: int) -> tuple[int] | None:
    found = spent(port)
    return None if found < 0 else (found,)


def test_images_at_a_price_each(client: openai.OpenAI, booked: Callable[[int], None]) -> None:
    answer = client.images.generate(model="dall-e-3", prompt="a boat", n=3)
    assert len(answer.data or ()) == 3
    booked(3 * 40_000_000)


def test_images_by_tokens(client: openai.OpenAI, booked: Callable[[int], None]) -> None:
    answer = client.images.generate(model="gpt-image-1", prompt="a boat", n=2)
    assert answer.usage is not None
    assert answer.usage.output_tokens == 2 * IMAGE_TOKENS
    events = list(client.images.generate(model="gpt-image-1", prompt="a boat", stream=True, partial_images=1))
    assert [event.type for event in events] == ["image_generation.partial_image", "image_generation.completed"]
    booked(2 * 5000 * answer.usage.input_tokens + 3 * IMAGE_TOKENS * 40_000)


def test_images_that_nobody_counted_are_estimated(
    client: openai.OpenAI, booked: Callable[[int], None], sim: SimulatedProvider
) -> None:
    sim.control.fault(usage=False)
    client.images.generate(model="dall-e-3", prompt="a boat")
    booked(40_000_000)


def test_speech_is_billed_by_its_characters_and_passes_as_it_came(
    client: openai.OpenAI, booked: Callable[[int], None], sim: SimulatedProvider
) -> None:
    text = 'Grüße, "你好" 😀\n'
    answer = client.audio.speech.create(model="tts-1", voice="alloy", input=text, speed=1.5)
    assert answer.read() == SOUND
    assert answer.response.headers["content-type"] == "audio/mpeg"
    assert sim.control.requests()[-1].target == "/v1/audio/speech"
    booked(15_000 * len(text))


def test_a_stream_of_speech_tells_its_tokens(client: openai.OpenAI, booked: Callable[[int], None]) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input="one two three", stream_format="sse"
    ) as answer:
        text = "".join(answer.iter_text())
    assert '"speech.audio.done"' in text
    booked(4 * 600 + 20 * 12_000)


@pytest.mark.parametrize(("documents", "searches"), [(1, 1), (100, 1), (101, 2)])
def test_searches(port: int, booked: Callable[[int], None], documents: int, searches: int) -> None:
    body = {"model": "rerank-v3-5", "query": "boats", "documents": ["a [boat], {two}"] * documents, "top_n": 1}
    answer = request(port, "POST", "/v1/rerank", body)
    assert answer.status == 200, answer.body
    assert [one["index"] for one in answer.json["results"]] == [0]
    booked(searches * 2_000_000)


def test_an_order_by_tokens(port: int, booked: Callable[[int], None]) -> None:
    answer = request(port, "POST", "/v1/rerank", {"model": "jina-reranker", "query": "a boat", "documents": ["b", "c"]})
    booked(20 * answer.json["usage"]["total_tokens"])


def test_an_order_by_tokens_reserves_the_query_once_for_each_document(port: int, sim: SimulatedProvider) -> None:
    sim.control.clear()
    sim.control.reset()
    body = {"model": "jina-dear", "query": "a boat " * 100, "documents": ["b"] * 1000}
    answer = request(port, "POST", "/v1/rerank", body)
    assert (answer.status, answer.json["error"]["code"]) == (429, "insufficient_quota"), answer.body
    assert sim.control.stats().requests == 0


def test_moderations_are_free(client: openai.OpenAI, booked: Callable[[int], None]) -> None:
    assert client.moderations.create(model="omni-moderation", input=["one", "two"]).results[1].flagged is False
    parts: Any = [{"type": "text", "text": "one"}]
    assert len(client.moderations.create(model="omni-moderation", input=parts).results) == 1
    booked(0)


AUDIO = b"RIFF\r\n--x\r\n" + bytes(range(256)) * 10


def test_minutes(client: openai.OpenAI, booked: Callable[[int], None], sim: SimulatedProvider) -> None:
    answer = client.audio.transcriptions.create(model="whisper-1", file=("Übung 1.mp3", AUDIO), language="en")
    assert answer.text == WORDS
    seconds = -(-len(AUDIO) // 1000)
    booked(seconds * 100_000)
    record = sim.control.requests()[-1]
    assert record.target == "/v1/audio/transcriptions"
    assert AUDIO in record.body


def test_a_form_goes_on_to_the_next_rung_with_its_model(
    client: openai.OpenAI, booked: Callable[[int], None], sim: SimulatedProvider
) -> None:
    sim.control.fault(status=503, model="whisper-1")
    answer = client.audio.transcriptions.with_raw_response.create(model="heard", file=("a.mp3", AUDIO))
    assert answer.headers["x-fairlead-target"] == "p/one/whisper-second"
    booked(-(-len(AUDIO) // 1000) * 200_000)
    first, second = sim.control.requests()
    assert (first.model, second.model) == ("whisper-1", PRICED["whisper-second"]["id"])
    assert second.body == first.body.replace(b"whisper-1", second.model.encode())


def test_minutes_by_the_duration_of_a_verbose_answer(client: openai.OpenAI, booked: Callable[[int], None]) -> None:
    with pytest.warns(DeprecationWarning, match="deprecated"):
        client.audio.translations.create(model="whisper-1", file=("a.mp3", AUDIO), response_format="verbose_json")
    booked(len(AUDIO) * 100)


def test_a_transcription_that_is_plain_text_is_estimated(client: openai.OpenAI, booked: Callable[[int], None]) -> None:
    answer = client.audio.transcriptions.create(model="whisper-1", file=("a.mp3", AUDIO), response_format="vtt")
    assert answer == f"{WORDS}\n"
    booked(-(-len(AUDIO) * 1000 // 2000) * 100)


def test_transcriptions_by_tokens_whole_and_streamed(client: openai.OpenAI, booked: Callable[[int], None]) -> None:
    tokens = -(-len(AUDIO) // 100)
    answer: Any = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.mp3", AUDIO), prompt="names")
    assert answer.usage.input_token_details.audio_tokens == tokens
    text = answer.usage.input_token_details.text_tokens
    stream = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.mp3", AUDIO), stream=True)
    assert [event.type for event in stream] == ["transcript.text.delta", "transcript.text.done"]
    booked(2 * (tokens * 6000 + 4 * 10_000) + (text + 1) * 2500)


def test_edits(client: openai.OpenAI, booked: Callable[[int], None], sim: SimulatedProvider) -> None:
    images = [("a.png", AUDIO, "image/png"), ("b.png", b"\x89PNG", "image/png")]
    answer = client.images.edit(model="gpt-image-1", image=images, prompt="a boat", n=2)
    assert len(answer.data or ()) == 2
    assert answer.usage is not None
    text = answer.usage.input_tokens - 2 * IMAGE_TOKENS
    whole = text * 5000 + 2 * IMAGE_TOKENS * (10_000 + 40_000)
    booked(whole)
    client.images.edit(model="dall-e-3", image=images[0], prompt="a boat", n=3)
    booked(whole + 3 * 40_000_000)
    assert sim.control.requests()[-1].target == "/v1/images/edits"


def test_images_that_go_in_without_a_price_cost_as_text_and_count_as_estimated(
    client: openai.OpenAI, port: int, booked: Callable[[int], None]
) -> None:
    before = _estimated(port)
    generated = client.images.generate(model="gpt-image-plain", prompt="a boat")
    assert generated.usage is not None
    made = generated.usage.input_tokens * 5000 + IMAGE_TOKENS * 40_000
    booked(made)
    assert _estimated(port) == before, "no image went in"
    answer = client.images.edit(model="gpt-image-plain", image=("a.png", AUDIO, "image/png"), prompt="a boat")
    assert answer.usage is not None
    cost = answer.usage.input_tokens * 5000 + IMAGE_TOKENS * 40_000
    booked(made + cost)
    assert _estimated(port) - before == cost


def test_images_that_go_in_are_reserved_at_their_own_price(client: openai.OpenAI, sim: SimulatedProvider) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.images.edit(model="gpt-image-dear", image=("a.png", AUDIO, "image/png"), prompt="a boat")
    assert caught.value.code == "insufficient_quota"
    assert sim.control.stats().requests == 0


def test_a_form_of_speech_alone_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="`tts-1` is a model of speech and is not supported"):
        client.audio.transcriptions.create(model="tts-1", file=("a.mp3", AUDIO))
    with pytest.raises(openai.NotFoundError, match="`whisper-1` is a model of transcriptions"):
        client.audio.speech.create(model="whisper-1", voice="alloy", input="a")


def test_what_does_not_fit_is_refused_before(client: openai.OpenAI, sim: SimulatedProvider) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.images.generate(model="dall-e-dear", prompt="a boat")
    assert caught.value.code == "insufficient_quota"
    assert sim.control.stats().requests == 0


@pytest.mark.parametrize("n", [0, "2", 1.5])
def test_a_number_of_images_is_a_number(port: int, n: object) -> None:
    answer = request(port, "POST", "/v1/images/generations", {"model": "dall-e-3", "prompt": "a", "n": n})
    assert (answer.status, answer.json["error"]["code"]) == (400, "invalid_n")


def test_models_of_another_type_are_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.images.generate(model="tts-1", prompt="a boat")
    assert "`tts-1` is a model of speech and is not supported at /v1/images/generations" in str(caught.value)
    with pytest.raises(openai.NotFoundError, match="`m` is not a moderation model"):
        client.moderations.create(model="m", input="a")
    with pytest.raises(openai.NotFoundError, match="`tts-1` is a model of speech"):
        client.chat.completions.create(model="tts-1", messages=[])


def test_log_lines_have_the_units_and_what_they_cost(
    client: openai.OpenAI, port: int, site: Site, booked: Callable[[int], None]
) -> None:
    folder = StateFolder(root=site.state)
    prices = request_logs.prices(folder)
    before = counted_by_gateways(folder)
    client.images.generate(model="dall-e-3", prompt="a boat", n=2)
    client.audio.speech.create(model="tts-1", voice="alloy", input="Grüße")
    client.audio.transcriptions.create(model="whisper-1", file=("a.mp3", AUDIO))
    request(port, "POST", "/v1/rerank", {"model": "rerank-v3-5", "query": "boats", "documents": ["a"] * 101})
    span = between(before, counted_by_gateways(folder), prices)
    assert (span.nanodollars, span.uncounted) == (80_000_000 + 75_000 + 300_000 + 4_000_000, 0)
    client.images.edit(model="gpt-image-1", image=("a.png", AUDIO, "image/png"), prompt="a boat")
    client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.mp3", AUDIO))
    client.audio.transcriptions.create(model="whisper-1", file=("a.mp3", AUDIO), response_format="vtt")
    client.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input="one", extra_body={"stream_format": "sse"})
    assert between(before, counted_by_gateways(folder), prices).uncounted == 1

    def logged() -> list[dict[str, Any]]:
        found = request_logs.newest(folder, Wanted(), count=8)
        return [requests.document(one, prices) for one in found if one.line is not None]

    until(lambda: [one["model"] for one in logged()][-1:] == ["gpt-4o-mini-tts"] and len(logged()) == 8)
    images, speech, minutes, searches, edit, by_tokens, subtitles, streamed = logged()
    assert [images["units"], images["usd"]] == [{"unit": "image", "count": 2}, "0.08"]
    assert [speech["units"], speech["usd"]] == [{"unit": "character", "count": 5}, "0.000075"]
    assert [searches["units"], searches["usd"]] == [{"unit": "search", "count": 2}, "0.004"]
    assert [minutes["units"], minutes["usd"]] == [{"unit": "millisecond", "count": 3000}, "0.0003"]
    assert requests.lines(minutes, whole=False)[0].count("  3 s of audio  $0.0003  ") == 1
    assert streamed["units"] == {"unit": "character", "count": 3}
    assert None not in (edit["usd"], streamed["usd"], by_tokens["usd"])
    assert (subtitles["units"], subtitles["usd"]) == (None, None), "nobody counted: a budget estimates it"
    estimated = -(-len(AUDIO) * 1000 // 2000) * 100
    booked(estimated + sum(int(Decimal(one["usd"]) * USD) for one in logged() if one["usd"]))


def counted_by_gateways(folder: StateFolder) -> Counted:
    document = status.read(folder)
    assert document is not None
    places = [region["metrics"] for region in document["regions"]]

    async def read() -> Counted:
        async with HttpGatewayMetrics() as metrics:
            return await rehearsal.read(metrics, places)

    return asyncio.run(read())


def test_what_a_provider_keeps_is_refused_by_name(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="does not serve /v1/batches: a provider keeps") as caught:
        client.batches.list()
    assert caught.value.code == "unsupported_endpoint"
    with pytest.raises(openai.NotFoundError, match="does not serve /v1/files"):
        client.files.create(file=b"a", purpose="batch")
