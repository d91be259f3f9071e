"""The operator's memory: damage of any kind is one error, which the operator takes for absence."""

import base64
import gzip
from typing import Any

import pytest

from fairlead.api.meta import ObjectKey
from fairlead.budget import exhaustion
from fairlead.budget.exhaustion import Exhaustion
from fairlead.controller.memory import (
    EXHAUSTED_FILE,
    FILE,
    HEALTH_FILE,
    health_data,
    last_good_data,
    remembered,
    remembered_exhaustions,
    remembered_health,
)
from fairlead.errors import StateError
from fairlead.health import memory as health_memory
from fairlead.health.fleet import Fleet

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
    assert remembered(last_good_data(LAST_GOOD)) == LAST_GOOD


def test_no_memory_is_nothing_remembered() -> None:
    assert remembered(None) == {}


@pytest.mark.parametrize(
    "stored",
    ["", "{", "[]", "5", '{"version": 1, "fleet": {"endpoints": 5}}', '{"version": 2, "fleet": {}}', "[" * 5000, 5],
)
def test_a_damaged_memory_of_health_is_one_error(stored: Any) -> None:
    with pytest.raises(StateError, match=r"health\.json"):
        remembered_health({"data": {HEALTH_FILE: stored}})


def test_health_that_was_written_is_remembered() -> None:
    fleet = Fleet(probes_unreliable_since_ms=5)
    assert remembered_health(health_data({HEALTH_FILE: health_memory.document(fleet)})) == (fleet, ())
    assert remembered_health(None) is None


def test_who_was_at_the_end_of_a_budget_is_remembered() -> None:
    known = {"t/p": Exhaustion(limit=5, start_ms=1, end_ms=None, consumers=frozenset({"t/a", "t/b"}))}
    assert remembered_exhaustions(health_data({EXHAUSTED_FILE: exhaustion.document(known)})) == known
    assert remembered_exhaustions(None) == {} == remembered_exhaustions({"data": {HEALTH_FILE: "{}"}})


@pytest.mark.parametrize("stored", ["", "{", "[]", '{"policies": 5}', '{"policies": [{}]}', "[" * 5000, 5])
def test_a_damaged_memory_of_it_is_one_error(stored: Any) -> None:
    with pytest.raises(StateError, match=r"exhausted\.json"):
        remembered_exhaustions({"data": {EXHAUSTED_FILE: stored}})
