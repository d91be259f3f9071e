"""Where a file should be stands a pipe, a socket, a device or a folder: nobody waits for it, everybody says so."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from fairlead.adapters import disk, watch
from fairlead.adapters.lock import StateLock, holder
from fairlead.adapters.manifest_files import ManifestFiles
from fairlead.budgetserver.configuration_file import BudgetConfigurationFile
from fairlead.budgetserver.metrics import Metrics
from fairlead.errors import BudgetConfigurationError, StateError
from fairlead.runtime import saved, scrape
from fairlead.standalone import kill
from fairlead.standalone.state import StateFolder


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


KINDS: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "socket": bind,
    "folder": Path.mkdir,
    "device": lambda path: path.symlink_to("/dev/zero"),
}
pytestmark = pytest.mark.timeout(20)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "x.yaml"
    KINDS[request.param](path)
    return path


def test_every_reader_of_state_says_what_stands_there(place: Path) -> None:
    with pytest.raises(StateError, match=r"x\.yaml: got a .*, want a file"):
        disk.read(place)
    said: list[str] = []
    assert saved.read(place, lambda document: document, warn=said.append) is None
    assert len(said) == 1
    assert watch.content(place) is None
    with pytest.raises(BudgetConfigurationError, match="want a file"):
        BudgetConfigurationFile(place, Metrics()).load()
    assert scrape._lines(place) == []


def test_a_log_is_a_file(place: Path) -> None:
    with pytest.raises(OSError, match=r"want a file|Is a directory"):
        disk.appending(place)


def test_a_named_manifest_is_a_file(place: Path) -> None:
    if place.is_dir():
        return  # that is read for what it holds
    (found,) = ManifestFiles((place,)).read()
    assert "want a file" in str(found.error)


@pytest.mark.parametrize("kind", KINDS)
def test_who_is_stopped_can_be_written_anew(tmp_path: Path, kind: str) -> None:
    state, said = StateFolder(root=tmp_path), []
    KINDS[kind](state.killed)
    stops = kill.Stops(state, said.append)
    assert (stops.read(), stops.read()) == (frozenset(), frozenset())
    assert len(said) == 1
    if kind == "folder":
        with pytest.raises(StateError, match="is a directory"):
            kill.write(state, frozenset({"t/a"}))
        return
    kill.write(state, frozenset({"t/a"}))
    assert stops.read() == {"t/a"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_lock_is_a_file(tmp_path: Path, kind: str) -> None:
    KINDS[kind](tmp_path / "up.lock")
    with pytest.raises(StateError, match=r"up\.lock"), StateLock(tmp_path):
        pass
    assert holder(tmp_path) is None
