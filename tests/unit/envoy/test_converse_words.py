"""Requests in the words of Bedrock's Converse, by the gateway's own Lua: held against botocore's model of it."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converse_cases import CASES as MESSAGES
from converse_chat_cases import CASES as CHAT
from converse_lua import cost_s, said_of_chat, said_of_messages
from converse_model import check
from messages_cases import Case

PLAIN = {"model": "m", "messages": [{"role": "user", "content": "q"}]}
ASKED = {"messages": [{"role": "user", "content": [{"text": "q"}]}]}
PAIRS = [
    *((said_of_messages, case) for case in MESSAGES),
    *((said_of_chat, case) for case in CHAT),
]
Say = Callable[..., tuple[Any, str]]


@pytest.mark.parametrize(("say", "case"), PAIRS, ids=[f"{say.__name__}-{case.what[:50]}" for say, case in PAIRS])
def test_what_becomes_of_a_member(say: Say, case: Case) -> None:
    found, rest = say({**PLAIN, **case.members}, **case.terms)
    if case.refused:
        assert (found, rest) == (None, case.refused)
    else:
        assert (found, rest) == ({**ASKED, **case.said}, case.left_out)
        check(found)


@pytest.mark.parametrize(("marker", "cases"), [("messages", MESSAGES), ("chat", CHAT)])
def test_the_documentation_has_all_of_it(marker: str, cases: tuple[Case, ...]) -> None:
    text = Path("docs/converse.md").read_text(encoding="utf-8")
    table = text.partition(f"<!-- words: {marker} -->\n")[2].partition("\n\n")[0].splitlines()
    assert table[2:] == [case.row for case in cases]


@pytest.mark.parametrize(
    ("say", "body", "refused"),
    [
        (said_of_messages, {"messages": []}, "messages"),
        (said_of_messages, {"messages": [{"role": "system", "content": "a"}]}, "role"),
        (said_of_messages, {"messages": [{"role": "user", "content": 5}]}, "content"),
        (said_of_messages, {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "text"),
        (said_of_messages, {"system": [{"type": "image"}]}, "system of type image"),
        (said_of_messages, {"tools": [{"name": "n", "input_schema": "{}"}]}, "tools"),
        (said_of_messages, {"output_config": {"task_budget": 5}}, "output_config.task_budget"),
        (said_of_messages, {"output_format": {"type": "text"}}, "output_format of type text"),
        (said_of_chat, {"messages": []}, "messages"),
        (said_of_chat, {"messages": [{"role": "robot", "content": "a"}]}, "role"),
        (said_of_chat, {"messages": [{"role": "system", "content": "a"}]}, "messages"),
    ],
)
def test_what_cannot_be_said_is_named(say: Say, body: Any, refused: str) -> None:
    assert say({**PLAIN, **body}) == (None, refused)


@pytest.mark.parametrize(
    ("say", "picture"),
    [
        (said_of_messages, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}),
        (said_of_chat, {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}),
    ],
)
def test_a_slash_may_be_escaped(say: Say, picture: Any) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": [picture]}]}
    assert say(json.dumps(body).replace("/", r"\/")) == say(body)


@pytest.mark.parametrize("say", [said_of_messages, said_of_chat])
def test_a_text_with_nothing_to_read_in_it_is_not_said(say: Say) -> None:
    texts = ["", " ", "\n\n", "\t \r\n", "tn", "\\n", " x"]
    asked = [{"type": "text", "text": one} for one in texts]
    turns = [{"role": "user", "content": asked}, *({"role": "user", "content": one} for one in texts)]
    found, _ = say({"model": "m", "messages": turns})
    assert [one["text"] for one in found["messages"][0]["content"]] == ["tn", "\\n", " x"] * 2
    check(found)


def test_how_tokens_are_drawn_is_a_hint_where_the_provider_says_so() -> None:
    for say in (said_of_messages, said_of_chat):
        assert say({**PLAIN, "top_k": 5}, claude=False, leaves=True) == (ASKED, "top_k")


def test_a_thought_that_nobody_signed_does_not_go_back_to_claude() -> None:
    thought = {"type": "thinking", "thinking": "h", "signature": ""}
    content = [thought, {"type": "text", "text": "a"}]
    found, rest = said_of_messages({"messages": [{"role": "assistant", "content": content}]})
    assert (found["messages"][0]["content"], rest) == ([{"text": "a"}], "thinking")


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
names = st.text("abcXYZ_-019", min_size=1, max_size=8)
marks = st.sampled_from([{}, {}, {"cache_control": {"type": "ephemeral"}}])
text_blocks = st.builds(lambda text, mark: {"type": "text", "text": text, **mark}, texts, marks)
pictures = st.builds(
    lambda kind: {"type": "image", "source": {"type": "base64", "media_type": f"image/{kind}", "data": "aGk="}},
    st.sampled_from(["png", "jpeg", "gif", "webp"]),
)
thoughts = st.builds(lambda text: {"type": "thinking", "thinking": text, "signature": "EqQB"}, texts)
calls = st.builds(
    lambda name, value: {"type": "tool_use", "name": name, "input": value},
    names,
    st.dictionaries(texts, values, max_size=3),
)
results = st.builds(
    lambda content, failed: {"type": "tool_result", "content": content, **({"is_error": True} if failed else {})},
    st.lists(text_blocks.map(lambda block: {**block, "cache_control": None}) | pictures, max_size=2),
    st.booleans(),
)


@st.composite
def conversations(draw: st.DrawFn) -> list[Any]:
    """Draw a conversation as Anthropic's API takes it: calls are answered at once, and the user comes last."""
    found: list[Any] = []
    number, answers = 0, []
    for _ in range(draw(st.integers(0, 3))):
        asked = draw(st.lists(text_blocks | pictures, min_size=0 if answers else 1, max_size=3))
        found.append({"role": "user", "content": [*answers, *asked]})
        called = [{**one, "id": f"t{number + at}"} for at, one in enumerate(draw(st.lists(calls, max_size=3)))]
        number += len(called)
        spoken = draw(st.lists(text_blocks, min_size=0 if called else 1, max_size=2))
        found.append({"role": "assistant", "content": [*draw(st.lists(thoughts, max_size=1)), *spoken, *called]})
        answers = [{**draw(results), "tool_use_id": one["id"]} for one in called]
    return [*found, {"role": "user", "content": [*answers, *draw(st.lists(text_blocks, min_size=1, max_size=2))]}]


def without_nothing(block: Any) -> Any:
    if isinstance(block, list):
        return [without_nothing(one) for one in block]
    return {name: without_nothing(one) if name == "content" else one for name, one in block.items() if one is not None}


def back(content: list[Any]) -> list[Any]:
    """Say blocks of Converse in the words of Messages."""
    found: list[Any] = []
    for one in content:
        ((kind, value),) = one.items()
        if kind == "cachePoint":
            found[-1] = {**found[-1], "cache_control": {"type": "ephemeral"}}
        elif kind == "text":
            found.append({"type": "text", "text": value})
        elif kind == "image":
            source = {"type": "base64", "media_type": f"image/{value['format']}", "data": value["source"]["bytes"]}
            found.append({"type": "image", "source": source})
        elif kind == "toolUse":
            found.append({"type": "tool_use", "name": value["name"], "input": value["input"], "id": value["toolUseId"]})
        elif kind == "toolResult":
            failed = {"is_error": True} if value.get("status") == "error" else {}
            inner = {"content": back(value["content"]), **failed, "tool_use_id": value["toolUseId"]}
            found.append({"type": "tool_result", **inner})
        else:
            said = value["reasoningText"]
            found.append({"type": "thinking", "thinking": said["text"], "signature": said["signature"]})
    return found


@given(conversations())
def test_conversations_come_back_as_they_went_and_the_model_takes_them(conversation: list[Any]) -> None:
    tools = {"tools": [{"name": "look", "input_schema": {"type": "object"}}]}
    said, rest = said_of_messages({"model": "m", "max_tokens": 5, "messages": conversation, **tools})
    assert said is not None, rest
    assert rest == ""
    check(said)
    assert all(one["role"] != other["role"] for one, other in pairwise(said["messages"]))
    there_and_back = [{**one, "content": back(one["content"])} for one in said["messages"]]
    assert there_and_back == [{**one, "content": without_nothing(one["content"])} for one in conversation]


def block(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields}, separators=(",", ":"))


HEAD = '{"model":"m","tools":[{"name":"n","input_schema":{}}],"messages":['
MARKED = block("text", text="a", cache_control={"type": "ephemeral"})
RESULT = block("tool_result", tool_use_id="t", content="a")


def said_by_a_user(*blocks: str) -> str:
    return HEAD + '{"role":"user","content":[' + ",".join(blocks) + "]}]}"


LONG: dict[str, Callable[[int], str]] = {
    "messages": lambda size: HEAD + ",".join(['{"role":"user","content":"a"}'] * (size // 30)) + "]}",
    "parts": lambda size: said_by_a_user(*[MARKED] * (size // 66)),
    "results": lambda size: said_by_a_user(*[RESULT] * (size // 54)),
    "a picture": lambda size: said_by_a_user(
        block("image", source={"type": "base64", "media_type": "image/png", "data": "a" * size})
    ),
}


@pytest.mark.parametrize("name", LONG)
def test_what_is_four_times_as_long_costs_about_as_many_times_more(name: str) -> None:
    assert cost_s(LONG[name](800_000)) < 10 * max(cost_s(LONG[name](200_000)), 0.002)  # 16 where it is quadratic
