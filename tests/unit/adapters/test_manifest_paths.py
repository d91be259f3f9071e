"""Whatever stands in a watched folder is its own diagnostic: the files beside it are read, and no look raises."""

import errno
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fairlead.adapters import manifest_paths
from fairlead.adapters.manifest_files import ManifestFiles
from fairlead.standalone.inputs import FileContent, Memory, take_in

GOOD = "kind: K"


def loop(at: Path) -> None:
    at.symlink_to(at.name)


def loop_of_two(at: Path) -> None:
    at.symlink_to("other.yaml")
    at.with_name("other.yaml").symlink_to(at.name)


def dangling(at: Path) -> None:
    at.symlink_to("nowhere")


def pipe(at: Path) -> None:
    os.mkfifo(at)


def listening(at: Path) -> None:
    here = Path.cwd()
    os.chdir(at.parent)  # a socket's path may have some hundred bytes
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(at.name)
    finally:
        os.chdir(here)


def device(at: Path) -> None:
    at.symlink_to(os.devnull)


def link_that_is_too_long(at: Path) -> None:
    at.symlink_to("x" * 300)


STRANGE = (loop, loop_of_two, dangling, pipe, listening, device, link_that_is_too_long)


@pytest.mark.parametrize("make", STRANGE)
def test_what_is_no_file_is_told_and_hurts_nobody(tmp_path: Path, make: Callable[[Path], None]) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "z.yaml").write_text(GOOD)
    files = ManifestFiles((tmp_path,))
    before = files.signature()
    make(tmp_path / "m.yaml")
    assert files.signature() != before
    assert files.signature() == files.signature()
    read = {Path(file.path).name: file for file in files.read()}
    assert [read[name].error for name in ("a.yaml", "z.yaml")] == [None, None]
    assert read["m.yaml"].never_read
    assert str(read["m.yaml"].error).startswith(f"{tmp_path / 'm.yaml'}: ")


@pytest.mark.parametrize("make", STRANGE)
def test_what_takes_a_files_place_keeps_its_objects(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(GOOD)
    files = ManifestFiles((tmp_path,))
    files.read()
    path.unlink()
    make(path)
    kept = next(file for file in files.read() if file.path == str(path))
    assert (len(kept.documents), kept.never_read) == (1, False)
    assert kept.error
    path.unlink()
    path.write_text(GOOD)
    assert next(file for file in files.read() if file.path == str(path)).error is None


def test_a_link_that_is_no_manifest_by_its_name_is_nobodys_matter(tmp_path: Path) -> None:
    loop(tmp_path / "notes")
    dangling(tmp_path / "data")
    pipe(tmp_path / "pipe")
    assert ManifestFiles((tmp_path,)).read() == ()


def test_a_linked_folder_that_leads_nowhere_keeps_the_files_below_it(tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    (away / "a.yaml").write_text(GOOD)
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "team").symlink_to(away)
    files = ManifestFiles((folder,))
    assert len(files.read()) == 1
    away.rename(tmp_path / "moved")
    (kept,) = files.read()
    assert (kept.path, len(kept.documents)) == (str(folder / "team" / "a.yaml"), 1)
    assert "leads nowhere" in str(kept.error)
    (folder / "team").unlink()
    assert files.read() == (), "and the link's end is theirs"


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[tuple[str, str], int]]:
    """Errors of the system, by call and path: a file may not be unreadable to who runs the tests."""
    told: dict[tuple[str, str], int] = {}

    def wrapped(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(path: str, *arguments: object) -> object:
            number = told.get((name, str(path)))
            if number is not None:
                raise OSError(number, os.strerror(number), str(path))
            return real(path, *arguments)

        return call

    for name in ("stat", "listdir", "open"):
        monkeypatch.setattr(f"fairlead.adapters.manifest_paths.os.{name}", wrapped(name, getattr(os, name)))
    yield told
    told.clear()


ERRORS = (errno.EIO, errno.EACCES, errno.ENAMETOOLONG, errno.ELOOP, errno.ESTALE, errno.EMFILE)


@pytest.mark.parametrize("number", ERRORS)
@pytest.mark.parametrize(
    ("call", "below"),
    [
        ("stat", "d/a.yaml"),
        ("open", "d/a.yaml"),
        ("stat", "d"),
        ("listdir", "d"),
        ("stat", "."),
        ("listdir", "."),
    ],
)
def test_an_error_of_the_system_keeps_what_stood_there_until_it_is_over(
    tmp_path: Path, failing: dict[tuple[str, str], int], call: str, below: str, number: int
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text(GOOD)
    files = ManifestFiles((tmp_path,))
    assert len(files.read()) == 2
    failing[call, str(tmp_path / below)] = number
    os.utime(tmp_path / "d" / "a.yaml")  # else nobody opens it
    kept = files.read()
    assert [len(file.documents) for file in kept] == [1, 1]
    assert os.strerror(number).lower() in str(next(file.error for file in kept if file.error))
    during = files.signature()
    assert files.signature() == during
    failing.clear()
    assert files.signature() != during, "its end is seen"
    assert [file.error for file in files.read()] == [None, None]


def test_a_folder_that_cannot_be_searched_after_a_restart_is_what_it_was(
    tmp_path: Path, failing: dict[tuple[str, str], int]
) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    memory = Memory(files={str(folder / "a.yaml"): FileContent(namespaces=(space,))})
    failing["listdir", str(folder)] = errno.EIO
    read = ManifestFiles((tmp_path,)).read()
    inputs = take_in(read, memory=memory, environment={}, default_namespace="home")
    assert [manifest.content for manifest in inputs.manifests] == [space]
    (told,) = inputs.diagnostics
    assert str(told).endswith("input/output error; its objects stay as they were")


def test_a_name_that_is_no_utf_8_can_be_shown(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.yaml")).write_text("kind: [")
    (file,) = ManifestFiles((tmp_path,)).read()
    assert str(file.error).encode()
    assert file.path.endswith("a\\xff.yaml")


def test_links_in_circles_end(tmp_path: Path) -> None:
    folders = [tmp_path / f"d{number}" for number in range(8)]
    for folder in folders:
        folder.mkdir()
        (folder / "a.yaml").write_text(GOOD)
    for folder in folders:
        for other in folders:
            (folder / f"to-{other.name}").symlink_to(other)
    found = list(manifest_paths.find((str(tmp_path),), without=frozenset()))
    assert len(found) == len(folders)
