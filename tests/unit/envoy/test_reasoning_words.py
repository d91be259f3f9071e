"""How much a model thinks, in the words of the other API: what a strict provider takes, there and back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chat_lua
import messages_lua
from chat_cases import CALL, QUESTION, TOOL
from fairlead.demo.provider.chat import read_chat
from fairlead.demo.provider.messages import read

WORDS = ("minimal", "low", "medium", "high", "xhigh")
AFTER_TOOLS = [
    QUESTION,
    {"role": "assistant", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "t", "content": "a"},
]


def chat(reasoning: str, **members: Any) -> tuple[Any, str]:
    return chat_lua.words({**chat_lua.PLAIN, **members}, reasoning=reasoning)


def messages(**members: Any) -> tuple[Any, str]:
    said, left_out = messages_lua.words({**messages_lua.PLAIN, **members}, reasoning="Effort")
    read_chat(said)
    return said.get("reasoning_effort"), left_out


@given(st.sampled_from(WORDS), st.integers(1, 300_000))
def test_a_budget_leaves_room_for_an_answer(word: str, limit: int) -> None:
    said, left_out = chat("Budget", reasoning_effort=word, max_tokens=limit)
    read(said)
    assert said["max_tokens"] == limit
    assert ("thinking" in said) == (limit > 1024)
    assert left_out == ("" if limit > 1024 else "reasoning_effort")


@given(
    st.sampled_from(("Budget", "Effort")),
    st.sampled_from(WORDS),
    st.fixed_dictionaries(
        {},
        optional={
            "temperature": st.sampled_from((0, 0.5, 1, 1.0, None)),
            "top_p": st.sampled_from((0.5, 0.94, 0.95, 1, None)),
            "top_k": st.sampled_from((5, None)),
            "tool_choice": st.sampled_from(
                ("auto", "none", "required", {"type": "function", "function": {"name": "look"}})
            ),
            "messages": st.just(AFTER_TOOLS),
        },
    ),
)
def test_what_thinking_is_not_taken_with_is_asked_without_it(reasoning: str, word: str, members: Any) -> None:
    said, left_out = chat(reasoning, tools=[TOOL], reasoning_effort=word, **members)
    read(said)
    assert ("thinking" in said) == (left_out == "")
    free = (
        members.get("temperature") in {None, 1}
        and (members.get("top_p") or 1) >= 0.95
        and members.get("top_k") is None
        and members.get("tool_choice", "auto") in ("auto", "none")
        and not (reasoning == "Budget" and "messages" in members)
    )
    assert ("thinking" in said) == free


@pytest.mark.parametrize("limit", [6000, 32_000, 128_000])
@pytest.mark.parametrize("word", ["low", "medium", "high"])
def test_there_and_back_is_the_same_word(word: str, limit: int) -> None:
    for reasoning in ("Budget", "Effort"):
        said, _ = chat(reasoning, reasoning_effort=word, max_tokens=limit)
        back = {name: said[name] for name in ("thinking", "output_config") if name in said}
        assert messages(max_tokens=limit, **back) == (word, "")


@pytest.mark.parametrize("value", ["", "loud", "HIGH", 'a"b', 7, ["low"], {"a": 1}, True])
def test_an_unknown_word_is_a_hint_all_the_same(value: Any) -> None:
    for reasoning in ("Budget", "Effort"):
        assert chat(reasoning, reasoning_effort=value) == (chat_lua.SAID, "reasoning_effort")


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 10_000}, ("low", "")),
        ({"thinking": {"type": "enabled", "budget_tokens": 5000}, "max_tokens": 10_000}, ("medium", "")),
        ({"thinking": {"type": "enabled", "budget_tokens": 31_999}, "max_tokens": 32_000}, ("high", "")),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, (None, "thinking")),
        ({"thinking": {"type": "enabled", "budget_tokens": "x"}, "max_tokens": 9}, (None, "thinking")),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, (None, "output_config.effort")),
        ({"output_config": {"effort": "low"}}, (None, "output_config.effort")),
        ({"thinking": {"type": "adaptive"}, "output_config": {}}, (None, "")),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "loud"}}, (None, "output_config.effort")),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}, ("high", "")),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 9}, "max_tokens": 10, "output_config": {"effort": "low"}},
            ("low", ""),
        ),
        ({"thinking": None, "output_config": None}, (None, "")),
    ],
)
def test_what_thinking_becomes(members: Any, said: tuple[str | None, str]) -> None:
    assert messages(**members) == said
