"""What another implementation makes of the same requests and answers: where it differs, and who is right.

What both APIs take as the same is none: a text, and one block of it; `null`, and nothing; how arguments are spelt.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from clients import conversations

FILE = Path(__file__).with_name("differences.yaml")
USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 9,
    "total_tokens": 39,
    "prompt_tokens_details": {"cached_tokens": 10},
}
CALLS = [
    {"id": f"call_{at}", "type": "function", "function": {"name": "look", "arguments": '{"city": "é"}'}} for at in "ab"
]
USES = [{"type": "tool_use", "id": f"toolu_{at}", "name": "look", "input": {"city": "é"}} for at in "ab"]
THOUGHT = {"type": "thinking", "thinking": "Hm", "signature": "c2ln"}
TEXTS = [{"type": "text", "text": "There"}, {"type": "text", "text": " it is."}]
COUNTS = {"input_tokens": 20, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 3, "output_tokens": 9}


def _completion(finish: str, **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m"}
    return {**head, "choices": [choice], "usage": USAGE}


def _message(reason: str, *content: Any) -> dict[str, Any]:
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": list(content)}
    return {**head, "stop_reason": reason, "stop_sequence": None, "usage": COUNTS}


ANSWERS = (
    ("messages", "a text", _completion("stop", content="There")),
    ("messages", "a limit", _completion("length", content="The")),
    ("messages", "calls", _completion("tool_calls", tool_calls=CALLS)),
    ("messages", "a text and calls", _completion("tool_calls", content="I look.", tool_calls=CALLS)),
    ("messages", "calls that end as a text", _completion("stop", tool_calls=CALLS)),
    ("messages", "a refusal", _completion("stop", refusal="No.")),
    ("messages", "a filter", _completion("content_filter", content="Th")),
    ("messages", "what was thought", _completion("stop", content="There", reasoning_content="Hm")),
    ("chat", "a text", _message("end_turn", TEXTS[0])),
    ("chat", "two texts", _message("end_turn", *TEXTS)),
    ("chat", "a limit", _message("max_tokens", TEXTS[0])),
    ("chat", "a stop", _message("stop_sequence", TEXTS[0])),
    ("chat", "calls", _message("tool_use", *USES)),
    ("chat", "a text and calls", _message("tool_use", TEXTS[0], *USES)),
    ("chat", "what was thought", _message("end_turn", THOUGHT, TEXTS[0])),
    ("chat", "a refusal", _message("refusal", TEXTS[0])),
    ("chat", "a full context", _message("model_context_window_exceeded", TEXTS[0])),
)
"""Answers of providers, by the API of the client who gets them."""


def cases() -> Iterator[tuple[str, str, str, Any]]:
    """List what is compared: the client's API, `request` or `answer`, a name, the body."""
    for api, name, body in conversations.requests():
        if not name.startswith("errors"):
            yield api, "request", name, body
    for api, name, body in ANSWERS:
        yield api, "answer", name, body


def plain(value: Any, name: str = "") -> Any:
    """Spell what is the same in one way."""
    if isinstance(value, dict):
        found = {key: plain(each, key) for key, each in value.items() if each is not None}
        said = found.get("content")
        if isinstance(said, str) and ("role" in found or found.get("type") == "tool_result"):
            found["content"] = [{"type": "text", "text": said}]
        return found
    if isinstance(value, list):
        return [plain(each) for each in value]
    return json.loads(value) if name == "arguments" and isinstance(value, str) else value


def between(ours: Any, theirs: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Say where two bodies differ, and how: `ours` or `theirs` alone has it, or it is `otherwise`."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in dict.fromkeys([*ours, *theirs]):
            inner = f"{path}.{name}" if path else name
            if name not in theirs or name not in ours:
                yield inner, "ours" if name in ours else "theirs"
            else:
                yield from between(ours[name], theirs[name], inner)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for mine, other in zip(ours, theirs, strict=True):
            yield from between(mine, other, f"{path}[]")
    elif ours != theirs:
        yield path, "otherwise"


@cache
def known() -> tuple[dict[str, str], ...]:
    """Read which differences there are, and who is right."""
    return tuple(yaml.safe_load(FILE.read_text()))


def table() -> list[str]:
    """Write them for people."""
    lines = ["| client | where | Fairlead | LiteLLM | who is right |", "|---|---|---|---|---|"]
    lines += [
        f"| {one['api']}, {one['kind']} | `{one['where']}` | {one['ours']} | {one['theirs']} | {one['right']} |"
        for one in known()
    ]
    return lines
