"""The threat model names the tests that hold its promises: all of them are there, and no attack is left out."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = set(re.findall(r"`((?:[a-z0-9_]+/)+[a-z0-9_]+(?:\.py)?)`", PAGE))
KINDS = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()} | {"e2e"}


def _place(name: str) -> Path:
    return ROOT / name if name.startswith("e2e/") else ROOT / "tests" / name


def test_every_test_that_is_named_is_there() -> None:
    named = {name for name in NAMED if name.partition("/")[0] in KINDS}
    assert len(named) > 30
    assert {name for name in named if not _place(name).exists()} == set()
    assert {name for name in named if name.endswith(".py") and "def test_" not in _place(name).read_text()} == set()


def test_every_attack_is_named() -> None:
    attacks = {f"attacks/{path.name}" for path in (ROOT / "tests" / "attacks").glob("test_*.py")}
    assert attacks - NAMED == set()


def test_every_promise_names_a_test() -> None:
    model = PAGE.partition("## Threat model")[2].partition("\n## ")[0]
    rows = [row for row in model.splitlines() if row.startswith("| ") and not row.startswith("| tries to")]
    assert len(rows) > 15
    assert [row for row in rows if not any(f"`{name}`" in row.rpartition(" | ")[2] for name in NAMED)] == []
