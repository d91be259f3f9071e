from typing import Any

import pytest

from fairlead.api.core import Redacted
from fairlead.api.meta import ObjectKey
from fairlead.standalone import change
from fairlead.standalone.inputs import Inputs

KEY = ObjectKey("ModelRoute", "team", "chat")


@pytest.mark.parametrize(
    ("old", "new", "want", "why"),
    [
        ({"primary": {"model": "a"}}, {"primary": {"model": "b"}}, "spec.primary.model a -> b", "the one string"),
        ({"a": 1}, {"a": 1, "b": {"c": [1, "x"]}}, "spec.b = {c: [1, x]}", "a field that is new"),
        ({"a": 1, "b": 2}, {"a": 1}, "spec.b removed", "a field that is gone"),
        ({"a": True}, {"a": False}, "spec.a true -> false", "as YAML writes it"),
        ({"a": None}, {"a": ""}, "spec.a null -> ", "nothing and empty differ"),
        ({"a": [1, 2]}, {"a": [1, 3]}, "spec.a[1] 2 -> 3", "a list of the same length: by place"),
        ({"a": [1]}, {"a": [1, 2]}, "spec.a [1] -> [1, 2]", "another length: as a whole"),
        (
            {"e": [{"name": "x", "u": 1}, {"name": "y", "u": 2}]},
            {"e": [{"name": "n", "u": 0}, {"name": "x", "u": 1}, {"name": "y", "u": 3}]},
            "spec.e.y.u 2 -> 3, spec.e.n = {name: n, u: 0}",
            "a named list: by name, so an insertion moves nothing",
        ),
        (
            {"e": [{"name": "x"}, {"name": "y"}]},
            {"e": [{"name": "y"}, {"name": "x"}]},
            "spec.e[0].name x -> y, spec.e[1].name y -> x",
            "order means something",
        ),
        (
            {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1},
            {"a": 2, "b": 2, "c": 2, "d": 2, "e": 2},
            "spec.a 1 -> 2, spec.b 1 -> 2, spec.c 1 -> 2, and 2 more",
            "one line stays one line",
        ),
        ({"a": "x\ny"}, {"a": "z" * 99}, f"spec.a x y -> {'z' * 57}...", "values stay short"),
    ],
)
def test_fields(old: dict[str, Any], new: dict[str, Any], want: str, why: str) -> None:
    assert change.objects({KEY: {"spec": old}}, {KEY: {"spec": new}}) == (f"{KEY}: {want}",), why


def test_objects_come_and_go() -> None:
    other = ObjectKey("ModelConsumer", "team", "agent")
    assert change.objects({KEY: {}}, {other: {}}) == (f"{other}: added", f"{KEY}: removed")
    assert change.objects({KEY: {"spec": 1}}, {KEY: {"spec": 1}}) == ()


def inputs(**secrets: dict[str, str]) -> Inputs:
    return Inputs(
        manifests=(),
        sources={},
        secrets={
            ("team", name): {key: Redacted(value.encode()) for key, value in values.items()}
            for name, values in secrets.items()
        },
        diagnostics=(),
        files={},
    )


def test_secrets_are_told_by_name_and_never_by_value() -> None:
    old = inputs(a={"k": "sk-1", "l": "sk-2", "same": "x"}, gone={"k": "x"}, same={"k": "x"})
    new = inputs(a={"k": "sk-3", "m": "sk-4", "same": "x"}, new={"k": "x"}, same={"k": "x"})
    assert change.secrets(old, new) == (
        "Secret team/a: data.k changed, data.l removed, data.m added",
        "Secret team/gone: removed",
        "Secret team/new: added",
    )
