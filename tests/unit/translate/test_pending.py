from typing import Any

import pytest

import builders
from fairlead.api.decode import decode
from fairlead.api.resource import Resource
from fairlead.translate.translation import pending

SMART = builders.manifest(
    "ModelRoute", "auto", "team-web", {"classifier": {"service": {"name": "i", "port": 1}}, "rules": [{"route": "a"}]}
)


@pytest.mark.parametrize(
    ("manifest", "paths"),
    [
        (builders.route("chat"), []),
        (builders.consumer("agent-7"), []),
        (builders.provider("p"), []),
        (builders.provider("p", healthCheck={"type": "None"}), ["spec.healthCheck: not enforced yet"]),
        (builders.budget("b"), []),
        (builders.route("chat", downgradeTo="small"), []),
        (builders.route("chat", rollout={"steps": [{"traffic": "5%"}]}), ["spec.rollout: not enforced yet"]),
        (SMART, ["spec.rules: reserved", "spec.classifier: reserved"]),
    ],
)
def test_what_has_no_effect_is_said(manifest: dict[str, Any], paths: list[str]) -> None:
    resource = decode(manifest, default_namespace="fairlead").object
    assert isinstance(resource, Resource)
    warnings = [str(problem) for problem in pending(resource)]
    assert [warning[: len(start)] for warning, start in zip(warnings, paths, strict=True)] == paths
