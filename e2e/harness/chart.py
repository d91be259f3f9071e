"""The chart as `helm template` renders it: no cluster is needed."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.cluster import SCRIPTS
from harness.install import CHART, NAMESPACE

Object = dict[str, Any]


class Chart:
    """Renders the chart."""

    def __init__(self, folder: Path) -> None:
        """`folder`: where values are written."""
        done = subprocess.run([str(SCRIPTS / "build.sh")], capture_output=True, text=True, check=True)
        self.helm = Path(done.stdout.strip().splitlines()[-1]) / "helm"
        self._values = folder / "values.json"
        self._rendered: dict[str, str] = {}

    def __call__(self, values: Mapping[str, Any]) -> list[Object]:
        """Render it with values; what is wrong with them is a `ValueError`."""
        written = json.dumps(values)
        if written not in self._rendered:
            self._rendered[written] = self._render(written)
        return [one for one in yaml.safe_load_all(self._rendered[written]) if one]

    def _render(self, values: str) -> str:
        self._values.write_text(values)
        words = [str(self.helm), "template", "fairlead", str(CHART), "-n", NAMESPACE, "--values", str(self._values)]
        shown = subprocess.run(words, capture_output=True, text=True, check=False)
        if shown.returncode != 0:
            raise ValueError(shown.stderr)
        return shown.stdout


def one(objects: list[Object], kind: str, name: str) -> Object:
    (found,) = [found for found in objects if found["kind"] == kind and found["metadata"]["name"] == name]
    return found
