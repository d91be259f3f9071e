"""There and back by the two translators themselves: what both APIs can say is kept: requests, answers, streams."""

import json
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import chat_lua
import messages_lua

few = settings(max_examples=30)
texts = st.text(min_size=1, max_size=8).filter(str.strip)
numbers = st.integers(-9, 10**15) | st.floats(-1, 1, allow_nan=False)
values = st.recursive(
    texts | numbers | st.booleans() | st.none(), lambda inner: st.lists(inner, max_size=2), max_leaves=4
)
inputs = st.dictionaries(texts, values, max_size=2)
names = st.from_regex(r"[a-z_-]{1,8}", fullmatch=True)
schemas = st.fixed_dictionaries(
    {"type": st.just("object"), "properties": st.dictionaries(texts, st.just({}), max_size=2)}
)
shares = st.integers(0, 1) | st.floats(0, 1, allow_nan=False)
spelt = st.sampled_from([json.dumps, partial(json.dumps, indent=1, ensure_ascii=False)])
"""How an object is spelt in a string."""
SENT = "data:image/png;base64,aGk="
LINKED = "https://example.com/a.png"


def sampling(stops: str, limit: str) -> dict[str, Any]:
    """Make what both APIs say of how an answer is made."""
    return {
        limit: st.integers(1, 10**6),
        stops: st.lists(texts, min_size=1, max_size=4),
        "temperature": shares,
        "top_p": shares,
        "stream": st.just(True),
    }


@st.composite
def chats(draw: Any) -> dict[str, Any]:
    """A request to chat/completions."""
    shown = st.sampled_from([SENT, LINKED]).map(lambda url: {"type": "image_url", "image_url": {"url": url}})
    asked = texts | st.lists(texts.map(lambda text: {"type": "text", "text": text}) | shown, min_size=1, max_size=3)
    said: list[Any] = [{"role": "system", "content": draw(texts)}] if draw(st.booleans()) else []
    for turn in range(draw(st.integers(0, 3))):
        given_ = draw(st.lists(st.tuples(names, inputs), max_size=2))
        calls = [
            {"id": f"t{turn}_{at}", "type": "function", "function": {"name": name, "arguments": draw(spelt)(one)}}
            for at, (name, one) in enumerate(given_)
        ]
        said.append({"role": "user", "content": draw(asked)})
        said.append({"role": "assistant", "content": draw(texts), **({"tool_calls": calls} if calls else {})})
        said += [{"role": "tool", "tool_call_id": one["id"], "content": draw(texts)} for one in calls]
    tool = st.tuples(names, schemas).map(
        lambda one: {"type": "function", "function": {"name": one[0], "description": "d", "parameters": one[1]}}
    )
    choice = st.sampled_from(["auto", "none", "required"]) | names.map(
        lambda name: {"type": "function", "function": {"name": name}}
    )
    tools = {"tools": draw(st.lists(tool, min_size=1, max_size=2)), "tool_choice": draw(choice)}
    schema = schemas.map(lambda one: {"type": "json_schema", "json_schema": {"name": "n", "schema": one}})
    more = st.fixed_dictionaries({}, optional={**sampling("stop", "max_completion_tokens"), "response_format": schema})
    parallel = {"parallel_tool_calls": False} if draw(st.booleans()) and tools["tool_choice"] != "none" else {}
    last = {"role": "user", "content": draw(asked)}
    return {"model": "m", "messages": [*said, last], **draw(more), **(tools | parallel if draw(st.booleans()) else {})}


@st.composite
def messages(draw: Any) -> dict[str, Any]:
    """A request to Messages."""
    source = st.sampled_from(
        [{"type": "base64", "media_type": "image/png", "data": "aGk="}, {"type": "url", "url": LINKED}]
    )
    block = texts.map(lambda text: {"type": "text", "text": text}) | source.map(
        lambda one: {"type": "image", "source": one}
    )
    said: list[Any] = [{"role": "user", "content": draw(st.lists(block, min_size=1, max_size=3))}]
    for turn in range(draw(st.integers(0, 3))):
        given_ = draw(st.lists(st.tuples(names, inputs), max_size=2))
        uses = [
            {"type": "tool_use", "id": f"t{turn}_{at}", "name": name, "input": one}
            for at, (name, one) in enumerate(given_)
        ]
        results = [{"type": "tool_result", "tool_use_id": one["id"], "content": draw(texts)} for one in uses]
        said.append({"role": "assistant", "content": [{"type": "text", "text": draw(texts)}, *uses]})
        said.append({"role": "user", "content": [*results, *draw(st.lists(block, min_size=1, max_size=2))]})
    tool = st.tuples(names, schemas).map(lambda one: {"name": one[0], "input_schema": one[1], "strict": True})
    choice = st.sampled_from(["auto", "none", "any"]).map(lambda kind: {"type": kind}) | names.map(
        lambda name: {"type": "tool", "name": name, "disable_parallel_tool_use": True}
    )
    tools = {"tools": draw(st.lists(tool, min_size=1, max_size=2)), "tool_choice": draw(choice)}
    schema = schemas.map(lambda one: {"format": {"type": "json_schema", "schema": one}})
    more = st.fixed_dictionaries({}, optional={"system": texts, "output_config": schema})
    drawn = st.fixed_dictionaries({}, optional=sampling("stop_sequences", "max_tokens"))
    body = {"model": "m", "max_tokens": 9, "messages": said, **draw(more), **draw(drawn)}
    return body | (tools if draw(st.booleans()) else {})


def said(lua: Any, body: Any) -> Any:
    found, rest = lua.words(body)
    assert found is not None, rest
    return found


@few
@given(chats())
def test_a_request_to_chat_is_the_same_there_and_there_again(body: dict[str, Any]) -> None:
    there = said(chat_lua, body)
    assert said(chat_lua, said(messages_lua, there)) == there


@few
@given(messages())
def test_a_request_to_messages_comes_back(body: dict[str, Any]) -> None:
    there = said(messages_lua, body)
    back = said(chat_lua, there)
    assert back | {"system": body.get("system")} == body | {"system": body.get("system")}
    assert back.get("system") == ([{"type": "text", "text": body["system"]}] if "system" in body else None)
    assert said(messages_lua, back) == there


answers = st.tuples(
    st.none() | texts, st.lists(st.tuples(names, inputs), max_size=3), st.integers(0, 99), st.integers(0, 99)
)


def message_of(text: str | None, calls: list[Any], read: int, fresh: int) -> dict[str, Any]:
    """Make an answer of Messages."""
    uses = [{"type": "tool_use", "id": f"t{at}", "name": name, "input": one} for at, (name, one) in enumerate(calls)]
    content = [*([{"type": "text", "text": text}] if text else []), *uses]
    usage = {
        "input_tokens": fresh,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": read,
        "output_tokens": 7,
    }
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content}
    return {**head, "stop_reason": "tool_use" if uses else "end_turn", "stop_sequence": None, "usage": usage}


@few
@given(answers)
def test_an_answer_comes_back(answer: Any) -> None:
    body = message_of(*answer)
    there = chat_lua.completion(body)
    assert messages_lua.message(there) == body
    assert chat_lua.completion(messages_lua.message(there)) == there


@few
@given(answers, st.data())
def test_a_stream_comes_back_wherever_it_is_cut(answer: Any, data: st.DataObject) -> None:
    text, calls, read, fresh = answer
    blocks = [chat_lua.text(0, text[: len(text) // 2], text[len(text) // 2 :])] if text else []
    for at, (name, given_) in enumerate(calls):
        written = data.draw(spelt)(given_)
        start = {"type": "tool_use", "id": f"t{at}", "name": name, "input": {}}
        parts = [{"type": "input_json_delta", "partial_json": one} for one in (written[:3], written[3:]) if one]
        blocks.append(chat_lua.block(len(blocks), start, *parts))
    begun = chat_lua.begun(input_tokens=fresh, cache_read_input_tokens=read, output_tokens=1)
    stream = begun + b"".join(blocks) + chat_lua.ended("tool_use" if calls else "end_turn", output_tokens=7)
    there = chat_lua.streamed(*_cut(stream, data), asked=True)
    back = messages_lua.events(messages_lua.streamed(*_cut(there, data)))
    body = message_of(text, calls, read, fresh)
    assert _gathered(back) == (body["content"], body["stop_reason"], body["usage"])


def _cut(stream: bytes, data: st.DataObject) -> list[bytes]:
    places = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
    return [stream[one:other] for one, other in zip([0, *places], [*places, len(stream)], strict=True)]


def _gathered(events: list[Any]) -> tuple[list[Any], str, Any]:
    content: list[Any] = []
    for one in events:
        if one["type"] == "content_block_start":
            content.append({**one["content_block"], **({"input": ""} if "input" in one["content_block"] else {})})
        elif one["type"] == "content_block_delta":
            delta = one["delta"]
            name, value = ("text", delta["text"]) if "text" in delta else ("input", delta["partial_json"])
            content[-1][name] += value
    for block in content:
        if "input" in block:
            block["input"] = json.loads(block["input"])
    last = next(one for one in events if one["type"] == "message_delta")
    return content, last["delta"]["stop_reason"], last["usage"]
