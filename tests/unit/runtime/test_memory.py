"""What is remembered, and whatever may stand in its place."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.api.meta import ObjectKey
from fairlead.errors import StateError
from fairlead.runtime import memory, saved

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["objects", "kind", "name"]), inner),
)


NAME = st.text().filter(lambda text: "/" not in text)


@given(st.dictionaries(st.builds(ObjectKey, NAME, NAME, NAME), st.dictionaries(st.text(), st.text())))
def test_what_was_written_is_read_again(last_good: dict[ObjectKey, dict[str, Any]]) -> None:
    assert saved.decoded(memory.encode(last_good), memory.decode, "here") == last_good


VERSIONS = st.dictionaries(
    st.builds(ObjectKey, st.just("K"), st.just("n"), st.sampled_from("abc")),
    st.sampled_from([{"spec": number} for number in range(3)]) | st.dictionaries(st.text(), st.text()),
)


@given(st.lists(VERSIONS, max_size=5))
def test_what_is_written_again_is_what_is_written_from_nothing(story: list[dict[ObjectKey, dict[str, Any]]]) -> None:
    writing = memory.Writing()
    for last_good in story:
        objects = [{**memory.encode_key(key), "manifest": last_good[key]} for key in sorted(last_good)]
        document = json.dumps({"objects": objects}, sort_keys=True, separators=(",", ":"))
        assert writing.encode(last_good) == memory.encode(last_good) == document.encode()
        assert len(writing._texts) == len(last_good)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_stands_there_is_read_or_named_as_damage(content: bytes) -> None:
    with suppress(StateError):
        assert memory.encode(saved.decoded(content, memory.decode, "here"))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[" * 100_000, id="deep and open"),
        pytest.param(b"[" * 500 + b"]" * 500, id="deep"),
        pytest.param(b'{"objects": [{"kind": "K", "namespace": "n", "name": 5, "manifest": {}}]}', id="no name"),
        pytest.param(b'{"objects": [{"kind": "K", "namespace": "n", "name": "m", "manifest": 5}]}', id="no manifest"),
        pytest.param(b'{"objects": [{"kind": "K", "namespace": "a/b", "name": "m", "manifest": {}}]}', id="a slash"),
        pytest.param(b'{"objects": ' + b"9" * 5000 + b"}", id="a number too long"),
    ],
)
def test_a_damaged_file_is_absent_with_one_warning(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    warnings: list[str] = []
    assert saved.read(path, memory.decode, warn=warnings.append) is None
    assert len(warnings) == 1
    assert str(path) in warnings[0]


def test_a_folder_in_its_place_is_damage_and_nothing_is_not(tmp_path: Path) -> None:
    warnings: list[str] = []
    assert saved.read(tmp_path / "none.json", memory.decode, warn=warnings.append) is None
    assert warnings == []
    assert saved.read(tmp_path, memory.decode, warn=warnings.append) is None
    assert len(warnings) == 1
