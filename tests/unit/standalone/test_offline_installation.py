import pytest

from fairlead.standalone.offline_installation import offline_installation


def regions(*documents: dict[str, object]) -> dict[str, str]:
    return {region.name: region.geo for region in offline_installation(documents).regions}


def provider(*names: object, **metadata: str) -> dict[str, object]:
    return {"kind": "ModelProvider", "metadata": metadata, "spec": {"endpoints": [{"region": name} for name in names]}}


def test_regions_are_those_that_the_manifests_name() -> None:
    route = {"kind": "ModelRoute", "spec": {"regions": ["ap-south-1"]}}
    assert regions(provider("us-east-1", "eu-west-1", None), provider("eu-west-1"), route) == {
        "ap-south-1": "ap",
        "eu-west-1": "eu",
        "us-east-1": "us",
    }


def test_without_any_there_is_one() -> None:
    assert regions() == {"local": "local"}


def test_the_namespace_is_that_of_the_providers() -> None:
    assert offline_installation([provider(namespace="llm"), provider(namespace="llm")]).namespace == "llm"
    assert offline_installation([provider(namespace="llm"), provider()]).namespace == "fairlead"
    assert offline_installation([]).namespace == "fairlead"


@pytest.mark.parametrize(
    "document",
    [
        provider("No Region", 5, ["x"], namespace="Not One"),
        {"kind": "ModelProvider", "spec": 5},
        {"kind": "ModelProvider", "spec": {"endpoints": "x"}},
        {"kind": "ModelRoute", "spec": {"regions": {"a": 1}}},
    ],
)
def test_what_is_malformed_is_left_for_the_decoder(document: dict[str, object]) -> None:
    assert regions(document) == {"local": "local"}
    assert offline_installation([document]).namespace == "fairlead"
