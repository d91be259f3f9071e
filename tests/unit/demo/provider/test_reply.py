"""Sizes, finish reasons and samples of answers."""

from typing import Any

import pytest

from fairlead.demo.provider.reply import Finish, Habits, Question, Tool, answer, sample, tokens_of

HABITS = Habits(region="eu-west-1", answer_tokens=12, cached_percent=25)


@pytest.mark.parametrize(
    ("limit", "wanted", "tokens", "finish"),
    [
        (None, None, 12, Finish.STOP),
        (5, None, 5, Finish.LENGTH),
        (12, None, 12, Finish.STOP),
        (None, 300, 300, Finish.STOP),
        (100, 300, 100, Finish.LENGTH),
        (None, 0, 0, Finish.STOP),
    ],
)
def test_length(limit: int | None, wanted: int | None, tokens: int, finish: Finish) -> None:
    reply = answer(Question(model="m", limit=limit, wanted=wanted), HABITS, number=1, usage=True)
    assert (len(reply.pieces), reply.finish) == (tokens, finish)


def test_text_names_region_and_model() -> None:
    assert answer(Question(model="m"), HABITS, number=1, usage=True).text.startswith("eu-west-1/m is")


def test_usage_counts_choices_and_cache() -> None:
    reply = answer(Question(model="m", choices=3, prompt_tokens=100), HABITS, number=1, usage=True)
    assert reply.usage is not None
    assert (reply.usage.prompt, reply.usage.cached, reply.usage.completion) == (100, 25, 36)
    assert answer(Question(model="m"), HABITS, number=1, usage=False).usage is None


@pytest.mark.parametrize(("text", "tokens"), [("", 1), ("abcd", 1), ("abcde", 2), ("äöüß", 2)])
def test_tokens_of(text: str, tokens: int) -> None:
    assert tokens_of(text) == tokens


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "w"),
        ({"type": ["integer", "null"]}, 7),
        ({"type": "object", "properties": {"a": {"type": "boolean"}}}, {"a": True}),
        ({"type": "array", "items": {"type": "number"}}, [7.5]),
        ({"enum": ["x", "y"]}, "x"),
        ({"const": 3}, 3),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"$defs": {"A": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/A"}}}, {"a": 7}),
    ],
)
def test_sample(schema: dict[str, Any], value: object) -> None:
    assert sample(schema, "w") == value


def test_sample_of_a_recursive_schema_ends() -> None:
    assert sample({"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"$ref": "#/$defs/A"}}}, "w")


def test_tool_call_carries_arguments() -> None:
    tool = Tool(name="f", parameters={"properties": {"city": {"type": "string"}}})
    reply = answer(Question(model="m", tool=tool), HABITS, number=1, usage=True)
    assert (reply.text, reply.finish) == ('{"city": "eu-west-1/m"}', Finish.TOOL_CALLS)
