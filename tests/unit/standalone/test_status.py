from pathlib import Path
from typing import Any

import pytest

from fairlead.adapters.envoy_admin import ClusterHealth
from fairlead.standalone import status
from fairlead.standalone.state import StateFolder


def region(*targets: str) -> dict[str, Any]:
    return {"name": "eu", "targets": [{"name": name, "cluster": name.replace(".", "~")} for name in targets]}


def health(name: str, *, ejected: bool) -> ClusterHealth:
    return ClusterHealth(name=name, ejected=ejected, requests=7, errors=2, active=1)


def test_health_is_told_by_target() -> None:
    told = status.with_health(
        region("p/eu/m-1.5", "p/us/m", "p/new/m"),
        (health("p/eu/m-1~5", ejected=True), health("p/us/m", ejected=False), health("admin", ejected=False)),
    )
    assert [target["health"] for target in told["targets"]] == ["Ejected", "Healthy", "Unknown"]
    assert told["targets"][0] == {
        "name": "p/eu/m-1.5",
        "cluster": "p/eu/m-1~5",
        "health": "Ejected",
        "requests": 7,
        "errors": 2,
        "active": 1,
    }


@pytest.mark.parametrize("content", [None, "", "{", "[]"])
def test_what_cannot_be_read_is_nothing(tmp_path: Path, content: str | None) -> None:
    state = StateFolder(root=tmp_path)
    if content is not None:
        state.status.write_text(content)
    assert status.read(state) is None
