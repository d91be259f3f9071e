"""The chart's values are what its own schema takes, and the schema knows what an installation may say."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from fairlead.api.installation import Installation

CHART = Path(__file__).parents[3] / "helm" / "fairlead"
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
PARTS = ("limits", "cache", "budgets", "telemetry", "prometheus", "log")


def test_the_schema_takes_the_values() -> None:
    jsonschema.validate(VALUES, SCHEMA)


@pytest.mark.parametrize("part", PARTS)
def test_the_schema_knows_all_of_a_part_of_an_installation(part: str) -> None:
    known = SCHEMA["properties"]["installation"]["properties"][part]["properties"]
    assert set(known) == set(_fields(part))


def _fields(part: str) -> list[str]:
    """Return the names of a part's fields, as they are written."""
    definitions = Installation.model_json_schema(by_alias=True)
    told = definitions["properties"][part]
    ref = told.get("$ref") or next(one["$ref"] for one in told["anyOf"] if "$ref" in one)
    return list(definitions["$defs"][ref.rpartition("/")[2]]["properties"])
