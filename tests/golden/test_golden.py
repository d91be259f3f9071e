"""What goes in and what comes out, case by case. Goldens record; `test_invariants` judges."""

import shutil

import pytest

from golden_cases import ROOT, Case, cases

LARGE = 10_000
"""Characters."""


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_golden(case: Case, request: pytest.FixtureRequest) -> None:
    made = case.outputs()
    if request.config.getoption("--update-golden"):
        shutil.rmtree(case.folder / "out", ignore_errors=True)
        for path, text in made.items():
            file = case.folder / "out" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    kept = case.kept()
    assert sorted(made) == sorted(kept), "files come or go: run `make golden` and read the difference"
    for path, text in made.items():
        assert text == kept[path], f"{case.name}/out/{path} differs: run `make golden` and read the difference"


def test_every_folder_is_a_case() -> None:
    # An orphan is a golden that nothing compares. Timelines have a test of their own.
    others = {"__pycache__", "timelines"}
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
    assert sorted(case.name for case in cases()) == sorted(folders - others)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_case_says_why_it_exists(case: Case) -> None:
    assert case.options["reason"]
    known = {"case.yaml", "in.yaml", "before.yaml", "out"}
    assert {path.name for path in case.folder.iterdir()} <= known


def test_a_large_file_of_envoy_is_kept_once() -> None:
    places: dict[str, list[str]] = {}
    for case in cases():
        for path, text in case.kept().items():
            if path.endswith(".json") and len(text) > LARGE:
                places.setdefault(text, []).append(f"{case.name}/{path}")
    twice = [found for found in places.values() if len(found) > 1]
    assert not twice, "`files` of a case names those that show something of their own"
