"""The page on architecture says what is there: its rooms, its walks, and the modules that both shells have."""

import importlib
import re
import tomllib
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "operator" / "fairlead"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
ROOMS = 8
"""A walk has at most that many."""
_STEP = re.compile(r"^\| (\d+) \| `([a-z_/]+)\.py` \| `([A-Za-z_.]+)` \|", re.MULTILINE)
_ROW = re.compile(r"^\| `([a-z_0-9]+)` \|", re.MULTILINE)


def _section(title: str) -> str:
    return PAGE.split(f"## {title}", 1)[1].split("\n## ", 1)[0]


def _walks() -> Iterator[list[tuple[str, str]]]:
    """Yield the steps of each walk: module and function."""
    walk: list[tuple[str, str]] = []
    for number, module, function in _STEP.findall(PAGE):
        if number == "1" and walk:
            yield walk
            walk = []
        walk.append((module, function))
    yield walk


WALKS = list(_walks())


def test_there_are_walks_of_a_change_in_both_shells_and_of_a_health_event() -> None:
    assert len(WALKS) == 3
    assert max(map(len, WALKS)) <= ROOMS


@pytest.mark.parametrize(("module", "function"), sorted({step for walk in WALKS for step in walk}))
def test_a_step_names_what_is_there(module: str, function: str) -> None:
    name = "fairlead." + module.removesuffix("/__init__").replace("/", ".")
    found = reduce(getattr, function.split("."), importlib.import_module(name))
    assert callable(found)
    assert found.__module__ == name, "it stands there, and is not only imported"


def test_the_rooms_are_those_of_the_import_contract_from_top_to_bottom() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    level = {room: number for number, layer in enumerate(layers) for room in layer.split(" | ")}
    rooms = _ROW.findall(_section("The packages"))
    assert sorted(rooms) == sorted(level)
    assert [level[room] for room in rooms] == sorted(level[room] for room in rooms)


def test_no_room_is_empty() -> None:
    modules = {path.parent for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"}
    assert [path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists() and path not in modules] == []


def test_what_both_shells_have_has_one_name() -> None:
    there = [{path.stem for path in (PACKAGE / shell).glob("[a-z]*.py")} for shell in ("controller", "standalone")]
    assert set(_ROW.findall(_section("The two shells"))) == there[0] & there[1]
