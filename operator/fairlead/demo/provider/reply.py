"""The answer before it has a shape: what was asked, which tokens come back, what they cost.

Deterministic: the same question gets the same bytes. A token is a word of the answer, or four bytes of the prompt.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

CREATED = 1_700_000_000
"""The time of every answer, in Unix seconds: answers do not depend on a clock."""
BYTES_PER_TOKEN = 4
WORDS = (
    "is",
    "what",
    "this",
    "simulated",
    "provider",
    "says",
    "word",
    "by",
    "word",
    "until",
    "the",
    "count",
    "is",
    "met",
)
MAX_DEPTH = 8
"""How deep a sample follows a JSON schema: enough for tests, and the end of recursive ones."""


class Finish(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that the caller offers."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A checked request, whichever endpoint it came to."""

    model: str
    stream: bool = False
    include_usage: bool = False
    """Whether a chat or completions stream ends with a usage chunk; the other shapes always carry usage."""
    prompt_tokens: int = 1
    limit: int | None = None
    """Most output tokens that the request allows."""
    wanted: int | None = None
    """Output tokens that the request asks for by `metadata.completion_tokens`: how the replay sets sizes."""
    choices: int = 1
    tool: Tool | None = None
    """The function to call, if one must be."""
    also: tuple[Tool, ...] = ()
    """Functions to call at once with it, in shapes that have several."""
    marked: bool = False
    """Whether the request marks what is to be kept in a cache, where only that counts as cached."""
    schema: Mapping[str, Any] | None = None
    """JSON mode: the schema that the text follows; empty for any object."""
    stops: tuple[str, ...] = ()
    """Texts that end the answer before they are said."""
    thinks: bool = False
    """Whether the model says what it thinks, in shapes that have a place for it."""
    previous: str | None = None
    """The id of an answer that this one goes on from, of responses."""
    stored: bool = False
    """Whether others may go on from its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one answer, cached ones included in `prompt`."""

    prompt: int
    cached: int
    completion: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer as tokens."""

    id: str
    model: str
    pieces: tuple[str, ...]
    """The text, or the arguments of the tool call, cut into tokens."""
    tool: Tool | None
    also: Mapping[str, str]
    """What else is called at once: the arguments, by the function's name."""
    finish: Finish
    stopped_by: str | None
    """Which of `Question.stops` ended it."""
    thought: str
    """What the model says that it thinks; empty for nothing."""
    choices: int
    usage: Usage | None
    """None: the provider leaves usage out."""

    @property
    def text(self) -> str:
        """The whole text (or arguments)."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a provider answers when no fault is set."""

    region: str
    answer_tokens: int
    """Output tokens when the request names no number of its own."""
    cached_percent: int
    """Share of the prompt that counts as cached."""


def tokens_of(text: str) -> int:
    """Count the tokens of a piece of prompt: one per four bytes, at least one."""
    return max(1, -(-len(text.encode(errors="surrogatepass")) // BYTES_PER_TOKEN))


def answer(question: Question, habits: Habits, *, number: int, usage: bool) -> Reply:
    """Answer a question: the first token names region and model, so that a reader sees who spoke."""
    pieces, finish = _pieces(question, habits)
    pieces, stopped_by = _stopped(pieces, question.stops if question.tool is None else ())
    completion = len(pieces) * question.choices
    cached = question.prompt_tokens * habits.cached_percent // 100
    spent = Usage(prompt=question.prompt_tokens, cached=cached, completion=completion)
    return Reply(
        id=f"{number:024x}",
        model=question.model,
        pieces=pieces,
        tool=question.tool,
        also={
            one.name: json.dumps(sample(one.parameters, f"{habits.region}/{question.model}")) for one in question.also
        },
        finish=Finish.STOP if stopped_by is not None else finish,
        stopped_by=stopped_by,
        thought=f"{habits.region}/{question.model} thinks" if question.thinks else "",
        choices=question.choices,
        usage=spent if usage else None,
    )


def _pieces(question: Question, habits: Habits) -> tuple[tuple[str, ...], Finish]:
    who = f"{habits.region}/{question.model}"
    if question.tool is not None:
        return _cut(json.dumps(sample(question.tool.parameters, who))), Finish.TOOL_CALLS
    if question.schema is not None:
        wanted = sample(question.schema, who) if question.schema else {"answer": who}
        return _limited(_cut(json.dumps(wanted)), question.limit)
    count = habits.answer_tokens if question.wanted is None else question.wanted
    most = count if question.limit is None else min(count, question.limit)
    words = tuple(" " + WORDS[index % len(WORDS)] for index in range(max(most - 1, 0)))
    pieces = (who, *words)[:most]
    return pieces, Finish.LENGTH if most < count else Finish.STOP


def _stopped(pieces: tuple[str, ...], stops: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    """Cut an answer before the first text that ends it, and say which that is."""
    text = "".join(pieces)
    found = [(at, stop) for stop in stops if (at := text.find(stop)) >= 0]
    if not found:
        return pieces, None
    end, by = min(found)
    kept: list[str] = []
    for piece in pieces:
        if end > 0:
            kept.append(piece[:end])
        end -= len(piece)
    return tuple(kept), by


def _limited(pieces: tuple[str, ...], limit: int | None) -> tuple[tuple[str, ...], Finish]:
    if limit is None or limit >= len(pieces):
        return pieces, Finish.STOP
    return pieces[:limit], Finish.LENGTH


def _cut(text: str) -> tuple[str, ...]:
    return tuple(text[at : at + BYTES_PER_TOKEN] for at in range(0, len(text), BYTES_PER_TOKEN))


def sample(schema: Mapping[str, Any], word: str) -> Any:
    """Make a value that a JSON schema accepts; strings are `word`. Covers what tools and JSON mode use."""
    return _sample(schema, word, schema, 0)


def _sample(schema: Mapping[str, Any], word: str, root: Mapping[str, Any], depth: int) -> Any:
    if depth > MAX_DEPTH:
        return None
    redirected = _redirected(schema, root)
    if redirected is not None:
        return _sample(redirected, word, root, depth + 1)
    if "const" in schema or schema.get("enum"):
        return schema["const"] if "const" in schema else schema["enum"][0]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        wanted = schema.get("properties", {})
        return {name: _sample(each, word, root, depth + 1) for name, each in wanted.items()}
    if kind == "array":
        return [_sample(schema.get("items", {}), word, root, depth + 1)]
    plain: dict[str, Any] = {"integer": 7, "number": 7.5, "boolean": True, "null": None}
    return plain.get(kind, word)


def _redirected(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Follow a reference into `$defs`, or take the first of alternatives."""
    if "$ref" in schema:
        found: Mapping[str, Any] = root.get("$defs", {}).get(str(schema["$ref"]).rpartition("/")[2], {})
        return found
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    return alternatives[0] if alternatives else None
