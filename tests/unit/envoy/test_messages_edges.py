"""What no other API can say, and what a provider says wrongly, goes nowhere as something else."""

from typing import Any

import pytest

from messages_cases import LINKED, PICTURE, TOOL, USE, assistant, result, user
from messages_lua import DONE, PLAIN, event, events, message, streamed, words

TEXTS = [{"type": "text", "text": "a"}]


@pytest.mark.parametrize(
    "value", [None, 12345, True, [" , ", ":"], {"a": 1}], ids=["null", "number", "true", "list", "object"]
)
@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (lambda one: {"system": [{"type": "text", "text": one}]}, "system"),
        (lambda one: user({"type": "text", "text": one}), "text"),
        (lambda one: assistant({"type": "text", "text": one}), "text"),
        (lambda one: result(content=[{"type": "text", "text": one}]), "tool_result"),
        (lambda one: user({"type": "tool_result", "tool_use_id": one}), "tool_use_id"),
        (lambda one: user({**PICTURE, "source": {**PICTURE["source"], "media_type": one}}), "source"),
        (lambda one: user({**PICTURE, "source": {**PICTURE["source"], "data": one}}), "source"),
        (lambda one: user({**LINKED, "source": {**LINKED["source"], "url": one}}), "source"),
        (lambda one: assistant({**USE, "id": one}), "id"),
        (lambda one: assistant({**USE, "name": one}), "name"),
        (lambda one: {"tools": [{**TOOL, "name": one}]}, "tools"),
    ],
)
def test_what_is_no_text_goes_nowhere_as_one(body: Any, refused: str, value: Any) -> None:
    assert words({**PLAIN, **body(value)}) == (None, refused)


@pytest.mark.parametrize("value", [None, "{}", [], 1])
def test_what_is_no_object_goes_nowhere_as_one(value: Any) -> None:
    assert words({**PLAIN, **assistant({**USE, "input": value})}) == (None, "input")
    assert words({**PLAIN, "tools": [{**TOOL, "input_schema": value}]}) == (None, "tools")


def test_the_parts_of_a_content_are_its_texts_and_thoughts_are_left_out() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "h"}]}
    content = [thought, *({"type": "text", "text": text} for text in ("a", "", "b"))]
    answer = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    assert [one["text"] for one in message(answer)["content"]] == ["a", "b"]
    found = events(streamed(event({"content": content}), event({"content": content[1:2]}, "stop"), DONE))
    assert [one["delta"]["text"] for one in found if one["type"] == "content_block_delta"] == ["a", "b", "a"]
    assert found[-1]["type"] == "message_stop"


@pytest.mark.parametrize(
    "said",
    [
        {"content": [{"type": "audio", "data": "x"}]},
        {"content": [{"type": "text", "text": 1}]},
        {"content": ["a"]},
        {"content": 12},
        {"content": {"type": "text", "text": "a"}},
        {"content": None, "function_call": {"name": "look", "arguments": "{}"}},
        {"tool_calls": [{"index": 0, "id": None, "function": {"name": "look", "arguments": "{}"}}]},
        {"tool_calls": [{"index": 0, "id": "", "function": {"name": "look", "arguments": "{}"}}]},
        {"tool_calls": [{"index": 0, "id": "t", "function": {"name": None, "arguments": "{}"}}]},
    ],
)
def test_what_no_message_can_say_is_no_answer_and_ends_a_stream_by_an_error(said: dict[str, Any]) -> None:
    assert message({"choices": [{"message": said, "finish_reason": "stop"}]}) is None
    found = events(streamed(event(said), event({}, "stop"), DONE))
    assert (found[-1]["type"], len(found)) == ("error", 2)


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (user(), "content"),
        (assistant(), "content"),
        ({"tools": [], "tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": None, "tool_choice": {"type": "any"}}, "tool_choice"),
    ],
)
def test_what_says_nothing_does_not_go_without_a_word(body: Any, refused: str) -> None:
    assert words({**PLAIN, **body}) == (None, refused)


def test_results_of_tools_follow_the_calls_whatever_else_the_user_says_between_them() -> None:
    calls = [{**USE, "id": "a"}, {**USE, "id": "b"}]
    ends = [{"type": "tool_result", "tool_use_id": name, "content": name} for name in "ab"]
    turns = [
        {"role": "assistant", "content": calls},
        {"role": "user", "content": [ends[0], PICTURE]},
        {"role": "user", "content": "and"},
        {"role": "user", "content": [ends[1]]},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    said, _ = words({**PLAIN, "messages": turns})
    assert [one["role"] for one in said["messages"]] == [
        "assistant",
        *("tool", "tool", "user", "user"),
        *("assistant", "user"),
    ]
    assert [one.get("tool_call_id") for one in said["messages"][1:3]] == ["a", "b"]


def test_what_an_answer_does_not_name_has_a_name_all_the_same() -> None:
    choices = [{"message": {"content": "a"}, "finish_reason": "stop"}]
    assert (message({"choices": choices, "id": None, "model": None})["id"]) == "msg"
    begun = events(streamed(event({"content": "a"}, id=None, model=None)))[0]["message"]
    assert (begun["id"], begun["model"]) == ("msg", "")


@pytest.mark.parametrize(
    ("said", "words_of_it"),
    [
        (b'data: {"object":"error","message":"over","code":500}\n\n', "over"),
        (b'data: {"object":"error"}\n\n', "The provider ended the stream by an error."),
        (b'{"choices":[{"message":{"content":"no stream"}}]}', "The provider's stream cannot be understood."),
        (b"a page\n\nof text\n\n", "The provider's stream cannot be understood."),
        (DONE, "The provider's stream cannot be understood."),
        (b"", "The provider's stream cannot be understood."),
    ],
)
def test_a_stream_that_says_no_message_ends_by_an_error(said: bytes, words_of_it: str) -> None:
    (found,) = events(streamed(said))
    assert (found["type"], found["error"]["message"]) == ("error", words_of_it)
