import json
from pathlib import Path
from typing import Any

import pytest
from command_line import run

from fairlead.adapters.envoy_admin import ClusterHealth
from fairlead.errors import StateError
from fairlead.standalone import kill, status
from fairlead.standalone.state import StateFolder


def region(*targets: str) -> Any:
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


DOCUMENT: dict[str, Any] = {
    "regions": [],
    "consumers": ["team/a"],
    "objects": [],
    "diagnostics": [],
    **{k: [] for k in ("endpoints", "failing")},
}


def test_what_is_not_there_is_nothing(tmp_path: Path) -> None:
    assert status.read(StateFolder(root=tmp_path)) is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        "[" * 100_000,
        json.dumps({**DOCUMENT, "regions": [{"name": "eu"}]}),
        json.dumps({**DOCUMENT, "regions": {"eu": {}}}),
        json.dumps({**DOCUMENT, "consumers": [1]}),
        json.dumps({**DOCUMENT, "diagnostics": ["all is well"]}),
    ],
)
def test_what_is_of_another_shape_is_told(tmp_path: Path, content: str) -> None:
    state = StateFolder(root=tmp_path)
    state.status.write_text(content)
    with pytest.raises(StateError, match=r"status\.json: got something that Fairlead did not write"):
        status.read(state)
    assert kill.callers(state) is None
    told = run("status", "--state", tmp_path)
    assert (told.exit_code, told.stderr.count("\n")) == (1, 1)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    state = StateFolder(root=tmp_path)
    state.status.write_text(json.dumps(DOCUMENT))
    assert status.read(state) == DOCUMENT
    assert kill.callers(state) == {"team/a"}
