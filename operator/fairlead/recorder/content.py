"""What a request asked and what an answer said, as text: of OpenAI's and Anthropic's forms, streams put together.

Only what is understood is returned, and nothing else is ever written: no ids, no unknown members. A stream's pieces are
joined before anything is looked at, so that nothing hides at the seam of two. Pure, and total: whatever comes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Json = dict[str, Any]
_TEXTS = ("content", "text", "reasoning_content", "reasoning", "refusal", "thinking", "output_text", "output")
_MOST_PARTS = 1000
_DEPTH = 8
_STREAM_BEGINS = ("data:", "event:", "id:", ":")
_MOST_TOKENS = 10**9
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens")


def question(body: bytes) -> Json:
    """Return `{"messages": [{"role", "text"}]}` of a request; of one that cannot be read `{"unread": text}`."""
    document = _document(body)
    if document is None:
        return {"unread": _text(body)}
    system = (_said(document.get(key)) for key in ("instructions", "system"))
    found = [{"role": "system", "text": text} for text in system if text]
    asked = document.get("messages") or document.get("input") or document.get("prompt") or []
    for one in [{"role": "user", "content": asked}] if isinstance(asked, str) else _listed(asked):
        if isinstance(one, str):
            found.append({"role": "user", "text": one})
        elif isinstance(one, dict):
            found.append({"role": _word(one.get("role")) or "user", "text": _message(one)})
    return {"messages": found}


def answer(body: bytes, kind: str) -> Json:
    """Return `{"text", "toolCalls", "finishReason", "usage", "error"}` of an answer, those that are there.

    `kind` is its content type. Of what is no JSON it is the text, as it is.
    """
    document = _document(body)
    if document is not None:
        return _whole(document)
    if "event-stream" in kind or _text(body[:64]).lstrip().startswith(_STREAM_BEGINS):
        return _joined(_events(body))
    lines = [_document(line) for line in body.splitlines() if line.strip()]
    if len(lines) > 1 and lines[0] is not None:
        return _joined(line for line in lines if line is not None)
    return {"text": _text(body)}


def _whole(document: Json) -> Json:
    texts, calls, reason = [], [], ""
    for choice in _dicts(document.get("choices")) or _dicts(document.get("output")) or [document]:
        inner = choice.get("message")
        message = inner if isinstance(inner, dict) else choice
        texts.append(_said(message))
        calls += _calls(message)
        reason = _word(choice.get("finish_reason")) or _word(choice.get("stop_reason")) or reason
    return _found("\n".join(filter(None, texts)), calls, reason or _word(document.get("stop_reason")), document)


def _joined(events: Iterable[Json]) -> Json:
    """Put a stream together."""
    stream = _Stream()
    for event in events:
        stream.take(event)
    text = "\n".join(filter(None, ("".join(pieces) for pieces in stream.texts.values())))
    return _found(text, list(stream.calls.values()), stream.reason, stream.last)


class _Stream:
    """What came so far: texts and calls of each choice or block, by its index."""

    def __init__(self) -> None:
        self.texts: dict[int, list[str]] = {}
        self.calls: dict[tuple[int, int], Json] = {}
        self.reason = ""
        self.last: Json = {}
        """The last usage and error."""

    def take(self, event: Json) -> None:
        """Take an event in, whichever API's it is."""
        for place, choice in enumerate(_dicts(event.get("choices")) or [event]):
            self._choice(choice, _place(choice.get("index", choice.get("output_index")), place), event)
        for one in (event.get("response"), event.get("message"), event):
            if isinstance(one, dict):
                self.last |= {key: one[key] for key in ("usage", "error") if one.get(key)}

    def _choice(self, choice: Json, index: int, event: Json) -> None:
        delta, text = choice.get("delta"), choice.get("text")
        if isinstance(delta, dict):
            self._delta(delta, index)
        elif isinstance(delta, str) and "arguments" in _word(event.get("type")):
            self._call(index, 0)["arguments"] += delta
        elif isinstance(delta, str):
            self._say(index, delta)
        elif isinstance(text, str) and "choices" in event:
            self._say(index, text)
        for block in _dicts([choice.get("content_block"), choice.get("item")]):
            if _word(block.get("name")):
                self._call(index, 0)["name"] = _word(block["name"])
        self.reason = _word(choice.get("finish_reason")) or self.reason

    def _delta(self, delta: Json, index: int) -> None:
        self._say(index, _said(delta, joint=""))
        for one in _dicts(delta.get("tool_calls")):
            function = one.get("function")
            if isinstance(function, dict):
                call = self._call(index, _place(one.get("index"), 0))
                call["name"] += _word(function.get("name"))
                call["arguments"] += _word(function.get("arguments"))
        if partial := _word(delta.get("partial_json")):
            self._call(index, 0)["arguments"] += partial
        self.reason = _word(delta.get("stop_reason")) or self.reason

    def _say(self, index: int, text: str) -> None:
        self.texts.setdefault(index, []).append(text)

    def _call(self, index: int, number: int) -> Json:
        return self.calls.setdefault((index, number), {"name": "", "arguments": ""})


def _found(text: str, calls: list[Json], reason: str, document: Mapping[str, Any]) -> Json:
    usage, error = document.get("usage"), document.get("error")
    counts = {}
    if isinstance(usage, dict):
        counts = {key: usage[key] for key in _COUNTS if _is_count(usage.get(key))}
    said = {
        "text": text,
        "toolCalls": calls,
        "finishReason": reason,
        "usage": counts,
        "error": _said(error.get("message")) if isinstance(error, dict) else _said(error),
    }
    return {key: value for key, value in said.items() if value}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_TOKENS


def _calls(message: Any) -> list[Json]:
    if not isinstance(message, dict):
        return []
    found = []
    for one in [*_listed(message.get("tool_calls")), *_listed(message.get("content")), message]:
        if not isinstance(one, dict):
            continue
        function = one["function"] if isinstance(one.get("function"), dict) else one
        arguments = function.get("arguments", function.get("input"))
        if _word(function.get("name")) and arguments is not None:
            written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
            found.append({"name": _word(function["name"]), "arguments": written})
    return found


def _message(message: Json) -> str:
    calls = [f"{call['name']}({call['arguments']})" for call in _calls(message)]
    return "\n".join(filter(None, (_said(message), *calls)))


def _said(value: Any, *, joint: str = "\n", depth: int = _DEPTH) -> str:
    """Return the text of a message, a part, or a list of parts; what is no text is named by its type."""
    if isinstance(value, str):
        return value
    if depth <= 0:
        return ""
    if isinstance(value, list):
        # Parts of one message are joined as they are: what one ends with the next may go on with.
        return "".join(_said(one, depth=depth - 1) for one in value[:_MOST_PARTS])
    if not isinstance(value, dict):
        return ""
    texts = [_said(value[key], depth=depth - 1) for key in _TEXTS if isinstance(value.get(key), str | list)]
    if not any(texts) and any(key in value for key in ("image_url", "input_audio", "source", "file", "file_data")):
        return f"[{_word(value.get('type')) or 'file'}]"
    return joint.join(filter(None, texts))


def _events(body: bytes) -> Iterator[Json]:
    """Yield the JSON objects of a stream's events; a last one that was cut off is left out."""
    data: list[str] = []
    for line in [*_text(body).splitlines(), ""]:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            event = _document("\n".join(data).encode())
            data = []
            if event is not None:
                yield event


def _document(body: bytes) -> Json | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _listed(value: Any) -> list[Any]:
    return value[:_MOST_PARTS] if isinstance(value, list) else []


def _dicts(value: Any) -> list[Json]:
    return [one for one in _listed(value) if isinstance(one, dict)]


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _place(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise
