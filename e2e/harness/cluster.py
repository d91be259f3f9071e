"""A cluster to test on: one of our own, booted for the tests, or the one that KUBECONFIG names."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.kubectl import Kubectl

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "e2e" / "cluster"
IMAGES = ROOT / "build" / "images"


class Cluster:
    """A cluster that is up. `name` is None for one that is not ours: nothing of it can be stopped."""

    def __init__(self, name: str | None, kubectl: Kubectl) -> None:
        self.name = name
        self.kubectl = kubectl

    def component(self, name: str, action: str) -> None:
        """Start, stop or kill a component (`apiserver`, `kubelet`, ...) of a cluster of our own."""
        assert self.name is not None, "only a cluster of our own has components to stop"
        _run([str(SCRIPTS / "component.sh"), self.name, name, action])


def _run(words: Sequence[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout


@contextmanager
def boot(name: str) -> Iterator[Cluster]:
    """Boot a cluster with the images of this checkout, and end it."""
    images = sorted(str(path) for path in IMAGES.glob("*.tar"))
    assert images, "no images in build/images: run `make images`"
    _run([str(SCRIPTS / "down.sh"), name])
    exports = _run([str(SCRIPTS / "up.sh"), name, *images]).strip()
    words = dict(word.split("=", 1) for word in exports.removeprefix("export ").split())
    path = words["PATH"].replace("$PATH", os.environ["PATH"])
    try:
        yield Cluster(name, Kubectl(Path(words["KUBECONFIG"]), path))
    finally:
        if not os.environ.get("FAIRLEAD_E2E_KEEP"):
            _run([str(SCRIPTS / "down.sh"), name])


@contextmanager
def given(kubeconfig: str) -> Iterator[Cluster]:
    """Use a cluster that is there; its nodes must know the images of build/images/values.yaml."""
    for command in ("kubectl", "helm"):
        assert shutil.which(command), f"{command} is not on PATH"
    yield Cluster(None, Kubectl(Path(kubeconfig), os.environ["PATH"]))
