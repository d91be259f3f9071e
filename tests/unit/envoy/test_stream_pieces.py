"""Events that are like the one before are said by what was made of that one: as they would be without."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import chat_lua
import messages_lua

texts = st.text(alphabet='ab"\\{}m1é\n\u2028😀', max_size=4) | st.sampled_from(["m", "a", "x", "text", "stop", ""])
kinds = st.sampled_from(["text", "text", "text", "call", "other call", "thought", "usage", "noise", "refusal", "model"])
events = st.lists(st.tuples(kinds, texts), max_size=12)


def _delta(kind: str, text: str) -> bytes:
    if kind == "noise":
        plain = json.dumps({"id": "a", "model": "m", "choices": [{"index": 0, "delta": {"content": text}}]})
        return f'data: {plain[:-1]},"obfuscation":"Zk{"z" * len(text)}"}}\n\n'.encode()
    if kind in {"call", "other call"}:
        return messages_lua.call(len(kind), text, name="look")
    deltas: dict[str, dict[str, Any]] = {
        "thought": {"reasoning_content": text},
        "refusal": {"content": "x", "refusal": text},
        "model": {"content": "m"},
    }
    more: dict[str, dict[str, Any]] = {
        "model": {"model": text},
        "usage": {"usage": {"prompt_tokens": len(text), "completion_tokens": 1}},
    }
    return messages_lua.event(deltas.get(kind, {"content": text}), **more.get(kind, {}))


def _block(index: int, kind: str, text: str) -> bytes:
    if kind in {"call", "other call"}:
        return chat_lua.use(index, f"t{index}", text, text, "x")
    if kind == "thought":
        thought = {"type": "thinking", "thinking": "", "signature": ""}
        return chat_lua.block(index, thought, {"type": "thinking_delta", "thinking": text})
    return chat_lua.text(index, text, "x", text, text, "m")


def _of_chat(said: list[tuple[str, str]]) -> bytes:
    return b"".join(_delta(*one) for one in said) + messages_lua.event({}, "stop") + messages_lua.DONE


def _of_messages(said: list[tuple[str, str]]) -> bytes:
    blocks = (_block(index, *one) for index, one in enumerate(said))
    return chat_lua.begun(input_tokens=3) + b"".join(blocks) + chat_lua.ended(output_tokens=2)


def _said(lua: Any, stream: bytes, **state: Any) -> bytes:
    made = lua.LUA[b"new_stream"](True)
    for name, value in state.items():
        made[name.encode()] = value
    return b"".join(lua.LUA[b"translated"](made, stream[at : at + 97]) for at in range(0, len(stream), 97))


def _plain(stream: bytes) -> Any:
    """Leave out when it was said."""
    return [json.loads(one.rpartition(b"data: ")[2]) | {"created": 0} for one in stream.split(b"\n\n") if b"{" in one]


@given(events)
@example([("text", "a"), ("text", 'b"'), ("text", "\\"), ("text", "b")])
@example([("call", "a"), ("other call", "b"), ("call", "c")])
@example([("text", "a"), ("text", "b"), ("refusal", "c"), ("refusal", "d"), ("text", "e")])
@example([("text", "a"), ("model", "m"), ("model", "x")])
@settings(max_examples=25)
@pytest.mark.parametrize(
    ("lua", "stream_of"), [(messages_lua, _of_chat), (chat_lua, _of_messages)], ids=["messages", "chat"]
)
def test_it_is_what_each_event_says_alone(lua: Any, stream_of: Any, said: list[tuple[str, str]]) -> None:
    stream = stream_of(said)
    assert _plain(_said(lua, stream)) == _plain(_said(lua, stream, tries=1000))


@pytest.mark.parametrize("noise", [b"", b',"obfuscation":"Zk1"'])
def test_texts_are_said_by_the_one_before(noise: bytes) -> None:
    made = messages_lua.LUA[b"new_stream"]()
    for number in range(5):
        event = messages_lua.event({"content": f"word{number}"})
        messages_lua.LUA[b"translated"](made, event.replace(b"}\n\n", noise + b"}\n\n"))
    assert made[b"like"], "the last event was learnt from, or said by the one before"
    assert made[b"tries"] == 0, "it was said by the one before"


def test_events_that_are_all_unlike_are_not_tried_for_long() -> None:
    made = messages_lua.LUA[b"new_stream"]()
    for number in range(20):
        messages_lua.LUA[b"translated"](made, messages_lua.event({"content": f"word{number}"}, number=number))
    assert made[b"tries"] == 8
