"""What no other API can say, and what a provider says wrongly, goes nowhere as something else."""

import json
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
        {"content": None, "audio": {"id": "a", "data": "aGk=", "transcript": "hi"}},
        {"content": "a", "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]},
        {"tool_calls": [{"index": 0, "id": None, "function": {"name": "look", "arguments": "{}"}}]},
        {"tool_calls": [{"index": 0, "id": "", "function": {"name": "look", "arguments": "{}"}}]},
        {"tool_calls": [{"index": 0, "id": "t", "function": {"name": None, "arguments": "{}"}}]},
    ],
)
def test_what_no_message_can_say_is_no_answer_and_ends_a_stream_by_an_error(said: dict[str, Any]) -> None:
    assert message({"choices": [{"message": said, "finish_reason": "stop"}]}) is None
    found = events(streamed(event(said), event({}, "stop"), DONE))
    assert (found[-1]["type"], len(found)) == ("error", 2)


@pytest.mark.parametrize("nothing", [{}, {"audio": None, "images": None}, {"images": [], "function_call": None}])
def test_what_has_nothing_in_it_hinders_no_answer(nothing: dict[str, Any]) -> None:
    said = {"content": "a", **nothing}
    assert message({"choices": [{"message": said, "finish_reason": "stop"}]})["content"] == TEXTS
    assert events(streamed(event(said), event({}, "stop"), DONE))[-1]["type"] == "message_stop"


@pytest.mark.parametrize(
    ("id_", "said"),
    [("call_1-a", "call_1-a"), ("functions.look:0", "functions_2elook_3a0"), ("a/é", "a_2f_c3_a9")],
)
def test_ids_of_calls_are_such_as_the_clients_api_takes_back(id_: str, said: str) -> None:
    call = {"index": 0, "id": id_, "function": {"name": "look", "arguments": "{}"}}
    assert message({"choices": [{"message": {"tool_calls": [call]}}]})["content"][0]["id"] == said
    found = events(streamed(event({"tool_calls": [call]}), event({"tool_calls": [call]}, "tool_calls"), DONE))
    assert [one["content_block"]["id"] for one in found if one["type"] == "content_block_start"] == [said]


@pytest.mark.parametrize(
    ("usage", "output"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 40}, 31),
        ({"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}, 5),
        ({"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 3}, 5),
        ({"prompt_tokens": 9, "completion_tokens": 5}, 5),
    ],
)
def test_the_client_is_told_what_is_billed(usage: dict[str, int], output: int) -> None:
    whole = {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}], "usage": usage}
    assert message(whole)["usage"]["output_tokens"] == output
    said = events(streamed(event({"content": "a"}, "stop", usage=usage), DONE))
    assert said[-2]["usage"]["output_tokens"] == output


def test_arguments_that_are_null_are_none() -> None:
    call = {"id": "t", "function": {"name": "look", "arguments": None}}
    assert message({"choices": [{"message": {"tool_calls": [call]}}]})["content"][0]["input"] == {}


def test_an_event_may_have_several_lines() -> None:
    lines = json.dumps(json.loads(event({"content": "a\u2028b"}, "stop")[6:]), indent=1).splitlines()
    said = "".join(f"data: {line}\n" for line in lines).encode() + b"\n"
    assert events(streamed(said, DONE))[-1]["type"] == "message_stop"
    cut = b'data: {"choices":[{"index":0,"delta":{"content":"a\ndata: b"}}]}\n\n'
    assert [one.get("delta", {}).get("text") for one in events(streamed(cut))][-1] == "a b"


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


@pytest.mark.parametrize(
    ("tool", "refused"),
    [
        ({"defer_loading": True}, "tools.defer_loading"),
        ({"allowed_callers": ["code_execution_20250825"]}, "tools.allowed_callers"),
    ],
)
def test_what_says_something_of_a_tool_is_refused(tool: dict[str, Any], refused: str) -> None:
    assert words({**PLAIN, "tools": [{**TOOL, **tool}]}) == (None, refused)
