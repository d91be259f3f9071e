"""What the installation says about gateways holds in pods, too."""

from typing import Any

import pytest

from builders import US, installation
from fairlead.controller.context import Context
from fairlead.manifests import paths
from gateway_values import settings


@pytest.mark.parametrize(
    ("log", "wanted"),
    [
        pytest.param({}, paths.ACCESS_LOG, id="lines are the default"),
        pytest.param({"access": "All"}, paths.ACCESS_LOG, id="lines are asked for"),
        pytest.param({"access": "None"}, "/dev/null", id="no lines are asked for"),
    ],
)
def test_log_lines_are_the_installation_s_choice(log: dict[str, Any], wanted: str) -> None:
    context = Context(
        installation=installation(log=log),
        settings=settings(US),
        watch_namespaces=(),
        lease="fairlead-operator",
        identity="me",
        owner_uid="0",
    )
    assert {layout.access_log for layout in context.layouts.values()} == {wanted}
