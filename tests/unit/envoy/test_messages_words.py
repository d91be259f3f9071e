"""What is said in other words, by the gateway's own Lua in LuaJIT: requests, whole answers, streams cut anywhere."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages_cases import CASES, Case
from messages_lua import DONE, LUA, PLAIN, call, event, events, message, streamed, words


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_what_becomes_of_a_member(case: Case) -> None:
    said, rest = words({**PLAIN, **case.members}, **case.terms)
    if case.refused:
        assert (said, rest) == (None, case.refused)
    else:
        assert (said, rest) == ({**PLAIN, **case.said}, case.left_out)


def test_the_documentation_has_all_of_it() -> None:
    text = Path("docs/messages.md").read_text(encoding="utf-8")
    table = text.partition("<!-- words -->\n")[2].partition("\n\n")[0].splitlines()
    assert table[2:] == [case.row for case in CASES]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
names = st.text("abcXYZ_-019", min_size=1, max_size=8)
text_blocks = st.builds(lambda text: {"type": "text", "text": text}, texts)
uses = st.builds(
    lambda id_, name, given: {"type": "tool_use", "id": id_, "name": name, "input": given},
    names,
    names,
    st.dictionaries(texts, values, max_size=3),
)
results = st.builds(
    lambda id_, content: {"type": "tool_result", "tool_use_id": id_, "content": content},
    names,
    texts | st.lists(text_blocks, min_size=1, max_size=3),
)
turns = st.one_of(
    st.builds(lambda text: {"role": "user", "content": text}, texts),
    st.builds(
        lambda some, more: {"role": "user", "content": [*some, *more]},
        st.lists(results, max_size=2),
        st.lists(text_blocks, min_size=1, max_size=2),
    ),
    st.builds(
        lambda some, more: {"role": "assistant", "content": [*some, *more]},
        st.lists(text_blocks, min_size=1, max_size=1),
        st.lists(uses, max_size=2),
    ),
)


def as_blocks(content: Any) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def by_turn(messages: list[Any]) -> list[Any]:
    """Join what a user says in several messages: results of tools first, as both APIs want them."""
    found: list[Any] = []
    for one in messages:
        if one["role"] == "user" and found and found[-1]["role"] == "user":
            found[-1] = {"role": "user", "content": [*found[-1]["content"], *as_blocks(one["content"])]}
        else:
            found.append({**one, "content": as_blocks(one["content"])})
        found[-1]["content"].sort(key=lambda block: block["type"] != "tool_result")
    return found


def back(messages: list[Any]) -> list[Any]:
    """Say messages of chat/completions in the words of Messages."""
    found: list[Any] = []
    waiting: list[Any] = []
    for one in messages:
        if one["role"] == "tool":
            waiting.append({"type": "tool_result", "tool_use_id": one["tool_call_id"], "content": one["content"]})
        elif one["role"] == "user":
            content = one["content"]
            found.append({"role": "user", "content": [*waiting, *as_blocks(content)]})
            waiting = []
        else:
            calls = [
                {
                    "type": "tool_use",
                    "id": call["id"],
                    "name": call["function"]["name"],
                    "input": json.loads(call["function"]["arguments"]),
                }
                for call in one.get("tool_calls", ())
            ]
            found.append({"role": "assistant", "content": [{"type": "text", "text": one["content"]}, *calls]})
    return found


def flat(turn: Any) -> Any:
    """Join the texts of a tool's result, as one message of a tool has them."""
    if isinstance(turn["content"], str):
        return turn
    blocks = [
        {**block, "content": "\n".join(one["text"] for one in block["content"])}
        if block["type"] == "tool_result" and not isinstance(block["content"], str)
        else block
        for block in turn["content"]
    ]
    return {**turn, "content": blocks}


@given(st.lists(turns, min_size=1, max_size=5))
def test_conversations_come_back_as_they_went(conversation: list[Any]) -> None:
    conversation = [*conversation, {"role": "user", "content": "and"}]
    said, rest = words({"model": "m", "max_tokens": 5, "messages": conversation})
    assert said is not None, rest
    assert by_turn(back(said["messages"])) == by_turn([flat(turn) for turn in conversation])
    roles = "".join({"user": "u", "tool": "t"}.get(one["role"], "a") for one in said["messages"])
    assert "ut" not in roles, "results of tools follow the calls"


@given(st.lists(uses, max_size=3), texts)
def test_a_whole_answer_keeps_its_calls(blocks: list[Any], text: str) -> None:
    calls = [
        {
            "id": one["id"],
            "type": "function",
            "function": {"name": one["name"], "arguments": json.dumps(one["input"])},
        }
        for one in blocks
    ]
    answer = {
        "id": "a",
        "model": "m",
        "choices": [{"message": {"content": text or None, "tool_calls": calls}, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}},
    }
    found = message(answer)
    assert found["content"] == ([{"type": "text", "text": text}] if text else []) + blocks
    assert found["stop_reason"] == "tool_use"
    assert found["usage"] == {
        "input_tokens": 6,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 3,
        "output_tokens": 4,
    }


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            '{"a": 1',
            "[1]",
            '"a"',
            "nothing",
            '{"a": 01}',
            '{"a": 1.}',
            '{"a": nope}',
            '{"a": 1,}',
            '{"a": [1,]}',
            "{} {}",
        ),
        *(
            "{a: 1}",
            '{"a" 1}',
            '{"a": "\n"}',
            '{"a": "\\x"}',
            '{"a": "\\u00\\n41"}',
            "{,}",
            '{"a": 1 "b": 2}',
            '{"a":' * 200 + "1" + "}" * 200,
        ),
    ],
)
def test_a_call_that_is_no_object_is_no_answer(arguments: str) -> None:
    calls = [{"id": "t", "type": "function", "function": {"name": "n", "arguments": arguments}}]
    assert message({"choices": [{"message": {"tool_calls": calls}}]}) is None


USAGE = b'data: {"id":"a","model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'
STREAM = b"".join(
    (
        b": a comment\n\n",
        event({"role": "assistant", "content": ""}),
        event({"content": 'wo"rd '}),
        event({"content": "é\u2028"}),
        call(0, "", name="look"),
        call(0, '{"ci'),
        call(0, 'ty": 1}'),
        call(1, "{}", name="look"),
        event({}, "tool_calls"),
        USAGE,
        DONE,
    )
)


def test_a_stream_is_said_event_by_event() -> None:
    found = events(streamed(STREAM))
    assert [one["type"] for one in found] == [
        "message_start",
        *("content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"),
        *("content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"),
        *("content_block_start", "content_block_delta", "content_block_stop"),
        *("message_delta", "message_stop"),
    ]
    blocks = [one["content_block"] for one in found if one["type"] == "content_block_start"]
    assert [(block["type"], block.get("id")) for block in blocks] == [
        ("text", None),
        ("tool_use", "t0"),
        ("tool_use", "t1"),
    ]
    parts = [one["delta"]["partial_json"] for one in found if one.get("delta", {}).get("type") == "input_json_delta"]
    assert parts == ['{"ci', 'ty": 1}', "{}"]
    assert found[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert found[-2]["usage"]["output_tokens"] == 4


@pytest.mark.parametrize("index", [{}, {"index": 0}], ids=["none", "the same"])
def test_calls_are_told_apart_by_their_ids_where_a_provider_gives_them_no_index_of_their_own(index: Any) -> None:
    calls = (
        {**index, "id": id_, "function": {"name": name, "arguments": part}}
        for id_, name, part in (("a", "look", '{"x":'), ("a", "look", "1}"), ("b", "find", '{"y":2}'))
    )
    found = events(streamed(*(event({"tool_calls": [one]}) for one in calls), event({}, "stop"), DONE))
    blocks = [one["content_block"] for one in found if one["type"] == "content_block_start"]
    assert [(one["id"], one["name"]) for one in blocks] == [("a", "look"), ("b", "find")]
    parts = [(one["index"], one["delta"]["partial_json"]) for one in found if one["type"] == "content_block_delta"]
    assert parts == [(0, '{"x":'), (0, "1}"), (1, '{"y":2}')]
    assert found[-2]["delta"]["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("stop", "tool_use"), ("tool_calls", "tool_use"), ("length", "max_tokens"), ("content_filter", "refusal")],
)
def test_an_answer_that_calls_a_tool_says_so_as_its_reason(finish: str, reason: str) -> None:
    calls = [{"index": 0, "id": "t", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
    found = events(streamed(event({"tool_calls": calls}), event({}, finish), DONE))
    assert found[-2]["delta"]["stop_reason"] == reason
    whole = {"choices": [{"message": {"content": None, "tool_calls": calls}, "finish_reason": finish}]}
    assert message(whole)["stop_reason"] == reason
    assert message({"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]})["stop_reason"] == "end_turn"


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_a_stream_may_be_cut_at_every_byte(newline: bytes) -> None:
    whole = STREAM.replace(b"\n", newline)
    wanted = streamed(STREAM)
    for at in range(len(whole)):
        assert streamed(whole[:at], whole[at:]) == wanted
    assert streamed(*(whole[at : at + 1] for at in range(len(whole)))) == wanted


def test_a_stream_without_its_last_word_ends_where_its_reason_was() -> None:
    assert streamed(STREAM.removesuffix(DONE)) == streamed(STREAM)
    assert events(streamed(event({"content": "a"})))[-1]["type"] == "content_block_delta"


@pytest.mark.parametrize(
    "broken",
    [
        b'data: {"error": {"message": "over", "code": 502}}\n\n',
        b"data: {\n\n",
        call(0, "{}", name="look") + call(1, "{}", name="look") + call(0, "{}"),
        event({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
        call(0, "", name="get_") + call(0, "{}", name="weather"),
        call(0, "{}", name="look") + call(1, "{}", name="look") + call(2, "{}", name="look").replace(b"t2", b"t0"),
        b"".join(call(number, "{}", name="look") for number in range(1001)),
    ],
    ids=[
        "an error",
        "no JSON",
        "calls that take turns",
        "a call without a name",
        "a name in parts",
        "an id twice",
        "too many calls",
    ],
)
def test_a_stream_that_cannot_be_said_ends_with_an_error(broken: bytes) -> None:
    found = events(streamed(event({"content": "a"}) + broken + event({"content": "b"}, "stop") + DONE))
    assert found[-1]["type"] == "error"
    assert "message_stop" not in [one["type"] for one in found]


def test_memory_of_a_stream_is_bounded() -> None:
    assert b'"type":"error"' in streamed(b"data: " + b"a" * 9_000_000, ends=False)


@pytest.mark.parametrize(
    ("body", "status", "kind", "said"),
    [
        ({"error": {"message": 'a "b"', "code": "x"}}, 400, "invalid_request_error", 'a "b"'),
        ({"error": "short"}, 429, "rate_limit_error", "short"),
        ({"detail": "x"}, 503, "api_error", "The provider answered 503."),
        ([], 529, "overloaded_error", "The provider answered 529."),
    ],
)
def test_an_error_keeps_its_message(body: Any, status: int, kind: str, said: str) -> None:
    found = json.loads(LUA[b"problem_of"](json.dumps(body).encode(), status))
    assert found == {"type": "error", "error": {"type": kind, "message": said}}


def test_an_event_that_names_neither_answer_nor_model_begins_nothing() -> None:
    found = b'data: {"choices":[],"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}\n\n'
    said = events(streamed(found, event({"role": "assistant", "content": "Hi"}), event({}, "stop"), DONE))
    assert (said[0]["type"], said[0]["message"]["id"], said[0]["message"]["model"]) == ("message_start", "a", "m")
    assert [one["type"] for one in said[:3]] == ["message_start", "content_block_start", "content_block_delta"]
