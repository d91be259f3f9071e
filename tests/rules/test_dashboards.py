"""Grafana's boards: the chart's files are what the code makes, and Prometheus' own parser takes every query."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from dashboards.__main__ import BOARDS, FOLDER, written
from dashboards.board import Board
from test_rules import promtool, series_shown

from fairlead.envoy import logs

DOCUMENTS: dict[str, Any] = {board.uid: json.loads(written(board)) for board in BOARDS}
COUNTED = {f"envoy_fairlead_{name}" for name in ("requests", *logs.token_counts())} | {
    f"envoy_fairlead_{name}_bucket" for name in ("latency_ms", "first_byte_ms", "attempt_first_byte_ms")
}
ENVOY = {
    *COUNTED,
    "envoy_fairlead_attempt_total",
    "envoy_fairlead_cache_requests",
    "envoy_server_live",
    "envoy_server_memory_allocated",
}


def queries(document: Any) -> list[str]:
    """Every expression of a board's panels, with what Grafana would put in for its variables."""
    found = [target["expr"] for panel in document["panels"] for target in panel.get("targets", [])]
    for name in re.findall(r'"name": "(\w+)"', json.dumps(document["templating"])):
        found = [query.replace(f"${name}", ".*") for query in found]
    return [query.replace("$__rate_interval", "2m").replace("$__range", "1h") for query in found]


def test_the_chart_has_what_the_code_makes() -> None:
    kept = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert kept == {f"{board.uid}.json": written(board) for board in BOARDS}, "`make golden` writes them anew"


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_prometheus_takes_every_query(board: Board, tmp_path: Path) -> None:
    rules = [{"record": f"panel:{i}", "expr": query} for i, query in enumerate(queries(DOCUMENTS[board.uid]))]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": board.uid, "rules": rules}]}))
    promtool("check", "rules", "--lint=none", str(file))


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_every_series_exists(board: Board) -> None:
    shown = {f"{name}{end}" for name in series_shown() for end in ("", "_bucket", "_total")} | ENVOY
    text = " ".join(queries(DOCUMENTS[board.uid]))
    assert set(re.findall(r"\b(?:envoy_|fairlead_(?!dev_region))\w+", text)) - shown == set()


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_a_panel_says_what_to_look_for_and_has_its_place(board: Board) -> None:
    document = DOCUMENTS[board.uid]
    panels = document["panels"]
    assert all(panel["description"].endswith(".") for panel in panels if panel["type"] != "row")
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
