"""What a request is like, in the words of rules: its prompt, its tools, the form and the length that it wants."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.ir import rule
from fairlead.matching.members import Amiss, Pairs, elements, loads, pick

__all__ = ["PATHS", "Amiss", "Prompt", "read"]

PICTURES = frozenset({"image_url", "image", "input_image", "computer_screenshot"})
"""Types of the parts that are pictures."""
JSON_FORMATS = frozenset({"json_object", "json_schema"})
_LEVELS = 3
"""Contents in contents: a message's parts, a tool's result, a document in it."""
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict")
_COUNTS = ("n", "best_of", "n_cmpl")
_BODY = ("model", "stream", *_LIMITS, *_COUNTS, "prompt", "tools", "messages", "system", "instructions", "input")
_FORMS = ("response_format", "text", "output_config", "output_format")
_MESSAGE = ("role", "content", "tool_calls", "arguments", "output", "input", "type", "text")
_PART = ("type", "text", "refusal", "content", "input", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Endpoint:
    """Where requests of a path have what is looked at."""

    prompts: tuple[str, ...]
    """Empty: one prompt or several in `prompt`, without roles."""
    own: tuple[str, ...]
    """The members that limit the output; others count beside one of them."""
    formats: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()
    """Members with a format in them."""


PATHS: Mapping[str, _Endpoint] = {
    "/v1/chat/completions": _Endpoint(
        prompts=("messages",), own=("max_completion_tokens", "max_tokens"), formats=("response_format",)
    ),
    "/v1/completions": _Endpoint(prompts=(), own=("max_tokens",), formats=("response_format",)),
    "/v1/responses": _Endpoint(prompts=("instructions", "input"), own=("max_output_tokens",), holders=("text",)),
    "/v1/messages": _Endpoint(
        prompts=("system", "messages"), own=("max_tokens",), formats=("output_format",), holders=("output_config",)
    ),
}
"""Paths whose requests rules look at."""


@dataclass(slots=True)
class _Walk:
    """What was seen of a prompt so far."""

    size: int = 0
    pictures: bool = False
    last: tuple[str, ...] = ()


class Prompt:
    """One request. What is asked of it is found out when it is asked, so that what nobody asks refuses nothing.

    Every question may raise `Amiss`.
    """

    def __init__(self, body: Pairs, endpoint: _Endpoint) -> None:
        self._endpoint = endpoint
        self._body = pick(body, (*_BODY, *_FORMS))
        self._walked: _Walk | None = None

    @property
    def model(self) -> str:
        """The name that it asks for; empty where it has none."""
        return _word(self._body.get("model")) or ""

    @property
    def stream(self) -> bool:
        """Whether it wants a stream."""
        return self._body.get("stream") is True

    @property
    def choices(self) -> int:
        """How many answers it may cause, as a budget counts them: the largest of the members that say so."""
        counts = (self._body.get(name) for name in _COUNTS)
        asked = max((count for count in counts if isinstance(count, int) and not isinstance(count, bool)), default=1)
        prompts = sum(isinstance(one, (str, list, Pairs)) for one in elements(self._body.get("prompt")))
        return max(1, asked) * max(1, prompts)

    @property
    def tools(self) -> bool:
        """Whether it offers a tool."""
        return bool(elements(self._body.get("tools")))

    @property
    def json(self) -> bool:
        """Whether its answer is to be JSON."""
        forms = (form for form in self._forms() if isinstance(form, Pairs))
        return any(_word(pick(form, ("type",)).get("type")) in JSON_FORMATS for form in forms)

    def _forms(self) -> Iterator[Any]:
        yield from (self._body.get(name) for name in self._endpoint.formats)
        for name in self._endpoint.holders:
            holder = self._body.get(name)
            if isinstance(holder, Pairs):
                yield pick(holder, ("format",)).get("format")

    @property
    def output_limit(self) -> int | None:
        """The largest limit on its output; None where it sets none."""
        limits = {name: _limit(self._body.get(name)) for name in _LIMITS}
        if all(limits[name] is None for name in self._endpoint.own):
            return None
        return max(limit for limit in limits.values() if limit is not None)

    @property
    def images(self) -> bool:
        """Whether there is a picture in it."""
        return self._walk().pictures

    @property
    def text_bytes(self) -> int:
        """The length of its text in UTF-8; four bytes are taken for a token."""
        return self._walk().size

    @property
    def last_user_texts(self) -> tuple[str, ...]:
        """The parts of the last message of the user that has text of its own."""
        return self._walk().last

    def _walk(self) -> _Walk:
        if self._walked is None:
            self._walked = _Walk()
            if not self._endpoint.prompts:
                _walk_prompt(self._walked, self._body.get("prompt"))
            for name in self._endpoint.prompts:
                _walk_list(self._walked, self._body.get(name))
                if name not in {"input", "messages"}:
                    self._walked.last = ()
        return self._walked


def read(body: bytes, path: str) -> Prompt:
    """Read a request to a path of `PATHS`.

    Raises:
        Amiss: a gateway refuses it.

    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Amiss("invalid_json") from error
    found = loads(text)
    if not isinstance(found, Pairs):
        raise Amiss("invalid_json")
    return Prompt(found, PATHS[path])


def _limit(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10**15 - 1:
        raise Amiss("invalid_max_tokens")
    return value


def _size(text: str) -> int:
    """Count bytes of UTF-8; half a character of UTF-16 takes three."""
    return len(text.encode(errors="surrogatepass"))


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _walk_prompt(walk: _Walk, value: Any) -> None:
    """Look at a prompt of completions: a text, a list of them, numbers of tokens, lists of those."""
    if isinstance(value, str):
        walk.size += _size(value)
        walk.last = (value,) if value else walk.last
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        walk.size += rule.BYTES_PER_TOKEN
    else:
        for one in elements(value):
            _walk_prompt(walk, one)


def _walk_list(walk: _Walk, value: Any) -> None:
    """Look at a list of messages, of items or of blocks, or at the text that stands for one message of the user."""
    if isinstance(value, str):
        walk.size += _size(value)
        walk.last = (value,) if value else walk.last
    for one in elements(value):
        if isinstance(one, Pairs):
            _walk_message(walk, pick(one, _MESSAGE))


def _walk_message(walk: _Walk, message: Mapping[str, Any]) -> None:
    if _word(message.get("type")) in PICTURES:
        walk.pictures = True
        return
    for name in ("arguments", "input", "text"):
        _count(walk, message.get(name))
    _walk_content(walk, message.get("content"), 1)
    _walk_content(walk, message.get("output"), 1)
    for call in elements(message.get("tool_calls")):
        for called in pick(call, ("function", "custom")).values() if isinstance(call, Pairs) else ():
            for text in pick(called, ("arguments", "input")).values() if isinstance(called, Pairs) else ():
                _count(walk, text)
    if _word(message.get("role")) == "user":
        walk.last = tuple(_own_texts(message.get("content"))) or walk.last


def _own_texts(content: Any) -> Iterator[str]:
    if isinstance(content, str) and content:
        yield content
    for part in elements(content):
        text = pick(part, _PART).get("text") if isinstance(part, Pairs) else None
        if isinstance(text, str) and text:
            yield text


def _walk_content(walk: _Walk, content: Any, level: int) -> None:
    """Look at a content: a text, a part, or a list of parts."""
    _count(walk, content)
    if level > _LEVELS:
        return
    parts = [content] if isinstance(content, Pairs) else elements(content)
    for part in parts:
        if isinstance(part, Pairs):
            _walk_part(walk, pick(part, _PART), level)


def _walk_part(walk: _Walk, part: Mapping[str, Any], level: int) -> None:
    if _word(part.get("type")) in PICTURES:
        walk.pictures = True
        return
    for name in ("text", "refusal"):
        _count(walk, part.get(name))
    if isinstance(part.get("input"), Pairs):
        _count_all(walk, part["input"])
    if isinstance(part.get("source"), Pairs):
        source = pick(part["source"], ("type", "data", "content"))
        if _word(source.get("type")) == "text":
            _count(walk, source.get("data"))
        elif _word(source.get("type")) == "content":
            _walk_content(walk, source.get("content"), level + 1)
    _walk_content(walk, part.get("content"), level + 1)


def _count(walk: _Walk, value: Any) -> None:
    if isinstance(value, str):
        walk.size += _size(value)


def _count_all(walk: _Walk, value: Any) -> None:
    """Count all strings in a value that are no keys."""
    _count(walk, value)
    if isinstance(value, Pairs):
        for _, one in value:
            _count_all(walk, one)
    for one in elements(value):
        _count_all(walk, one)
