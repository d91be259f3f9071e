"""Modules are of a size that a person reads in one go, and none stands alone that one other could hold."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "operator"
LARGEST, SMALLEST = 400, 40
"""Lines."""


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def _importers() -> dict[str, set[str]]:
    """Return who imports each module."""
    paths = {_name(path): path for path in (SOURCES / "fairlead").rglob("*.py")}
    found: dict[str, set[str]] = defaultdict(set)
    for name, path in paths.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    found[whole if whole in paths else node.module].add(name)
    return found


def _name(path: Path) -> str:
    return ".".join(path.relative_to(SOURCES).with_suffix("").parts).removesuffix(".__init__")


def test_no_module_is_too_long() -> None:
    folders = ("operator", "tests", "e2e", "benchmarks")
    paths = (path for folder in folders for kind in ("*.py", "*.lua") for path in (ROOT / folder).rglob(kind))
    found = {path: _lines(path) for path in paths}
    assert {str(path.relative_to(ROOT)): lines for path, lines in found.items() if lines > LARGEST} == {}


def test_no_small_module_is_needed_by_one_other_alone() -> None:
    importers = _importers()
    small = {
        _name(path): path
        for path in (SOURCES / "fairlead").rglob("*.py")
        if path.name != "__init__.py" and _lines(path) < SMALLEST
    }
    alone = {
        name: next(iter(importers[name]))
        for name, path in small.items()
        if len(importers[name]) == 1 and _lines(path) + _lines(_path(next(iter(importers[name])))) <= LARGEST
    }
    assert alone == {}


def _path(name: str) -> Path:
    module = SOURCES.joinpath(*name.split("."))
    return module.with_suffix(".py") if module.with_suffix(".py").exists() else module / "__init__.py"
