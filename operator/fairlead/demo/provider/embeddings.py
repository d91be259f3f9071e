"""`POST /embeddings`, in OpenAI's shape: vectors made from a digest of the text."""

import base64
import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.demo.provider import check
from fairlead.demo.provider.reply import tokens_of

DIMENSIONS = 8
"""Length of a vector when the request does not say."""

_numbers = check.sequence(check.integer(0), least=1)
_input_item = check.either("a string or an array", {str: check.name, int: check.integer(0), list: _numbers})
FIELDS: Mapping[str, check.Check] = {
    "model": check.name,
    "input": check.either(
        "a string or an array", {str: check.name, list: check.sequence(_input_item, least=1, most=2048)}
    ),
    "encoding_format": check.one_of("float", "base64"),
    "dimensions": check.integer(1, 4096),
    "user": check.string,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingQuestion:
    """A checked request for vectors."""

    model: str
    texts: tuple[str, ...]
    tokens: int
    dimensions: int
    as_base64: bool


def read(body: Mapping[str, Any]) -> EmbeddingQuestion:
    """Check the body of a request."""
    check.fields(body, FIELDS, required=("model", "input"))
    given = body["input"]
    inputs = [given] if isinstance(given, str) or isinstance(given[0], int) else given
    return EmbeddingQuestion(
        model=body["model"],
        texts=tuple(map(str, inputs)),
        tokens=sum(tokens_of(each) if isinstance(each, str) else len(each) for each in inputs),
        dimensions=body.get("dimensions") or DIMENSIONS,
        as_base64=body.get("encoding_format") == "base64",
    )


def whole(question: EmbeddingQuestion, *, usage: bool) -> dict[str, Any]:
    """Shape the answer."""
    vectors = [_vector(text, question.dimensions) for text in question.texts]
    body: dict[str, Any] = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _packed(each) if question.as_base64 else each}
            for index, each in enumerate(vectors)
        ],
        "model": question.model,
    }
    if usage:
        body["usage"] = {"prompt_tokens": question.tokens, "total_tokens": question.tokens}
    return body


def _vector(text: str, dimensions: int) -> list[float]:
    """Make the same vector for the same text, each number exactly a 32-bit float in [-1, 1)."""
    digest = hashlib.shake_128(text.encode(errors="surrogatepass")).digest(dimensions)
    return [byte / 128 - 1 for byte in digest]


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
