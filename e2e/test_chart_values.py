"""Every value of the chart stands where it has its effect: `chart/values.yaml` says where.

A value that is new needs a row there: a test names those that have none.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.chart import Chart, Object
from harness.install import CHART

from fairlead.api.installation import Installation, decode_installation
from fairlead.manifests import decode_settings

Row = Sequence[Any]
TABLE: Mapping[str, Any] = yaml.safe_load(
    Path(__file__).with_name("chart").joinpath("values.yaml").read_text().replace("DIGEST", f"sha256:{'0a' * 32}")
)
POD = "spec/template/spec/"


def _of_pods() -> Iterator[Row]:
    for part, deployment in TABLE["pods"]["parts"].items():
        for row in json.loads(json.dumps(TABLE["pods"]["rows"]).replace("PART", part.lower())):
            value, wanted, place, *found = row
            there = f"{POD}{place}".replace("spec/../", "")
            yield (f"{part}.{value}", wanted, f"Deployment/{deployment}", there, *found)


CASES: Mapping[str, Sequence[Row]] = {"together": [*TABLE["together"], *_of_pods()], **TABLE["apart"]}


def _values(rows: Sequence[Row]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, wanted, *_ in rows:
        *parents, last = name.split(".")
        inner = values
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = wanted
    return values


def _objects(rendered: list[Object]) -> dict[str, Any]:
    found: dict[str, Any] = {f"{one['kind']}/{one['metadata']['name']}": one for one in rendered}
    for name, one in found.items():
        if name == "ConfigMap/fairlead-budget-store":
            one["data"]["redis.conf"] = one["data"]["redis.conf"].splitlines()
    files = found.get("ConfigMap/fairlead-installation", {"data": {}})["data"]
    return found | {
        "installation": yaml.safe_load(files.get("installation.yaml", "{}")),
        "gateways": json.loads(files.get("gateways.json", "{}")),
    }


def _at(found: Any, place: str) -> Any:
    for step in place.split("/"):
        try:
            found = found[int(step) if isinstance(found, list) else step]
        except (KeyError, IndexError, TypeError):
            return None
    return found


@pytest.fixture(scope="module")
def default(chart: Chart) -> dict[str, Any]:
    return _objects(chart({}))


@pytest.mark.parametrize("case", CASES)
def test_a_value_stands_where_it_has_its_effect(chart: Chart, default: Mapping[str, Any], case: str) -> None:
    objects = _objects(chart(_values(CASES[case])))
    for name, value, where, place, *expected in CASES[case]:
        if place is None:
            assert (where in default, where in objects) == (True, False), name
            continue
        wanted = expected[0] if expected else value
        assert _at(objects.get(where), place) == wanted, name
        assert _at(default.get(where), place) != wanted, f"{name}: it stands there anyway"


@pytest.mark.parametrize("case", CASES)
def test_the_operator_takes_what_the_chart_writes(chart: Chart, case: str) -> None:
    rendered = chart(_values(CASES[case]))
    files = next(one["data"] for one in rendered if one["metadata"]["name"].endswith("-installation"))
    installation = decode_installation(yaml.safe_load(files["installation.yaml"]))
    assert isinstance(installation, Installation), installation
    assert set(decode_settings(json.loads(files["gateways.json"])).regions) <= {
        one.name for one in installation.regions
    }


def _leaves(found: Any, *path: str) -> Iterator[str]:
    if isinstance(found, dict) and found:
        for name, inner in found.items():
            yield from _leaves(inner, *path, name)
    else:
        yield ".".join(path)


def test_no_value_is_without_a_row() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(_leaves(values)) - {row[0] for rows in CASES.values() for row in rows} == set()
