"""Write `crds/`, the chart's copy and `docs/reference/` from the models; what is no longer generated goes away."""

from collections.abc import Mapping
from pathlib import Path

from fairlead.api.crd import crds
from fairlead.api.reference import pages

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Write all folders."""
    write(ROOT / "crds", crds())
    # A copy, no link: Flux and other tools that carry a chart around drop links, and the CRDs with them.
    write(ROOT / "helm" / "fairlead" / "files" / "crds", crds())
    write(ROOT / "docs" / "reference", pages())


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make a folder hold exactly these files."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.name not in files:
            path.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
