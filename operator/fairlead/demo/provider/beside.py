"""Endpoints beside chat and vectors: images, speech, an order of documents, moderations. Strict as the real ones.

Shapes are those of OpenAI's reference, and of Cohere's and Jina's for `/rerank`. Fields that no table names are
refused, as OpenAI does at these endpoints.
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.demo.provider import check
from fairlead.demo.provider.reply import CREATED, tokens_of
from fairlead.demo.provider.sse import data

IMAGE_TOKENS = 272
"""Of each image that a `gpt-image` makes; others tell no tokens."""
SOUND = (
    bytes(range(256)) * 40
    + b'\r\n\r\ndata: {"usage":{"input_tokens":9}}\n\n{"usage":{"output_tokens":9}}'
    + b"\0\xff" * 50
)
"""What is heard: bytes of every kind, and some that look like an event."""
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(64)).decode()
_VOICES = ("alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse")
_PER_SEARCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideQuestion:
    """A checked request to one of these endpoints, and its answer without usage."""

    model: str
    body: Mapping[str, Any] = field(default_factory=dict)
    sound: bytes = b""
    """The answer, where it is no JSON."""
    usage: Mapping[str, Any] | None = None
    """None: the API tells none."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """What is billed, where that is told apart from usage."""
    events: tuple[Mapping[str, Any], ...] = ()
    """Of a stream; the last one tells the usage."""
    media_type: str = "application/json"
    """Of the sound."""

    @property
    def stream(self) -> bool:
        """Whether the answer is a stream of events."""
        return bool(self.events)


def whole(question: BesideQuestion, *, usage: bool) -> dict[str, Any]:
    """Shape an answer in JSON."""
    told = {
        **({"usage": question.usage} if question.usage else {}),
        **({"meta": question.meta} if question.meta else {}),
    }
    return {**question.body, **(told if usage else {})}


def stream(question: BesideQuestion, *, usage: bool) -> Iterator[bytes]:
    """Shape a stream."""
    *events, last = question.events
    for event in (*events, {**last, **({"usage": question.usage} if usage else {})}):
        yield f"event: {event['type']}\n".encode() + data(event)


_IMAGE: Mapping[str, check.Check] = {
    "model": check.name,
    "prompt": check.name,
    "n": check.integer(1, 10),
    "size": check.one_of("auto", "256x256", "512x512", "1024x1024", "1536x1024", "1024x1536", "1792x1024", "1024x1792"),
    "quality": check.one_of("auto", "low", "medium", "high", "standard", "hd"),
    "response_format": check.one_of("url", "b64_json"),
    "style": check.one_of("vivid", "natural"),
    "background": check.one_of("auto", "transparent", "opaque"),
    "moderation": check.one_of("auto", "low"),
    "output_format": check.one_of("png", "jpeg", "webp"),
    "output_compression": check.integer(0, 100),
    "partial_images": check.integer(0, 3),
    "stream": check.boolean,
    "user": check.string,
}


def read_images(body: Mapping[str, Any]) -> BesideQuestion:
    """Check a request for images."""
    _known(body, _IMAGE, "model", "prompt")
    by_tokens = "gpt-image" in body["model"]
    return images(body, by_tokens=by_tokens, input_tokens=tokens_of(body["prompt"]))


def images(body: Mapping[str, Any], *, by_tokens: bool, input_tokens: int, image_tokens: int = 0) -> BesideQuestion:
    """Answer with as many images as are asked for."""
    if by_tokens and body.get("response_format") is not None:
        raise check.Malformed("Unknown parameter: 'response_format'.", "response_format")
    if not by_tokens and body.get("stream"):
        raise check.Malformed("Unknown parameter: 'stream'.", "stream")
    count = body.get("n") or 1
    in_text = by_tokens or body.get("response_format") == "b64_json"
    image = (
        {"b64_json": PIXEL} if in_text else {"url": "https://images.example.com/1.png", "revised_prompt": "a picture"}
    )
    inputs, outputs = input_tokens + image_tokens, count * IMAGE_TOKENS
    usage = {
        "input_tokens": inputs,
        "input_tokens_details": {"text_tokens": input_tokens, "image_tokens": image_tokens},
        "output_tokens": outputs,
        "total_tokens": inputs + outputs,
    }
    made = {"type": "image_generation.completed", "b64_json": PIXEL, "created_at": CREATED}
    partial = {"type": "image_generation.partial_image", "b64_json": PIXEL, "partial_image_index": 0}
    return BesideQuestion(
        model=body["model"],
        body={"created": CREATED, "data": [image] * count},
        usage=usage if by_tokens else None,
        events=(*[partial] * (body.get("partial_images") or 0), made) if body.get("stream") else (),
    )


_SPEECH: Mapping[str, check.Check] = {
    "model": check.name,
    "input": check.name,
    "voice": check.one_of(*_VOICES),
    "instructions": check.string,
    "response_format": check.one_of("mp3", "opus", "aac", "flac", "wav", "pcm"),
    "speed": check.number(0.25, 4.0),
    "stream_format": check.one_of("sse", "audio"),
}


def read_speech(body: Mapping[str, Any]) -> BesideQuestion:
    """Check a request for speech: at most 4096 characters."""
    _known(body, _SPEECH, "model", "input", "voice")
    if len(body["input"]) > 4096:  # noqa: PLR2004 - OpenAI's reference
        raise check.Malformed("Invalid 'input': string too long. Expected at most 4096 characters.", "input")
    inputs = tokens_of(body["input"])
    sse = body.get("stream_format") == "sse"
    if sse and body["model"].startswith("tts"):
        raise check.Malformed("stream_format 'sse' is not supported by this model", "stream_format")
    delta = {"type": "speech.audio.delta", "audio": base64.b64encode(SOUND).decode()}
    return BesideQuestion(
        model=body["model"],
        sound=SOUND,
        usage={"input_tokens": inputs, "output_tokens": 20, "total_tokens": inputs + 20},
        events=(delta, {"type": "speech.audio.done"}) if sse else (),
        media_type="audio/mpeg",
    )


_RERANK: Mapping[str, check.Check] = {
    "model": check.name,
    "query": check.name,
    "documents": check.sequence(
        check.either("a string or an object", {str: check.string, dict: check.shape({"text": check.string}, "text")}),
        least=1,
        most=1000,
    ),
    "top_n": check.integer(1),
    "max_tokens_per_doc": check.integer(1),
    "return_documents": check.boolean,
}


def read_rerank(body: Mapping[str, Any]) -> BesideQuestion:
    """Check a request for an order; models of Jina's count tokens, the others searches, as Cohere's do."""
    _known(body, _RERANK, "model", "query", "documents")
    documents = body["documents"]
    texts = [one if isinstance(one, str) else one["text"] for one in documents]
    results = [{"index": n, "relevance_score": round(1 / (n + 2), 6)} for n in range(len(documents))]
    results = results[: body.get("top_n") or len(results)]
    if body["model"].startswith("jina"):
        total = tokens_of(body["query"]) * len(texts) + sum(map(tokens_of, texts))
        shaped = {"model": body["model"], "object": "list", "results": results}
        return BesideQuestion(model=body["model"], body=shaped, usage={"total_tokens": total})
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": -(-len(documents) // _PER_SEARCH)}}
    return BesideQuestion(model=body["model"], body={"id": "rerank-1", "results": results}, meta=meta)


_MODERATION: Mapping[str, check.Check] = {
    "model": check.name,
    "input": check.either(
        "a string or an array",
        {
            str: check.string,
            list: check.sequence(
                check.either(
                    "a string or an object", {str: check.string, dict: check.shape({"type": check.name}, "type")}
                ),
                least=1,
            ),
        },
    ),
}
_CATEGORIES = ("harassment", "hate", "self-harm", "sexual", "violence")


def read_moderation(body: Mapping[str, Any]) -> BesideQuestion:
    """Check a request for verdicts, one for each text; the parts of one message have one."""
    _known(body, _MODERATION, "model", "input")
    given = body["input"]
    count = len(given) if isinstance(given, list) and isinstance(given[0], str) else 1
    verdict = {
        "flagged": False,
        "categories": dict.fromkeys(_CATEGORIES, False),
        "category_scores": dict.fromkeys(_CATEGORIES, 0.01),
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }
    shaped = {"id": "modr-1", "model": body["model"], "results": [verdict] * count}
    return BesideQuestion(model=body["model"], body=shaped)


READERS: Mapping[str, Callable[[Mapping[str, Any]], BesideQuestion]] = {
    "/images/generations": read_images,
    "/audio/speech": read_speech,
    "/rerank": read_rerank,
    "/moderations": read_moderation,
}


def _known(body: Mapping[str, Any], table: Mapping[str, check.Check], *required: str) -> None:
    for name in body:
        if name not in table:
            raise check.Malformed(f"Unknown parameter: '{name}'.", name)
    check.fields(body, table, required=required)
