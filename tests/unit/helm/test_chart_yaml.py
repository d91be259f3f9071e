"""What Chart.yaml tells Artifact Hub is what the chart has."""

from pathlib import Path
from typing import Any

import yaml

from fairlead import __version__
from fairlead.api.crd import crds
from fairlead.api.decode import decode

CHART = Path(__file__).resolve().parents[3] / "helm" / "fairlead"
ABOUT: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())


def _hub(name: str) -> Any:
    return yaml.safe_load(ABOUT["annotations"][f"artifacthub.io/{name}"])


def test_the_version_is_that_of_the_package() -> None:
    assert (ABOUT["version"], ABOUT["appVersion"]) == (__version__, __version__)


def test_every_crd_is_told_with_an_example_that_is_accepted() -> None:
    definitions = [yaml.safe_load(content) for content in dict(crds()).values()]
    kinds = {
        (one["spec"]["names"]["kind"], one["spec"]["versions"][0]["name"], one["metadata"]["name"])
        for one in definitions
    }
    assert {(one["kind"], one["version"], one["name"]) for one in _hub("crds")} == kinds
    assert all(one["displayName"] and one["description"] for one in _hub("crds"))
    examples = _hub("crdsExamples")
    assert {one["kind"] for one in examples} == {kind for kind, _, _ in kinds}
    for one in examples:
        assert decode(one, default_namespace="fairlead").problems == (), one


def test_every_image_of_the_values_is_told() -> None:
    named = {
        name: f"{image['repository']}:{image['tag'] or __version__}"
        for name, image in VALUES["images"].items()
        if name != "pullSecrets"
    }
    assert {one["name"]: one["image"] for one in _hub("images")} == named
