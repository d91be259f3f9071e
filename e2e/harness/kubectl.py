"""kubectl and helm, as a person would use them."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]


class CommandError(AssertionError):
    """A command ended with an error; its text is what it wrote to stderr."""

    def __init__(self, message: str, stdout: str) -> None:
        super().__init__(message)
        self.stdout = stdout


class Kubectl:
    """One cluster, by its KUBECONFIG."""

    def __init__(self, kubeconfig: Path, path: str) -> None:
        self.kubeconfig, self.path = kubeconfig, path
        scripts = Path(sys.executable).parent  # where `pip install` has put `fairlead` and kubectl's plugin
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "PATH": f"{scripts}:{path}"}

    def command(self, *words: str, stdin: str | None = None, timeout_s: float = 400) -> str:
        done = subprocess.run(
            words, input=stdin, capture_output=True, text=True, env=self._environment, timeout=timeout_s, check=False
        )
        if done.returncode != 0:
            raise CommandError(f"{' '.join(words)}: {done.stderr.strip()}", done.stdout)
        return done.stdout

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command that stays, such as a port-forward."""
        return subprocess.Popen(
            ["kubectl", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=self._environment
        )

    def __call__(self, *words: str, stdin: str | None = None, timeout_s: float = 400) -> str:
        return self.command("kubectl", *words, stdin=stdin, timeout_s=timeout_s)

    def helm(self, *words: str, timeout_s: float = 400) -> str:
        return self.command("helm", *words, timeout_s=timeout_s)

    def apply(self, *objects: Mapping[str, Any], server_dry_run: bool = False) -> None:
        text = "\n---\n".join(json.dumps(found) for found in objects)
        self("apply", *(["--dry-run=server"] if server_dry_run else []), "-f", "-", stdin=text)

    def delete(self, *objects: Mapping[str, Any]) -> None:
        for found in objects:
            metadata = found["metadata"]
            where = ["-n", metadata["namespace"]] if "namespace" in metadata else []
            self("delete", "--ignore-not-found", "--wait=false", found["kind"].lower(), metadata["name"], *where)

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object:
        found: Object = json.loads(self("get", kind, name, *_where(namespace), "-o", "json"))
        return found

    def list(self, kind: str, namespace: str | None = None, labels: str | None = None) -> list[Object]:
        selection = ["-l", labels] if labels else []
        where = _where(namespace) if namespace else ["-A"]
        found: list[Object] = json.loads(self("get", kind, *where, *selection, "-o", "json"))["items"]
        return found

    def exists(self, kind: str, name: str, namespace: str | None = None) -> bool:
        return bool(self("get", kind, name, *_where(namespace), "--ignore-not-found", "-o", "name").strip())


def _where(namespace: str | None) -> Sequence[str]:
    return ["-n", namespace] if namespace else []


def documents(path: Path) -> list[Object]:
    """Read a file of manifests."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def condition(found: Mapping[str, Any], kind: str) -> Object:
    """Return one condition of an object, judged for the generation that it has now; else {}."""
    status = found.get("status", {})
    if status.get("observedGeneration") != found["metadata"]["generation"]:
        return {}
    return next((one for one in status.get("conditions", ()) if one["type"] == kind), {})
