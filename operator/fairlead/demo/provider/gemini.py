"""What Gemini's OpenAI-compatible API does otherwise than OpenAI, as its users and its reference tell it.

It has two endpoints and a list, refuses members that it does not know, counts what a model thought in the total alone,
says what was used in each event of a stream, and wraps errors in a list.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from fairlead.demo.provider.refusal import Code, Refusal
from fairlead.demo.provider.sse import data

ENDPOINTS = frozenset({"/chat/completions", "/embeddings", "/images/generations", "/models"})
THOUGHT = 5
"""Tokens of each answer that are in the total alone."""
FOLDER = "models/"
_STATUSES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
_STATUSES |= {429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}
_UNKNOWN = frozenset({"frequency_penalty", "logit_bias", "logprobs", "metadata", "prediction", "seed", "store"})
"""Of what OpenAI's API takes."""
NO_KEY = Refusal(status=400, code=Code.NO_KEY, message="API key not valid. Please pass a valid API key.")


def unknown(body: Collection[str]) -> Refusal | None:
    """Refuse members that it does not know, each by its name."""
    found = sorted(_UNKNOWN.intersection(body))
    said = (f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.' for name in found)
    return Refusal(status=400, code=Code.MALFORMED_BODY, message="\n".join(said)) if found else None


def error_body(refusal: Refusal) -> list[Any]:
    """Shape an error."""
    error: dict[str, Any] = {
        "code": refusal.status,
        "message": refusal.message,
        "status": _STATUSES.get(refusal.status, "UNKNOWN"),
    }
    if refusal.code is Code.NO_KEY:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        error["details"] = [{"@type": kind, "reason": "API_KEY_INVALID", "domain": "googleapis.com"}]
    return [{"error": error}]


def thoughtful(whole: Mapping[str, Any]) -> dict[str, Any]:
    """Count what was thought."""
    return {**whole, "usage": _counted(whole["usage"])} if "usage" in whole else dict(whole)


def thoughtful_stream(events: Iterator[bytes]) -> Iterator[bytes]:
    """Say what was used in each event, as far as it goes; the one that has nothing else to say is not there."""
    chunks = [json.loads(text) for event in events if (text := event.removeprefix(b"data: ").strip()) != b"[DONE]"]
    usage = next((chunk["usage"] for chunk in chunks if chunk.get("usage")), None)
    said = [chunk for chunk in chunks if chunk["choices"]]
    for number, chunk in enumerate(said, 1):
        bare = {name: value for name, value in chunk.items() if name != "usage"}
        if usage is None:
            yield data(bare)
            continue
        output = usage["completion_tokens"] * number // len(said)
        so_far = {**usage, "completion_tokens": output, "total_tokens": usage["prompt_tokens"] + output}
        yield data({**bare, "usage": _counted(so_far)})
    yield b"data: [DONE]\n\n"


def _counted(usage: Mapping[str, Any]) -> dict[str, Any]:
    sides = {name: usage[name] for name in ("completion_tokens", "prompt_tokens")}
    return {**sides, "total_tokens": usage["total_tokens"] + THOUGHT}
