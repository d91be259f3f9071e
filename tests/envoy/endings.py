"""Answers by how they end, each from its number: those that are kept, and those that never are."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from numbered import DONE, stream, whole
from scripted import Script

BYTES = 1 << 20
"""The length of a body that no cache keeps, nor all of one."""
CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ERROR = b'data: {"error":{"message":"no"}}\n\n'


def said_by(message: dict[str, object]) -> Callable[[int], Script]:
    """Make an answer in one piece whose only choice says this and ends by itself."""
    return lambda number: whole(number, choices=[{"index": 0, "message": message, "finish_reason": "stop"}])


def streamed(*deltas: tuple[int, dict[str, object], str | None], ends: tuple[bytes, ...] = (DONE,)) -> Script:
    """Make a stream of events with one choice each: its index, its delta, why it ended."""
    said = [{"choices": [{"index": at, "delta": delta, "finish_reason": why}]} for at, delta, why in deltas]
    return Script(pieces=[*(b"data: " + json.dumps(one).encode() + b"\n\n" for one in said), *ends])


BAD: dict[str, Callable[[int], Script]] = {
    "an error beside an answer": partial(whole, error={"message": "no"}),
    "a call that ends by itself": said_by({"role": "assistant", "content": None, "tool_calls": [CALL]}),
    "a call of old that ends by itself": said_by({"content": None, "function_call": {"name": "f", "arguments": "{}"}}),
    "one that is not finished": partial(whole, reasons=("stop", None)),
    "one without a reason": partial(whole, reasons=("stop", "")),
    "a stream with an error behind its answer": partial(stream, done=ERROR + DONE),
    "a stream with an event of an error": partial(stream, done=b'event: error\ndata: {"type":"error"}\n\n' + DONE),
    "a stream that only talks of its end": lambda _number: streamed(
        (0, {"content": "\n\ndata: [DONE]"}, None), (0, {}, "stop"), ends=()
    ),
    "a stream of a call that ends by itself": lambda _number: streamed(
        (0, {"tool_calls": [CALL]}, None), (0, {}, "stop")
    ),
    "a stream whose second choice has no end": lambda _number: streamed(
        (0, {"content": "a"}, None), (1, {"content": "b"}, None), (0, {}, "stop")
    ),
    "a stream whose second choice is cut off": lambda _number: streamed(
        (0, {"content": "a"}, None), (0, {}, "stop"), (1, {"content": "b"}, None), (1, {}, "length")
    ),
    "an error": lambda number: replace(whole(number), status=500),
    "another success": lambda number: replace(whole(number), status=203),
    "cut off by its limit": partial(whole, reasons=("length",)),
    "a call": partial(whole, reasons=("tool_calls",)),
    "one of two": partial(whole, reasons=("stop", "length")),
    "the other of two": partial(whole, reasons=("length", "stop")),
    "no reason": partial(whole, reasons=()),
    "too long": partial(whole, padding="x" * BYTES),
    "a stream that was cut": lambda number: replace(stream(number), cut=True),
    "a stream without its end": partial(stream, done=b""),
    "a stream that ends within an event": partial(stream, done=b"data: [DONE]\n"),
    "a stream that ended by its limit": partial(stream, reason="length"),
    "a stream of an error": lambda _number: Script(pieces=[b'data: {"error":{"message":"no"}}\n\n']),
}

TALK = '"finish_reason": "length", "error": {"type": "tool_use", "tool_calls": [{"index": 7}]}'
GOOD: dict[str, Callable[[int], Script]] = {
    "members that say nothing": partial(whole, error=None, tool_calls=[], function_call=None),
    "words of an answer": said_by({"role": "assistant", "content": TALK, "tool_calls": None}),
    "a stream of two choices": lambda _number: streamed(
        (0, {"content": "a"}, None), (1, {"content": TALK}, None), (1, {}, "stop"), (0, {}, "stop")
    ),
    "a stream that says nothing behind its end": lambda _number: streamed(
        (0, {"content": "a", "tool_calls": []}, None), (0, {}, "stop"), (0, {}, None)
    ),
}
