"""A provider none of whose answers is like another: what comes twice was kept."""

import json
from collections.abc import Callable, Iterable

from scripted import JSON, Script, ScriptedProvider

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
DONE = b"data: [DONE]\n\n"


def whole(number: int, *, reasons: Iterable[str | None] = ("stop",), **fields: object) -> Script:
    """An answer in one piece."""
    message = {"role": "assistant", "content": f"answer {number}"}
    choices = [{"index": at, "message": message, "finish_reason": reason} for at, reason in enumerate(reasons)]
    body = {"id": f"c-{number}", "object": "chat.completion", "model": "m", "choices": choices, "usage": USAGE}
    return Script(pieces=[json.dumps({**body, **fields}).encode()], content_type=JSON, chunked=False)


def events(number: int, *, reason: str = "stop", done: bytes = DONE) -> list[bytes]:
    """The events of a stream, with the usage that a gateway asks for."""
    deltas = [({"content": f"answer {number}"}, None), ({"content": " \0\r\n"}, None), ({}, reason)]
    said = [
        {"id": f"c-{number}", "choices": [{"index": 0, "delta": delta, "finish_reason": why}]} for delta, why in deltas
    ]
    written = [*said, {"id": f"c-{number}", "choices": [], "usage": USAGE}]
    return [b"data: " + json.dumps(one).encode() + b"\n\n" for one in written] + ([done] if done else [])


def stream(number: int, **fields: object) -> Script:
    return Script(pieces=events(number, **fields))  # type: ignore[arg-type]


class NumberedProvider(ScriptedProvider):
    """Answers the n-th request by `make(n)`."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.make: Callable[[int], Script] = whole

    def _answer(self, write: Callable[[bytes], object]) -> None:
        self.asked += 1
        self.script = self.make(self.asked)
        super()._answer(write)
