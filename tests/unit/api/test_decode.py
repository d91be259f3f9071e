"""Strict decoding: every story is taken, every mistake is told with its path, what was got and what is wanted."""

from pathlib import Path

import pytest
import yaml

from fairlead.api.decode import decode

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def _objects(name: str) -> list[dict[str, object]]:
    return [document for document in yaml.safe_load_all((EXAMPLES / name).read_text()) if document]


@pytest.mark.parametrize("manifest", _objects("stories.yaml"), ids=lambda m: m["metadata"]["name"])
def test_every_story_is_accepted(manifest: dict[str, object]) -> None:
    decoded = decode(manifest, default_namespace="fairlead")
    assert decoded.problems == ()
    assert decoded.object is not None


@pytest.mark.parametrize("manifest", _objects("wrong.yaml"), ids=lambda m: m["metadata"]["name"])
def test_every_wrong_object_is_refused(manifest: dict[str, object]) -> None:
    decoded = decode(manifest, default_namespace="fairlead")
    assert decoded.object is None
    assert decoded.key is not None
    for problem in decoded.problems:
        assert problem.path.startswith("spec")
        assert problem.message.startswith("got ")
        assert ", want " in problem.message
