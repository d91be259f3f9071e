from datetime import UTC, datetime

import pytest

from fairlead.api.route import ModelRouteSpec
from fairlead.api.schema import of_part
from fairlead.api.selector import LabelSelector
from fairlead.api.validation import below, got, judge, nearest, quoted, unknown_field


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "got nothing"),
        (True, "got the boolean `true`"),
        (5, "got the number `5`"),
        (5.0, "got the number `5.0`"),
        ("a", "got `a`"),
        ({"a": "sk-secret"}, "got a mapping"),
        (["sk-secret"], "got a list"),
        (datetime(2026, 1, 1, tzinfo=UTC), "got a time without quotes"),
        (b"sk-secret", "got something that is not JSON"),
    ],
)
def test_got_says_what_was_written_in_few_words(value: object, said: str) -> None:
    assert got(value) == said


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("a\nb", "`a?b`"),
        ("`a`", "`?a?`"),
        ("a" * 81, f"`{'a' * 80}...`"),
        ("https://user:secret@a.example.com/v1", "`https://...@a.example.com/v1`"),
    ],
)
def test_literals_are_one_line_of_bearable_length_without_passwords(text: str, literal: str) -> None:
    assert quoted(text) == literal


@pytest.mark.parametrize(("word", "known"), [("MODELNAMES", "modelNames"), ("modlNames", "modelNames"), ("xyz", None)])
def test_nearest(word: str, known: str | None) -> None:
    assert nearest(word, ["modelNames", "regions"]) == known


def test_paths() -> None:
    assert (below("", "a"), below("a", "b"), below("a", "")) == ("a", "a.b", "a")


def test_an_unknown_field_whose_name_is_no_string_is_told_as_well() -> None:
    assert str(unknown_field("spec", True, ["rules"])).startswith("spec.True: got an unknown field, want")


def test_defaults_are_filled_in() -> None:
    filled, problems = judge(of_part(ModelRouteSpec), {"primary": {"provider": "p", "model": "m"}}, "spec")
    assert problems == ()
    assert filled["timeouts"] == {"firstByte": "8s", "response": "60s", "streamIdle": "60s", "request": "300s"}
    assert "fallbacks" not in filled


@pytest.mark.parametrize(
    ("selector", "problem"),
    [
        ({"matchLabels": ["a"]}, "s.matchLabels: got a list, want a mapping of strings, rewrite it"),
        (
            {"matchLabels": {f"k{i}": "v" for i in range(33)}},
            "s.matchLabels: got 33 entries, want at most 32, remove some",
        ),
        ({"matchLabels": {1: "v"}}, "s.matchLabels[1]: got the key `1`, want a label key"),
        ({"matchExpressions": "a"}, "s.matchExpressions: got a string, want a list, rewrite it"),
        ({"matchExpressions": None}, "s.matchExpressions: got nothing after the colon, want a list"),
    ],
)
def test_maps_and_lists(selector: object, problem: str) -> None:
    (found,) = judge(of_part(LabelSelector), selector, "s")[1]
    assert str(found).startswith(problem)


@pytest.mark.parametrize(
    ("field", "value", "todo"),
    [
        ("residency", False, "rewrite it"),
        ("residency", "EU", "choose one"),
        ("downgradeTo", 5, 'write `"5"`'),
        ("downgradeTo", "Chat", 'write `"chat"`'),
        ("downgradeTo", True, 'write `"true"`'),
        ("maxAttempts", "3", "write `3` without quotes"),
        ("maxAttempts", "three", "rewrite it"),
        ("timeouts", {"request": "5 m"}, 'write `"5m"`'),
        ("timeouts", {"request": 90}, 'write `"90s"`'),
        ("shadow", {"provider": "p", "model": "m", "sample": 0.5}, 'write `"0.5%"`'),
    ],
)
def test_what_was_probably_meant_is_proposed(field: str, value: object, todo: str) -> None:
    spec = {"primary": {"provider": "p", "model": "m"}, field: value}
    (problem,) = judge(of_part(ModelRouteSpec), spec, "spec")[1]
    assert str(problem).endswith(f", {todo}")


def test_entries_of_a_map_list_that_have_no_name_are_not_the_same() -> None:
    spec = {"primary": {"provider": "p", "model": "m"}, "modelNames": [1, 1]}
    assert len(judge(of_part(ModelRouteSpec), spec, "spec")[1]) == 2
