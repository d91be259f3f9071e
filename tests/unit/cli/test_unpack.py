"""`fairlead unpack` lives beside Envoy: it takes what comes, says once what it cannot take, and ends when told to."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import run


def bring(mount: Path, version: str, content: bytes) -> None:
    mount.joinpath(version).mkdir()
    mount.joinpath(version, "rds.json.gz").write_bytes(content)
    following = mount / "..data_tmp"
    following.symlink_to(version)
    following.replace(mount / "..data")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    mount, folder = tmp_path / "mount", tmp_path / "folder"
    mount.mkdir()
    folder.mkdir()
    return mount, folder


@pytest.fixture
def running(folders: tuple[Path, Path]) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", "from fairlead.cli import main; main()", "unpack", *map(str, folders)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: "subprocess.Popen[str]") -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def test_it_follows_the_mount(folders: tuple[Path, Path], running: "subprocess.Popen[str]") -> None:
    mount, folder = folders
    assert said(running)["event"] == "not unpacked", "nothing was brought yet"
    assert run("unpack", "--there", mount, folder).exit_code == 1
    bring(mount, "..1", gzip.compress(b"one"))
    assert said(running)["event"] == "unpacked"
    assert folder.joinpath("rds.json").read_bytes() == b"one"
    assert run("unpack", "--there", mount, folder).exit_code == 0
    bring(mount, "..2", b"no gzip")
    assert said(running) == {"level": "warning", "event": "not unpacked", "what": "rds.json.gz: got no gzip"}
    assert folder.joinpath("rds.json").read_bytes() == b"one"
    bring(mount, "..3", gzip.compress(b"three"))
    assert said(running)["event"] == "unpacked", "the damage was said once"
    assert folder.joinpath("rds.json").read_bytes() == b"three"
    running.terminate()
    assert running.wait(10) == 0
