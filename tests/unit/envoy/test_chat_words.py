"""chat/completions in the words of Messages, by the gateway's own Lua in LuaJIT: requests, whole answers, errors."""

import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_cases import CALL, CASES, QUESTION, TOOL, USE, messages, user
from chat_lua import LUA, MOST, PLAIN, SAID, completion, problem, table, words, words_of
from fairlead.demo.provider import blocks
from fairlead.demo.provider.messages import read
from messages_cases import Case


@pytest.mark.parametrize("case", CASES, ids=[case.what[:60] for case in CASES])
def test_what_becomes_of_a_member(case: Case) -> None:
    said, rest = words({**PLAIN, **case.members}, **case.terms)
    if case.refused:
        assert (said, rest) == (None, case.refused)
    else:
        assert (said, rest) == ({**SAID, **case.said}, case.left_out)


def test_the_documentation_has_all_of_it() -> None:
    text = Path("docs/chat-completions.md").read_text(encoding="utf-8")
    table = text.partition("<!-- words -->\n")[2].partition("\n\n")[0].splitlines()
    assert table[2:] == [case.row for case in CASES]


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
names = st.text("abcXYZ_-019", min_size=1, max_size=8)
parts = st.builds(lambda text: {"type": "text", "text": text}, texts)
pictures = st.just({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}})
contents = texts | st.lists(parts | pictures, min_size=1, max_size=3)
calls = st.builds(
    lambda name, given: {"type": "function", "function": {"name": name, "arguments": json.dumps(given)}},
    names,
    st.dictionaries(texts, values, max_size=3),
)


@st.composite
def conversations(draw: st.DrawFn) -> list[Any]:
    """Draw a conversation as OpenAI's API takes it: calls are answered at once, and the user comes last."""
    found: list[Any] = [{"role": "system", "content": text} for text in draw(st.lists(texts, max_size=2))]
    number = 0
    for _ in range(draw(st.integers(0, 4))):
        found += [{"role": "user", "content": one} for one in draw(st.lists(contents, min_size=1, max_size=2))]
        called = [{**one, "id": f"t{number + at}"} for at, one in enumerate(draw(st.lists(calls, max_size=3)))]
        number += len(called)
        spoken = draw(st.none() | texts) if called else draw(texts)
        found.append({"role": "assistant", "content": spoken, **({"tool_calls": called} if called else {})})
        found += [{"role": "tool", "tool_call_id": one["id"], "content": draw(texts)} for one in called]
    return [*found, {"role": "user", "content": draw(contents)}]


def parts_of(content: Any) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def normal(conversation: list[Any]) -> list[Any]:
    """Join what one says in several messages, as Anthropic's API takes it."""
    found: list[Any] = []
    for one in conversation:
        if one["role"] in ("system", "user") and found and found[-1]["role"] == one["role"]:
            found[-1] = {**found[-1], "content": found[-1]["content"] + parts_of(one["content"])}
        elif one["role"] in ("system", "user"):
            found.append({**one, "content": parts_of(one["content"])})
        else:
            found.append(one)
    return found


def back(said: Any) -> list[Any]:
    """Say a request to Messages in the words of chat/completions."""
    found: list[Any] = [{"role": "system", "content": said["system"]}] if "system" in said else []
    for turn in said["messages"]:
        kinds: dict[str, list[Any]] = {}
        for block in turn["content"]:
            kinds.setdefault(block["type"], []).append(block)
        if turn["role"] == "assistant":
            called = [
                {
                    "id": one["id"],
                    "type": "function",
                    "function": {"name": one["name"], "arguments": json.dumps(one["input"])},
                }
                for one in kinds.get("tool_use", ())
            ]
            spoken = "".join(one["text"] for one in kinds.get("text", ())) or None
            found.append({"role": "assistant", "content": spoken, **({"tool_calls": called} if called else {})})
            continue
        found += [
            {"role": "tool", "tool_call_id": one["tool_use_id"], "content": one["content"]}
            for one in kinds.get("tool_result", ())
        ]
        others = [
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{one['source']['data']}"}}
            if one["type"] == "image"
            else one
            for one in turn["content"]
            if one["type"] != "tool_result"
        ]
        if others:
            found.append({"role": "user", "content": others})
    return found


@given(conversations())
def test_conversations_come_back_as_they_went_and_a_strict_provider_takes_them(conversation: list[Any]) -> None:
    said, rest = words({"model": "m", "messages": conversation})
    assert said is not None, rest
    read(said)
    roles = [turn["role"] for turn in said["messages"]]
    assert all(one != other for one, other in pairwise(roles))
    assert normal(back(said)) == normal(conversation)


@pytest.mark.parametrize("case", [case for case in CASES if not case.refused], ids=lambda case: case.what[:60])
def test_a_strict_provider_takes_each_of_them(case: Case) -> None:
    said, _ = words({**PLAIN, **case.members}, **case.terms)
    for field, value in said.items():
        if field == "messages":  # results of tools alone stand in some
            [blocks.content(turn["content"], "content") for turn in value]
        else:
            more = {"tools": said["tools"]} if field == "tool_choice" else {}
            read({**SAID, "max_tokens": said["max_tokens"], **more, field: value})


def answered(*content: Any, reason: str | None = "end_turn", **usage: int) -> dict[str, Any]:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": list(content)}
    return {**message, "stop_reason": reason, "stop_sequence": None, "usage": usage}


@given(
    st.lists(texts, max_size=2), st.lists(st.dictionaries(texts, values, max_size=3), max_size=3), st.integers(0, 9**9)
)
def test_a_whole_answer_keeps_its_texts_and_calls(said: list[str], inputs: list[Any], tokens: int) -> None:
    uses = [{**USE, "id": f"t{number}", "input": one} for number, one in enumerate(inputs)]
    content = [{"type": "text", "text": one} for one in said]
    thought = {"type": "thinking", "thinking": "h", "signature": "s"}
    usage = {
        "input_tokens": tokens,
        "cache_read_input_tokens": 3,
        "cache_creation_input_tokens": 4,
        "output_tokens": 5,
    }
    found = completion(answered(thought, *content, *uses, reason="tool_use", **usage))
    (choice,) = found["choices"]
    assert (found["id"], found["model"], found["object"]) == ("msg_1", "claude", "chat.completion")
    assert choice["message"]["content"] == ("".join(said) if said else None)
    called = choice["message"].get("tool_calls", [])
    assert [json.loads(one["function"]["arguments"]) for one in called] == inputs
    assert [(one["id"], one["type"], one["function"]["name"]) for one in called] == [
        (one["id"], "function", "look") for one in uses
    ]
    assert found["usage"] == {
        "prompt_tokens": tokens + 7,
        "completion_tokens": 5,
        "total_tokens": tokens + 12,
        "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 4},
    }


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
        (None, "stop"),
    ],
)
def test_why_an_answer_ended(reason: str | None, finish: str) -> None:
    (choice,) = completion(answered({"type": "text", "text": "a"}, reason=reason))["choices"]
    assert choice["finish_reason"] == finish


@pytest.mark.parametrize(
    "answer",
    [
        answered({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
        answered({"type": "text", "text": 1}),
        answered({**USE, "input": "{}"}),
        answered({**USE, "id": None}),
        answered({**USE, "name": ""}),
        answered("a"),
        {**answered(), "content": "a"},
        {**answered(), "type": "error"},
        {"choices": []},
        [],
    ],
)
def test_what_no_completion_can_say_is_no_answer(answer: Any) -> None:
    assert completion(answer) is None


@pytest.mark.parametrize(
    ("body", "status", "kind", "code", "said"),
    [
        (
            {"type": "error", "error": {"type": "invalid_request_error", "message": 'a "b"'}},
            400,
            *("invalid_request_error", None, 'a "b"'),
        ),
        (
            {"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}},
            429,
            *("rate_limit_error", "rate_limit_exceeded", "slow"),
        ),
        (
            {"type": "error", "error": {"type": "overloaded_error", "message": "o"}},
            529,
            *("server_error", "overloaded", "o"),
        ),
        (
            {"type": "error", "error": {"type": "request_too_large", "message": "o"}},
            413,
            *("invalid_request_error", "request_too_large", "o"),
        ),
        ({"type": "error", "error": {"type": "api_error", "message": "o"}}, 500, *("server_error", None, "o")),
        ({"error": "short"}, 429, "rate_limit_error", None, "short"),
        ({"detail": "x"}, 503, "server_error", None, "The provider answered 503."),
        ([], 418, "invalid_request_error", None, "The provider answered 418."),
    ],
)
def test_an_error_keeps_its_message(body: Any, status: int, kind: str, code: str | None, said: str) -> None:
    error = {"message": said, "type": kind, "param": None, "code": code}
    assert problem(body, status) == {"error": error}
    assert LUA[b"is_own"](json.dumps(problem(body, status), separators=(",", ":")).encode()) is True
    assert not LUA[b"is_own"](json.dumps(body, separators=(",", ":")).encode())


def test_a_limit_may_be_the_clients_alone() -> None:
    said, _ = words({**PLAIN, "max_tokens": 5})
    assert said["max_tokens"] == 5
    assert words(PLAIN)[0]["max_tokens"] == MOST


@pytest.mark.parametrize(
    "value", [None, 12345, True, [" , ", ":"], {"a": 1}], ids=["null", "number", "true", "list", "object"]
)
@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (lambda one: messages({"role": "system", "content": [{"type": "text", "text": one}]}, QUESTION), "content"),
        (lambda one: messages(user({"type": "text", "text": one})), "content"),
        (lambda one: messages(user({"type": "image_url", "image_url": {"url": one}})), "image_url"),
        (lambda one: messages({"role": "tool", "tool_call_id": one, "content": "a"}), "tool_call_id"),
        (lambda one: messages({"role": "assistant", "tool_calls": [{**CALL, "id": one}]}, QUESTION), "tool_calls"),
        (
            lambda one: messages(
                {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": one, "arguments": "{}"}}]}, QUESTION
            ),
            "tool_calls",
        ),
        (lambda one: {"tools": [{"type": "function", "function": {"name": one}}]}, "tools"),
        (lambda one: {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": one}}}, "tool_choice"),
        (lambda one: {"stop": [one]}, "stop"),
    ],
)
def test_what_is_no_text_goes_nowhere_as_one(body: Any, refused: str, value: Any) -> None:
    assert words({**PLAIN, **body(value)}) == (None, refused)


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "a"}]}, "messages"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages"),
        ({"messages": [{"role": "user", "content": " \n\t\r\n "}]}, "messages"),
        ({"messages": [user({"type": 5})]}, "content"),
        ({"messages": [{"role": "robot", "content": "a"}]}, "role"),
        ({"messages": [{"content": "a"}]}, "role"),
        ({"messages": [{"role": "user", "content": 5}]}, "content"),
        ({"messages": [{**QUESTION, "tool_calls": []}]}, "user.tool_calls"),
        ({"messages": [user({"type": "image_url", "image_url": {"url": "ftp://x"}})]}, "image_url"),
        ({"messages": [{"role": "system", "content": [{"type": "image_url"}]}, QUESTION]}, "content of type image_url"),
        ({"temperature": "0.5"}, "temperature"),
        ({"tools": [{**TOOL, "function": {"name": "f", "parameters": []}}]}, "tools"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "response_format"),
    ],
)
def test_what_cannot_be_said_is_named(body: Any, refused: str) -> None:
    assert words({**PLAIN, **body}) == (None, refused)


def is_object(text: str) -> bool:
    """Tell whether a text is one object of RFC 8259."""

    def none(_: str) -> None:
        raise ValueError

    try:
        return isinstance(json.loads(text, parse_constant=none), dict)
    except ValueError:
        return False


HEAD = '{"model":"m","messages":['
ONE = '{"role":"user","content":"a"}'


def called(arguments: str) -> str:
    call = '{"id":"t","type":"function","function":{"name":"f","arguments":"' + arguments + '"}}'
    return HEAD + '{"role":"assistant","tool_calls":[' + call + "]}," + ONE + "]}"


LONG: dict[str, Callable[[int], str]] = {
    "messages": lambda size: HEAD + ",".join([ONE] * (size // 30)) + "]}",
    "parts": lambda size: (
        HEAD + '{"role":"user","content":[' + ",".join(['{"type":"text","text":"a"}'] * (size // 27)) + "]}]}"
    ),
    "results": lambda size: HEAD + '{"role":"tool","tool_call_id":"t","content":"a"},' * (size // 50) + ONE + "]}",
    "later messages of the system": lambda size: HEAD + ONE + ',{"role":"system","content":"a"}' * (size // 32) + "]}",
    "a blank stop": lambda size: HEAD + ONE + '],"stop":"' + " " * size + '"}',
    "blanks in a list": lambda size: HEAD + ONE + '],"modalities":[' + " " * size + "]}",
    "a URL that goes on and on": lambda size: (
        HEAD
        + '{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:'
        + ";base64" * (size // 7)
        + '"}}]}]}'
    ),
    "an id": lambda size: HEAD + '{"role":"tool","tool_call_id":"' + ":" * size + '"}]}',
    "arguments of numbers": lambda size: called('{\\"a\\":[' + "1," * (size // 2) + "1]}"),
    "arguments of blanks": lambda size: called("{" + " " * size),
    "arguments in arguments": lambda size: called('{\\"a\\":' * (size // 6)),
}


@pytest.mark.parametrize("name", LONG)
def test_what_is_four_times_as_long_costs_about_as_many_times_more(name: str) -> None:
    def cost_s(size: int) -> float:
        text, found = LONG[name](size).encode(), []
        for _ in range(3):
            began = time.process_time()
            LUA[b"in_other_words"](text, table())
            found.append(time.process_time() - began)
        return min(found)

    assert cost_s(1_200_000) < 10 * max(cost_s(300_000), 0.002)  # 16 where it is quadratic


def test_a_name_that_stands_there_twice_is_refused() -> None:
    assert words_of(HEAD + ONE + '],"user":"a","user":"b"}') == (None, "body")
    assert words_of(HEAD + '{"role":"user","role":"user","content":"a"}]}') == (None, "messages")


def takes(arguments: str) -> bool:
    called = {**CALL, "function": {"name": "look", "arguments": arguments}}
    body = {**PLAIN, **messages({"role": "assistant", "tool_calls": [called]}, QUESTION)}
    said, _ = LUA[b"in_other_words"](json.dumps(body).encode(), table())
    if said is not None:
        assert json.loads(said)["messages"][0]["content"][0]["input"] == json.loads(arguments)
    return said is not None


odd = st.text('{}[]":,\\u0019aeE+-. tfn\n/', max_size=14)


@given(odd)
def test_arguments_are_an_object_and_nothing_else(text: str) -> None:
    assert takes("{" + text) == is_object("{" + text)


@given(st.dictionaries(texts, values, max_size=3), st.integers(0, 200), odd, st.integers(0, 2), st.none() | st.just(1))
def test_arguments_that_were_damaged_are_none(value: Any, at: int, piece: str, cut: int, indent: int | None) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    assert takes(text)
    at %= len(text) + 1
    damaged = text[:at] + piece[:2] + text[at + cut :]
    assert takes(damaged) == is_object(damaged)
