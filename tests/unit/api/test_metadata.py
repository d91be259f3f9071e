from typing import Any

import pytest

from fairlead.api.metadata import read_metadata


def _read(metadata: Any, *, core: bool = False) -> Any:
    return read_metadata({"metadata": metadata}, default_namespace="fairlead", core=core)


def test_what_is_read() -> None:
    meta, problems = _read(
        {
            "name": "chat",
            "namespace": "team-web",
            "labels": {"example.com/tier": "pro"},
            "annotations": {"fairlead.dev/reason": "loop,\nINC-4711"},
            "creationTimestamp": "2026-11-21T12:00:00Z",
            "generation": 3,
        }
    )
    assert problems == ()
    assert (meta.name, meta.namespace, meta.generation) == ("chat", "team-web", 3)
    assert meta.labels == {"example.com/tier": "pro"}
    assert meta.annotations == {"fairlead.dev/reason": "loop,\nINC-4711"}
    assert meta.creation_timestamp == "2026-11-21T12:00:00Z"


def test_what_the_api_server_and_tools_write_is_no_mistake() -> None:
    meta, problems = _read(
        {"name": "chat", "uid": "1", "resourceVersion": "1", "managedFields": [{}], "creationTimestamp": None}
    )
    assert problems == ()
    assert (meta.namespace, meta.creation_timestamp) == ("fairlead", None)


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ({}, "metadata.name: got nothing, want a DNS label"),
        ({"name": "Chat"}, "metadata.name: got `Chat`, want a DNS label"),
        ({"name": "a" * 64}, "metadata.name: got 64 characters, want at most 63, shorten it"),
        ({"name": "chat", "namespace": "a.b"}, "metadata.namespace: got `a.b`, want a DNS label"),
        ([], "metadata: got a list, want a mapping with `name`"),
    ],
)
def test_without_a_name_there_is_no_metadata(metadata: Any, problem: str) -> None:
    meta, (found,) = _read(metadata)
    assert meta is None
    assert str(found).startswith(problem)


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ({"label": {}}, "metadata.label: got an unknown field, want `labels`, rename or remove it"),
        (
            {"labels": {"a": 1}},
            "metadata.labels[a]: got the number `1`, want a label value",
        ),
        (
            {"labels": {"a b": "c"}},
            "metadata.labels[a b]: got the key `a b`, want a label key",
        ),
        (
            {"annotations": {"a": True}},
            'metadata.annotations[a]: got the boolean `true`, want a string, write `"true"`',
        ),
        (
            {"generation": "3"},
            "metadata.generation: got `3`, want a whole number of at least 0, write `3` without quotes",
        ),
    ],
)
def test_other_mistakes_leave_the_name(field: dict[str, Any], problem: str) -> None:
    meta, (found,) = _read({"name": "chat", **field})
    assert meta.name == "chat"
    assert str(found).startswith(problem)


def test_names_of_core_objects_may_have_dots() -> None:
    assert _read({"name": "keys.prod"}, core=True)[1] == ()
