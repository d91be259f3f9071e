"""crds/, the chart's copy and docs/reference/ are what the models generate; `make crds` refreshes them."""

from pathlib import Path

from fairlead.api.crd import crds
from fairlead.api.reference import pages

ROOT = Path(__file__).resolve().parents[2]


def _folder(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


def test_crds_are_what_the_models_generate() -> None:
    assert _folder(ROOT / "crds") == dict(crds())


def test_the_chart_has_them_as_files_of_its_own() -> None:
    chart = ROOT / "helm" / "fairlead"
    assert _folder(chart / "files" / "crds") == dict(crds())
    # Flux drops links when it makes an artifact of a repository
    assert [str(path) for path in chart.rglob("*") if path.is_symlink()] == []


def test_the_reference_is_what_the_models_generate() -> None:
    assert _folder(ROOT / "docs" / "reference") == dict(pages())
