"""The folder itself: names that would break the interpreter, modules without a docstring, words that do not belong."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "operator" / "fairlead"
MODULES = sorted(PACKAGE.rglob("*.py"))


def test_operator_is_not_a_package() -> None:
    # With operator/__init__.py the folder shadows the standard library's `operator`, and `import collections` fails.
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_a_module_says_what_belongs_in_it() -> None:
    silent = [module for module in MODULES if not ast.get_docstring(ast.parse(module.read_text()))]
    assert [str(module.relative_to(PACKAGE)) for module in silent] == []


def test_module_names_are_nouns_of_the_field() -> None:
    # A `process` alone could be anything; an `envoy_process` is a thing.
    vague = re.compile(r"(^|_)(utils?|common|helpers?|managers?|data)($|_)|^process$")
    assert [str(path) for path in MODULES if vague.search(path.stem)] == []


def test_every_package_has_its_row_in_the_architecture_page() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    section = page.partition("\n## The packages\n")[2].partition("\n## ")[0]
    rows = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    packages = {p.parent.name for p in PACKAGE.glob("*/__init__.py")} | {p.stem for p in PACKAGE.glob("[a-z]*.py")}
    assert rows == packages


def test_nothing_waits_by_what_swallows_a_cancellation() -> None:
    # In Python 3.11, `wait_for` returns although it was cancelled, when what it waits for ends in that moment.
    found = [str(path) for path in MODULES if "asyncio.wait_for(" in path.read_text()]
    assert found == [], "use asyncio.timeout"
