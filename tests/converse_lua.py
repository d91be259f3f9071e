"""The gateway's own Lua that says Bedrock's Converse otherwise, in this process; frames as AWS has them."""

import binascii
import json
import struct
import time
from typing import Any

from lupa import luajit21

from fairlead.demo.provider import check
from fairlead.envoy import chunk, words

RUNTIME = luajit21.LuaRuntime(encoding=None)
_NAMES = ("message_of", "problem_of", "new_stream", "translated", "finish", "crc_of")
_HEAD = """
local byte, char, find, format, match = string.byte, string.char, string.find, string.format, string.match
local gsub, sub, concat = string.gsub, string.sub, table.concat
"""
_RETURN = f"return {{{', '.join(f'{name}={name}' for name in _NAMES)}}}"
LUA = RUNTIME.execute(f"{_HEAD}{words.of_converse()}\n{_RETURN}".encode())
ID, MODEL = "msg_1", "anthropic.claude"
USAGE = {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12}


def message(answer: Any) -> Any:
    said = LUA[b"message_of"](json.dumps(answer).encode(), ID.encode(), MODEL.encode())
    return None if said is None else json.loads(said)


def problem(body: Any, status: int) -> Any:
    return json.loads(LUA[b"problem_of"](json.dumps(body).encode(), status, b"The provider answered %d." % status))


def frame(payload: bytes, **headers: str) -> bytes:
    """Spell a message of `application/vnd.amazon.eventstream`; an underscore in a name stands for its `-`."""
    said = b"".join(
        struct.pack(f">B{len(name)}sBH{len(value)}s", len(name), name, 7, len(value), value)
        for name, value in ((f":{key.replace('_', '-')}".encode(), text.encode()) for key, text in headers.items())
    )
    prelude = struct.pack(">II", 16 + len(said) + len(payload), len(said))
    before = prelude + struct.pack(">I", binascii.crc32(prelude)) + said + payload
    return before + struct.pack(">I", binascii.crc32(before))


def event(kind: str, **members: Any) -> bytes:
    """Spell an event as Bedrock does: filled up with `p`, so that its length tells nothing."""
    payload = json.dumps({**members, "p": "abcdefgh"}, separators=(",", ":")).encode()
    return frame(payload, event_type=kind, content_type="application/json", message_type="event")


def thrown(kind: str, message: str) -> bytes:
    payload = json.dumps({"message": message}).encode()
    return frame(payload, exception_type=kind, content_type="application/json", message_type="exception")


def begun() -> bytes:
    return event("messageStart", role="assistant")


def block(index: int, *deltas: Any, start: Any = None) -> bytes:
    first = event("contentBlockStart", start=start, contentBlockIndex=index) if start is not None else b""
    said = (event("contentBlockDelta", delta=delta, contentBlockIndex=index) for delta in deltas)
    return b"".join((first, *said, event("contentBlockStop", contentBlockIndex=index)))


def text(index: int, *parts: str) -> bytes:
    return block(index, *({"text": part} for part in parts))


def use(index: int, id_: str, *parts: str) -> bytes:
    start = {"toolUse": {"toolUseId": id_, "name": "look"}}
    return block(index, *({"toolUse": {"input": part}} for part in parts), start=start)


def ended(reason: str = "end_turn", **usage: Any) -> bytes:
    stop = event("messageStop", stopReason=reason)
    return stop + event("metadata", usage={**USAGE, **usage}, metrics={"latencyMs": 5})


def streamed(*chunks: bytes, ends: bool = True) -> bytes:
    state = LUA[b"new_stream"](ID.encode(), MODEL.encode())
    said = b"".join(LUA[b"translated"](state, one) for one in chunks)
    if ends:
        out = RUNTIME.table()
        LUA[b"finish"](state, out)
        said += b"".join(out.values())
    return said


def _saying(place: str) -> Any:
    source = "\n".join((chunk.parts("messages", ("names", *words.SHARED)), words.said_with(place)))
    return RUNTIME.execute((source + "\nreturn in_other_words").encode())


_OF_MESSAGES, _OF_CHAT = _saying("@converse_messages@"), _saying("@converse_chat@")


def said_of_messages(body: Any, **terms: Any) -> tuple[Any, str]:
    """Say a request otherwise, for Claude unless told; what was left out, or what it was refused for."""
    return _said(_OF_MESSAGES, body, terms)


def said_of_chat(body: Any, **terms: Any) -> tuple[Any, str]:
    return _said(_OF_CHAT, body, terms)


def _said(say: Any, body: Any, terms: dict[str, Any]) -> tuple[Any, str]:
    """`body`: a request, or its text."""
    text = body if isinstance(body, str) else json.dumps(body)
    wanted = {
        key.encode(): value.encode() if isinstance(value, str) else value
        for key, value in {"claude": True, **terms}.items()
    }
    said, rest = say(text.encode(), RUNTIME.table_from(wanted))
    return None if said is None else check.parse(said), rest.decode()


def cost_s(text: str) -> float:
    """Measure how long it takes to say a request to Messages otherwise: the best of three."""
    body, wanted, found = text.encode(), RUNTIME.table_from({b"claude": True}), []
    for _ in range(3):
        began = time.process_time()
        said, _ = _OF_MESSAGES(body, wanted)
        found.append(time.process_time() - began)
        assert said is not None
    return min(found)
