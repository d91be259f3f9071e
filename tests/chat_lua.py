"""The gateway's own Lua that says chat/completions otherwise, in the LuaJIT of this process."""

import json
from typing import Any

from lupa import luajit21

from fairlead.demo.provider import check
from fairlead.envoy import chunk
from fairlead.envoy import words as words_of_gateways

RUNTIME = luajit21.LuaRuntime(encoding=None)
_NAMES = ("in_other_words", "completion_of", "problem_of", "is_own", "new_stream", "translated", "finish")
_SOURCE = "\n".join(
    (
        chunk.parts("messages", ("names", *words_of_gateways.SHARED)),
        f"local in_other_words do {words_of_gateways.said_with('@chat@')}".replace(
            "local function in_other_words", "function in_other_words"
        ),
        "end",
        chunk.parts("chat", ("answer", "stream")),
        chunk.parts("messages", ("events",)),
    )
)
LUA = RUNTIME.execute((_SOURCE + f"\nreturn {{{', '.join(f'{name}={name}' for name in _NAMES)}}}").encode())
MOST = 4096
PLAIN = {"model": "m", "messages": [{"role": "user", "content": "q"}]}
SAID = {"model": "m", "max_tokens": MOST, "messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}]}


def table(**terms: Any) -> Any:
    """Make a table of Lua's of what the rungs have."""
    words = {"most": str(MOST), **terms}
    return RUNTIME.table_from(
        {key.encode(): value.encode() if isinstance(value, str) else value for key, value in words.items()}
    )


def words(body: Any, **terms: Any) -> tuple[Any, str]:
    """Say a request otherwise; what was left out, or what it was refused for."""
    return words_of(json.dumps(body), **terms)


def words_of(text: str, **terms: Any) -> tuple[Any, str]:
    said, rest = LUA[b"in_other_words"](text.encode(), table(**terms))
    return None if said is None else check.parse(said), rest.decode()


def completion(answer: Any) -> Any:
    said = LUA[b"completion_of"](json.dumps(answer).encode())
    if said is None:
        return None
    found = json.loads(said)
    assert found.pop("created") > 0
    return found


def problem(body: Any, status: int) -> Any:
    return json.loads(LUA[b"problem_of"](json.dumps(body).encode(), status))


def event(kind: str, **members: Any) -> bytes:
    """Spell an event as Anthropic's servers do."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def begun(**usage: int) -> bytes:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [], "usage": usage}
    return event("message_start", message={**message, "stop_reason": None, "stop_sequence": None})


def block(index: int, start: Any, *deltas: Any) -> bytes:
    said = (event("content_block_delta", index=index, delta=delta) for delta in deltas)
    return b"".join(
        (
            event("content_block_start", index=index, content_block=start),
            *said,
            event("content_block_stop", index=index),
        )
    )


def text(index: int, *parts: str) -> bytes:
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": part} for part in parts))


def use(index: int, id_: str, *parts: str, given: Any = None) -> bytes:
    start = {"type": "tool_use", "id": id_, "name": "look", "input": given or {}}
    return block(index, start, *({"type": "input_json_delta", "partial_json": part} for part in parts))


def ended(reason: str | None = "end_turn", **usage: int) -> bytes:
    return event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage=usage) + event(
        "message_stop"
    )


def streamed(*chunks: bytes, ends: bool = True, asked: bool = False) -> bytes:
    state = LUA[b"new_stream"](asked)
    said = b"".join(LUA[b"translated"](state, one) for one in chunks)
    if ends:
        out = RUNTIME.table()
        LUA[b"finish"](state, out)
        said += b"".join(out.values())
    return said


def chunks(said: bytes) -> list[Any]:
    """Take a stream of chat/completions apart; `[DONE]` is its last member where it is there."""
    found: list[Any] = []
    for one in said.decode().split("\n\n")[:-1]:
        data = one.removeprefix("data: ")
        found.append(data if data == "[DONE]" else json.loads(data))
    return found
