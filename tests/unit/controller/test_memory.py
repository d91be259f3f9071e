"""The operator's memory: damage of any kind is one error, which the operator takes for absence."""

import base64
import gzip
from typing import Any

import pytest

from fairlead.api.meta import ObjectKey
from fairlead.controller.memory import FILE, config_map, remembered
from fairlead.errors import StateError

LAST_GOOD = {ObjectKey("ModelRoute", "team", "chat"): {"spec": {}}}


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param("not base64!", id="no base64"),
        pytest.param("é", id="no ASCII"),
        pytest.param("", id="empty"),
        pytest.param(5, id="no text"),
        pytest.param(_encoded(b"no gzip"), id="no gzip"),
        pytest.param(_encoded(gzip.compress(b"{}")[:-4]), id="cut"),
        pytest.param(_encoded(gzip.compress(b"[" * 100_000)), id="deep"),
        pytest.param(_encoded(gzip.compress(b'{"objects": 5}')), id="another shape"),
    ],
)
def test_damage_is_one_error(stored: Any) -> None:
    with pytest.raises(StateError, match="last-good"):
        remembered({"binaryData": {FILE: stored}})


def test_what_was_written_is_remembered() -> None:
    assert remembered(config_map({"kind": "ConfigMap"}, LAST_GOOD)) == LAST_GOOD


def test_no_memory_is_nothing_remembered() -> None:
    assert remembered(None) == {}
