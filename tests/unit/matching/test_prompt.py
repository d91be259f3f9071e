import json
from math import inf
from typing import Any

import pytest

from fairlead.ir import Conditions, RouteRule, TokenRange
from fairlead.matching import Amiss, first_match, read
from fairlead.matching.members import loads

CHAT, COMPLETIONS, RESPONSES, MESSAGES = (
    f"/v1/{name}" for name in ("chat/completions", "completions", "responses", "messages")
)
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def says(role: str, content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **fields}


def prompt(body: dict[str, Any], path: str = CHAT) -> Any:
    return read(json.dumps(body).encode(), path)


@pytest.mark.parametrize(
    ("path", "body", "size", "pictures", "last"),
    [
        (CHAT, {"messages": [says("system", "abc"), says("user", "é")]}, 5, False, ("é",)),
        (CHAT, {"messages": [says("user", "one"), says("user", [PICTURE])]}, 3, True, ("one",)),
        (
            CHAT,
            {"messages": [says("user", [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])]},
            2,
            False,
            ("a", "b"),
        ),
        (
            CHAT,
            {"messages": [says("assistant", None, tool_calls=[{"function": {"name": "f", "arguments": "{}"}}])]},
            2,
            False,
            (),
        ),
        (CHAT, {"messages": [says("user", "a"), says("tool", "12345")]}, 6, False, ("a",)),
        (COMPLETIONS, {"prompt": ["ab", "cd"]}, 4, False, ("cd",)),
        (COMPLETIONS, {"prompt": [[1, 2], [3]]}, 12, False, ()),
        (RESPONSES, {"instructions": "abc", "input": "hi"}, 5, False, ("hi",)),
        (
            RESPONSES,
            {"input": [says("user", "q"), {"type": "function_call_output", "output": "four"}]},
            5,
            False,
            ("q",),
        ),
        (
            RESPONSES,
            {"input": [{"type": "computer_call_output", "output": {"type": "computer_screenshot"}}]},
            0,
            True,
            (),
        ),
        (MESSAGES, {"system": [{"type": "text", "text": "abc"}], "messages": [says("user", "q")]}, 4, False, ("q",)),
        (
            MESSAGES,
            {
                "messages": [
                    says("user", "q"),
                    says(
                        "user",
                        [{"type": "tool_result", "content": [{"type": "image"}, {"type": "text", "text": "ab"}]}],
                    ),
                ]
            },
            3,
            True,
            ("q",),
        ),
        (
            MESSAGES,
            {"messages": [says("assistant", [{"type": "tool_use", "input": {"a": "xy", "b": [{"c": "z"}]}}])]},
            3,
            False,
            (),
        ),
        (
            MESSAGES,
            {"messages": [says("user", [{"type": "document", "source": {"type": "text", "data": "abcd"}}])]},
            4,
            False,
            (),
        ),
        (
            MESSAGES,
            {"messages": [says("user", [{"type": "document", "source": {"type": "base64", "data": "abcd"}}])]},
            0,
            False,
            (),
        ),
    ],
)
def test_what_a_prompt_is(path: str, body: dict[str, Any], size: int, *, pictures: bool, last: tuple[str, ...]) -> None:
    found = prompt(body, path)
    assert (found.text_bytes, found.images, found.last_user_texts) == (size, pictures, last)


@pytest.mark.parametrize(
    ("path", "body", "wanted"),
    [
        (CHAT, {"response_format": {"type": "json_schema"}}, True),
        (CHAT, {"response_format": {"type": "text"}}, False),
        (RESPONSES, {"text": {"format": {"type": "json_object"}}}, True),
        (RESPONSES, {"response_format": {"type": "json_object"}}, False),
        (MESSAGES, {"output_config": {"format": {"type": "json_schema"}}}, True),
    ],
)
def test_whether_the_answer_is_to_be_json(path: str, body: dict[str, Any], *, wanted: bool) -> None:
    assert prompt(body, path).json is wanted


@pytest.mark.parametrize(
    "text",
    [
        '{"messages":[],"messages":[]}',
        '{"messages":[],"Messages":[]}',
        '{"messages":[{"role":"user","rol\\u0065":"system","content":""}]}',
        '{"messages":[{"role":"user","content":[{"type":"text","text":"a","text":"b"}]}]}',
        '{"messages":[',
        "[]",
        '{"a":NaN}',
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(Amiss, match="invalid_json"):
        assert read(text.encode(), CHAT).text_bytes


@pytest.mark.parametrize("limit", [0, -1, 2.5, "7", True, 10**15])
def test_a_limit_that_is_no_whole_number_is_refused(limit: Any) -> None:
    with pytest.raises(Amiss, match="invalid_max_tokens"):
        assert prompt({"max_tokens": limit}).output_limit


def test_a_limit_counts_beside_one_of_the_endpoints_own() -> None:
    assert prompt({"max_output_tokens": 7}).output_limit is None
    assert prompt({"max_output_tokens": 7, "max_tokens": 3}).output_limit == 7


def test_the_first_rule_whose_conditions_all_hold_applies() -> None:
    rules = [
        RouteRule(name="both", route="t/a", conditions=Conditions(tools=True, last_user_contains=("größe",))),
        RouteRule(name="long", route="t/b", conditions=Conditions(prompt_tokens=TokenRange(at_least=2, below=3))),
    ]

    def name(body: dict[str, Any]) -> str | None:
        found = first_match(rules, prompt(body))
        return found and found.name

    tools = {"tools": [{"type": "function"}]}
    assert name({"messages": [says("user", "GRÖßE")], **tools}) == "both"
    assert name({"messages": [says("user", "GRÖßE")]}) is None, "seven bytes are less than two tokens"
    assert name({"messages": [says("user", "a" * 8)], **tools}) == "long"
    assert name({"messages": [says("user", "a" * 12)], **tools}) is None


def test_a_number_of_any_length_is_one() -> None:
    digits = "1" * 5000
    assert dict(loads(f'{{"foo": {digits}, "bar": -{digits}, "baz": 12}}')) == {"foo": inf, "bar": -inf, "baz": 12}
