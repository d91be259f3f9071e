import os
from pathlib import Path

import pytest

from fairlead.adapters.manifest_files import ManifestFiles


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def kinds(files: ManifestFiles) -> dict[str, list[str]]:
    return {Path(file.path).name: [doc.manifest["kind"] for doc in file.documents] for file in files.read()}


def test_folders_are_searched_as_the_contract_says(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "sub/c.json", ".hidden.yaml", ".git/d.yaml", "notes.txt", "e.yaml~", "f.YAML"):
        write(tmp_path / name, '{"kind": "K"}')
    assert [file.path for file in ManifestFiles((tmp_path,)).read()] == [
        str(tmp_path / "a.yml"),
        str(tmp_path / "b.yaml"),
        str(tmp_path / "sub" / "c.json"),
    ]


def test_a_file_that_is_named_is_read_whatever_its_name(tmp_path: Path) -> None:
    path = write(tmp_path / ".hidden.txt", "kind: K")
    assert kinds(ManifestFiles((path,))) == {".hidden.txt": ["K"]}


def test_paths_may_overlap_and_links_may_lead_back(tmp_path: Path) -> None:
    path = write(tmp_path / "d" / "a.yaml", "kind: K")
    (tmp_path / "d" / "again.yaml").symlink_to(path)
    (tmp_path / "d" / "up").symlink_to(tmp_path / "d")
    assert len(ManifestFiles((path, tmp_path / "d", tmp_path)).read()) == 1


def test_the_installation_file_is_no_manifest(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "kind: K")
    config = write(tmp_path / "fairlead.yaml", "regions: []")
    assert kinds(ManifestFiles((tmp_path,), without=(config,))) == {"a.yaml": ["K"]}


def test_a_file_of_no_bytes_is_being_written_and_keeps_what_it_held(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", "kind: K")
    files = ManifestFiles((tmp_path,))
    assert kinds(files) == {"a.yaml": ["K"]}
    write(path, "")
    (file,) = files.read()
    assert (len(file.documents), file.being_written, file.never_read) == (1, True, False)
    assert files.read() == (file,), "however often it is looked at"
    path.unlink()
    assert files.read() == ()


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
def test_a_file_that_begins_with_no_bytes_held_something_unknown(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, "")
    (file,) = ManifestFiles((tmp_path,)).read()
    assert (file.being_written, file.never_read) == (True, True)


@pytest.mark.parametrize("text", ["# nothing here any more\n", "---\n# none\n", "# head\n# but none below\n"])
def test_a_file_with_a_comment_holds_nothing_on_purpose(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "a.yaml", "# head\nkind: K\n")
    files = ManifestFiles((tmp_path,))
    files.read()
    write(path, text)
    (file,) = files.read()
    assert (file.documents, file.error) == ((), None)


@pytest.mark.parametrize("text", ["---\n", "\n", " \n\n", "null\n", "# he", "# head\n", "# head\n---\n"])
def test_nothing_but_blanks_or_the_comment_of_before_keeps_what_the_file_held(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "a.yaml", "# head\n---\nkind: K\n")
    files = ManifestFiles((tmp_path,))
    files.read()
    write(path, text)
    (file,) = files.read()
    assert (len(file.documents), file.being_written, file.never_read) == (1, True, False)
    assert "want manifests, or a comment of its own where it holds none on purpose" in str(file.error)


def test_a_mounted_config_map_is_read_once_and_its_swap_is_seen(tmp_path: Path) -> None:
    write(tmp_path / "..1" / "a.yaml", "kind: One")
    write(tmp_path / "..2" / "a.yaml", "kind: Two")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    files = ManifestFiles((tmp_path,))
    before = files.signature()
    assert kinds(files) == {"a.yaml": ["One"]}
    (tmp_path / "..tmp").symlink_to("..2")
    (tmp_path / "..tmp").rename(tmp_path / "..data")
    assert files.signature() != before
    assert kinds(files) == {"a.yaml": ["Two"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", "not YAML"),
        (b"kind: A\nkind: B", "twice"),
        (b"kind: A\n---\nkind: \xff", "a.yaml:3: got bytes that are not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_keeps_all_its_objects(tmp_path: Path, content: bytes, message: str) -> None:
    path = write(tmp_path / "a.yaml", "kind: A\n---\nkind: B\n")
    write(tmp_path / "b.yaml", "kind: C")
    files = ManifestFiles((tmp_path,))
    assert kinds(files) == {"a.yaml": ["A", "B"], "b.yaml": ["C"]}
    path.write_bytes(content)
    for _ in range(2):
        assert kinds(files) == {"a.yaml": ["A", "B"], "b.yaml": ["C"]}
        broken, sound = files.read()
        assert message in str(broken.error)
        assert not broken.never_read
        assert sound.error is None
    write(path, "kind: D")
    assert kinds(files) == {"a.yaml": ["D"], "b.yaml": ["C"]}


def test_a_file_that_never_could_be_read_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", "kind: [")
    files = ManifestFiles((tmp_path,))
    for _ in range(2):
        (file,) = files.read()
        assert file.never_read
        write(path, "kind: [[")
    write(path, "kind: A")
    assert not files.read()[0].never_read


def test_a_file_that_is_gone_takes_its_objects_along(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", "kind: A")
    write(tmp_path / "b.yaml", "kind: B")
    files = ManifestFiles((tmp_path,))
    files.read()
    path.unlink()
    assert kinds(files) == {"b.yaml": ["B"]}


def test_a_path_of_the_command_line_that_is_gone_keeps_its_objects(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    write(folder / "a.yaml", "kind: A")
    files = ManifestFiles((folder,))
    files.read()
    folder.rename(tmp_path / "e")
    assert kinds(files) == {"a.yaml": ["A"]}
    assert "want the path given with `-f`" in str(files.read()[0].error)
    (tmp_path / "e").rename(folder)
    assert files.read()[0].error is None


def test_unchanged_files_are_not_parsed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.yaml", "kind: A")
    files = ManifestFiles((tmp_path,))
    first = files.read()
    monkeypatch.setattr("fairlead.adapters.manifest_files.parse", None)
    assert files.read() == first
    monkeypatch.undo()
    replacement = write(tmp_path / "new", "kind: B")
    os.utime(replacement, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))
    replacement.rename(path)
    assert kinds(files) == {"a.yaml": ["B"]}, "same size and time, another file"
