"""A real Prometheus that scrapes one place and evaluates the chart's rules every second."""

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from ports import free_port

BINARY = shutil.which("prometheus")
RULES = Path(__file__).resolve().parents[2] / "helm" / "fairlead" / "rules"
PATIENCE_S = 90


class Prometheus:
    """One process, with its files in a folder of its own."""

    def __init__(self, folder: Path, *, scrapes: str, labels: dict[str, str]) -> None:
        self._port = free_port()
        self._folder = folder
        target = {"targets": [scrapes], "labels": labels}
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in sorted(RULES.glob("*.yaml"))],
            "scrape_configs": [{"job_name": "fairlead/fairlead", "static_configs": [target]}],
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))

    def __enter__(self) -> Self:
        assert BINARY
        with (self._folder / "prometheus.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    BINARY,
                    f"--config.file={self._folder / 'prometheus.yaml'}",
                    f"--storage.tsdb.path={self._folder / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdout=log,
                stderr=log,
            )
        self.until(lambda: self.get("/api/v1/status/runtimeinfo") is not None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def get(self, path: str, **query: str) -> Any:
        """Return the data of an API call; None while it does not answer."""
        url = f"http://127.0.0.1:{self._port}{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return json.loads(response.read())["data"]
        except OSError:
            return None

    def query(self, expression: str) -> list[dict[str, str]]:
        """Return the labels of what an expression finds now."""
        data = self.get("/api/v1/query", query=expression)
        return [found["metric"] for found in data["result"]] if data else []

    def value(self, expression: str) -> float | None:
        """Return the value of the first that an expression finds now."""
        data = self.get("/api/v1/query", query=expression)
        return float(data["result"][0]["value"][1]) if data and data["result"] else None

    def until(self, condition: Any) -> Any:
        """Ask again until the answer is true, and return it."""
        deadline = time.monotonic() + PATIENCE_S
        while not (answer := condition()):
            log = (self._folder / "prometheus.log").read_text()[-2000:]
            assert self._process.poll() is None, log
            assert time.monotonic() < deadline, log
            time.sleep(0.1)
        return answer
