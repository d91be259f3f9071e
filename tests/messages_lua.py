"""The gateway's own Lua that says messages otherwise, in the LuaJIT of this process."""

import json
from typing import Any

from lupa import luajit21

from fairlead.envoy import chunk
from fairlead.envoy import words as words_of_gateways

RUNTIME = luajit21.LuaRuntime(encoding=None)
_NAMES = ("in_other_words", "message_of", "problem_of", "new_stream", "translated", "finish")
_SOURCE = chunk.parts(
    "messages", ("names", *words_of_gateways.SHARED, "request", "errors", "answer", "stream", "events")
)
LUA = RUNTIME.execute((_SOURCE + f"\nreturn {{{', '.join(f'{name}={name}' for name in _NAMES)}}}").encode())
PLAIN = {"model": "m", "messages": [{"role": "user", "content": "q"}]}
DONE = b"data: [DONE]\n\n"


def table(terms: dict[str, Any]) -> Any:
    """Make a table of Lua's of what the rungs have."""
    words = {key.encode(): value.encode() if isinstance(value, str) else value for key, value in terms.items()}
    return RUNTIME.table_from(words)


def words(body: Any, **terms: Any) -> tuple[Any, str]:
    """Say a request otherwise; what was left out, or what it was refused for."""
    said, rest = LUA[b"in_other_words"](json.dumps(body).encode(), table(terms))
    return None if said is None else json.loads(said), rest.decode()


def message(answer: Any) -> Any:
    said = LUA[b"message_of"](json.dumps(answer).encode())
    return None if said is None else json.loads(said)


def event(delta: Any, reason: str | None = None, **more: Any) -> bytes:
    body = {"id": "a", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **more}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def call(index: int, arguments: str, **more: Any) -> bytes:
    named = {"id": f"t{index}"} if more else {}
    return event({"tool_calls": [{"index": index, "function": {"arguments": arguments, **more}, **named}]})


def streamed(*chunks: bytes, ends: bool = True) -> bytes:
    state = LUA[b"new_stream"]()
    said = b"".join(LUA[b"translated"](state, one) for one in chunks)
    if ends:
        out = RUNTIME.table()
        LUA[b"finish"](state, out)
        said += b"".join(out.values())
    return said


def events(said: bytes) -> list[Any]:
    found = []
    for one in said.decode().split("\n\n")[:-1]:
        name, data = one.split("\n")
        body = json.loads(data.removeprefix("data: "))
        assert name == f"event: {body['type']}"
        found.append(body)
    return found
