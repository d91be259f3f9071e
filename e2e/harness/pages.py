"""A reader who does what a page of the documentation says, on a cluster: the blocks marked `run: cluster`, in order."""

import json
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from documents import Block, blocks
from harness.cluster import IMAGES, ROOT, Cluster

_HELM = """#!/bin/sh
# As on the page, with the images of this checkout and values that are small enough for a test machine
case "$1" in
  install | upgrade) exec {helm} "$@" --values {images} --values {small} ;;
  *) exec {helm} "$@" ;;
esac
"""
_GREP = """#!/bin/sh
# A runbook is for what has gone wrong: where nothing has, its words are not found, and that is no failure
{grep} "$@" || [ $? = 1 ]
"""


class Reader:
    """Works in a folder of its own, in which the repository's folders stand."""

    def __init__(
        self, cluster: Cluster, folder: Path, *, values: Mapping[str, Any], instead: Mapping[str, str] | None = None
    ) -> None:
        """`instead`: what a reader puts in the place of what the page has as an example."""
        self._cluster, self._folder, self._instead = cluster, folder, dict(instead or {})
        for name in ("helm", "examples", "crds"):
            (folder / name).symlink_to(ROOT / name)
        small = folder / "small.json"
        small.write_text(json.dumps(values))
        wrapper = folder / "bin" / "helm"
        wrapper.parent.mkdir()
        helm = cluster.kubectl.command("sh", "-c", "command -v helm").strip()
        wrapper.write_text(_HELM.format(helm=helm, images=IMAGES / "values.yaml", small=small))
        grep = wrapper.with_name("grep")
        grep.write_text(_GREP.format(grep=cluster.kubectl.command("sh", "-c", "command -v grep").strip()))
        for script in (wrapper, grep):
            script.chmod(script.stat().st_mode | stat.S_IXUSR)

    def read(self, page: str, which: Callable[[Block], bool] = lambda _: True) -> list[str]:
        """Do what the page says; return what its commands said. Each has to succeed."""
        found = [block for block in blocks(ROOT / page) if block.on_cluster and which(block)]
        assert found, f"{page}: got no block to run, want some"
        return [self._do(block) for block in found]

    def _do(self, block: Block) -> str:
        text = block.text
        for example, real in self._instead.items():
            text = text.replace(example, real)
        if block.file:
            (self._folder / block.file).write_text(text)
            return ""
        assert block.language in ("sh", "console"), f"{block}: got {block.language}, want a file or commands"
        print(f"{block}:\n{block.text}")
        return self.run(text)

    def run(self, commands: str) -> str:
        """Run commands as the reader would; return what they said."""
        script = f'cd {self._folder}; export PATH="{self._folder / "bin"}:$PATH"; {commands}'
        return self._cluster.kubectl.command("bash", "-euo", "pipefail", "-c", script)
