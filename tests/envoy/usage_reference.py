"""What the token filter should find in a stream, by parsing every event with Python's parser; and such streams."""

import json
import random
import re
from dataclasses import dataclass
from typing import Any

_LINE_END = re.compile(rb"\r\n|\n|\r")
_DETAILS = ("prompt_tokens_details", "input_tokens_details")
_NESTED = ("message", "response", "error", "x_groq")
DECOYS = (
    'so "usage":{"prompt_tokens":9,"completion_tokens":9} it is',
    '\\"usage\\":{',
    "\\",
    '"',
    '","usage":{"prompt_tokens":7,"completion_tokens":7},"x":"',
    'data: {"choices":[],"usage":{"prompt_tokens":8,"completion_tokens":8}}\n\n',
    "\r\n\r\n",
    "\u2028\u20ac\U0001f600",
    "usage",
    "",
)


@dataclass(slots=True)
class Found:
    """The counts of a stream, each the last one that was said."""

    input: int | None = None
    output: int | None = None
    cached: int = 0
    cache: int = 0
    """What went through the cache beside the input, as Anthropic counts."""

    def words(self) -> str:
        """Write what a report's first words say of it: status, input, output, cached; empty without any usage."""
        if self.input is None and self.output is None:
            return ""
        whole = None if self.input is None else self.input + self.cache
        status = 2 if whole is None or self.output is None else 1
        sides = ["-" if side is None else str(side) for side in (whole, self.output)]
        return " ".join([str(status), *sides, str(self.cached)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Bytes of a provider, and what is right."""

    body: bytes
    unasked: bool
    shown: bytes
    """What the client gets."""
    words: str


def read(body: bytes, *, unasked: bool) -> Stream:
    """Parse every event."""
    found, shown = Found(), b""
    for event in events(body):
        fields = [line[5:].removeprefix(b" ") for line in _LINE_END.split(event) if line.startswith(b"data:")]
        try:
            said = json.loads(b"\n".join(fields))
        except ValueError:
            said = None
        if isinstance(said, dict):
            _take(found, said)
            if unasked and isinstance(said.get("usage"), dict) and not said.get("choices") and not said.get("error"):
                continue
        shown += event
    return Stream(body=body, unasked=unasked, shown=shown, words=found.words())


def events(body: bytes) -> list[bytes]:
    """Cut a stream behind each empty line."""
    cut, begun, line = [], 0, 0
    for end in _LINE_END.finditer(body):
        if end.start() == line and line > begun:
            cut.append(body[begun : end.end()])
            begun = end.end()
        line = end.end()
    return [*cut, body[begun:]]


def _take(found: Found, said: dict[str, Any]) -> None:
    for name, value in said.items():
        if name == "usage" and isinstance(value, dict):
            _count(found, value, begun=False)
        elif name in _NESTED and isinstance(value, dict) and isinstance(value.get("usage"), dict):
            _count(found, value["usage"], begun=name == "message")


def _count(found: Found, usage: dict[str, Any], *, begun: bool) -> None:
    tokens = usage.get("prompt_tokens", usage.get("input_tokens"))
    found.input = found.input if tokens is None else tokens
    if not begun:
        found.output = usage.get("completion_tokens", usage.get("output_tokens", found.output))
    for name in _DETAILS:
        found.cached = usage.get(name, {}).get("cached_tokens", found.cached)
    if "cache_read_input_tokens" in usage:
        found.cached = usage["cache_read_input_tokens"]
        found.cache = found.cached + usage.get("cache_creation_input_tokens", 0)


@dataclass(slots=True)
class Maker:
    """Makes streams from a seed."""

    rng: random.Random
    end: bytes = b"\n"
    detailed: bool = False

    def stream(self, *, large: int = 0) -> Stream:
        """Make one; with `large`, one of its events is that long."""
        self.end = self.rng.choice((b"\n", b"\n", b"\r\n", b"\r"))
        self.detailed = self.rng.random() < 0.3
        dialect = self.rng.choice((self._chat, self._chat, self._messages, self._responses))
        said = dialect()
        if large:
            picture = {
                "choices": [{"index": 0, "delta": {"image": self._text() + "QUJD" * (large // 4)}}],
                "usage": None,
            }
            said.insert(self.rng.randrange(len(said)), picture)
        body = b"".join(self._framed(one) for one in said)
        if not body or self.rng.random() < 0.8:
            body += b"data: [DONE]" + self.end * self.rng.choice((2, 2, 2, 1, 0))
        return read(body, unasked=dialect == self._chat and self.rng.random() < 0.7)

    def _chat(self) -> list[dict[str, Any]]:
        running = self.rng.random() < 0.3
        said: list[dict[str, Any]] = []
        for number in range(self.rng.randrange(6)):
            delta: dict[str, Any] = {"choices": [{"index": 0, "delta": {"content": self._text()}}]}
            if running:
                delta["usage"] = self._counts(number)
            elif self.rng.random() < 0.3:
                delta["usage"] = None
            elif self.rng.random() < 0.2:
                delta["tools"] = [{"parameters": {"usage": {"prompt_tokens": 1, "completion_tokens": 1}}}]
            said.append(self._shuffled({"id": "c", **delta}))
        for number in range(self.rng.choice((0, 1, 1, 1, 2))):
            last = {"id": "c", "choices": self.rng.choice(([], [], None)), "usage": self._counts(50 + number)}
            said.append(self._shuffled(last))
        return said

    def _messages(self) -> list[dict[str, Any]]:
        start = {
            "input_tokens": self.rng.randrange(1000),
            "cache_creation_input_tokens": self.rng.randrange(100),
            "cache_read_input_tokens": self.rng.randrange(100),
            "output_tokens": 1,
        }
        said: list[dict[str, Any]] = [{"type": "message_start", "message": {"id": "m", "usage": start}}]
        texts = [{"type": "text_delta", "text": self._text()} for _ in range(self.rng.randrange(4))]
        said += [{"type": "content_block_delta", "delta": text} for text in texts]
        if self.rng.random() < 0.8:
            usage = {"output_tokens": self.rng.randrange(1000)}
            said.append({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage})
            said.append({"type": "message_stop"})
        return said

    def _responses(self) -> list[dict[str, Any]]:
        usage = {
            "input_tokens": self.rng.randrange(1000),
            "input_tokens_details": {"cached_tokens": self.rng.randrange(9)},
            "output_tokens": self.rng.randrange(1000),
        }
        deltas = [{"type": "response.output_text.delta", "delta": self._text()} for _ in range(self.rng.randrange(4))]
        tools = [{"usage": {"input_tokens": 1}}]
        response = self._shuffled({"id": "r", "tools": tools, "output": [{"text": self._text()}], "usage": usage})
        begun = {"type": "response.created", "response": {"id": "r", "tools": tools, "usage": None}}
        return [begun, *deltas, {"type": "response.completed", "response": response}]

    def _counts(self, number: int) -> dict[str, Any]:
        counts: dict[str, Any] = {"prompt_tokens": 11, "completion_tokens": number, "total_tokens": 11 + number}
        if self.detailed:
            counts["prompt_tokens_details"] = {"cached_tokens": 4}
        return self._shuffled(counts)

    def _text(self) -> str:
        return "".join(self.rng.choice(DECOYS) for _ in range(self.rng.randrange(4)))

    def _shuffled(self, members: dict[str, Any]) -> dict[str, Any]:
        names = list(members)
        self.rng.shuffle(names)
        return {name: members[name] for name in names}

    def _framed(self, event: dict[str, Any]) -> bytes:
        separators = self.rng.choice(((",", ":"), (", ", ": "), (" , ", " : ")))
        text = json.dumps(event, separators=separators, ensure_ascii=self.rng.random() < 0.5).encode()
        if self.rng.random() < 0.1:  # data over several lines
            text = text.replace(b'"id"', b"\n" + b'"id"', 1)
        before = self.rng.choice((b"", b"", b"", b"event: chunk\n", b": waiting\n", b"id: 7\n", b": waiting\n\n"))
        prefix = self.rng.choice((b"data: ", b"data: ", b"data:"))
        lines = before + prefix + text.replace(b"\n", b"\n" + prefix) + b"\n\n"
        return lines.replace(b"\n", self.end)
