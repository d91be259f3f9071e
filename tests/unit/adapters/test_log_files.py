from pathlib import Path

import pytest

from fairlead.adapters.log_files import Follower, tail
from fairlead.errors import StateError


def test_a_tail_begins_with_a_whole_line_and_goes_on_into_the_log_before(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    (tmp_path / "access.log.1").write_bytes(b"one\ntwo\n")
    log.write_bytes(b"three\nfour\n")
    assert tail(log, 1000) == b"one\ntwo\nthree\nfour\n"
    assert tail(log, 16) == b"two\nthree\nfour\n"
    assert tail(log, 8) == b"four\n"


def test_no_log_is_an_empty_one_and_a_folder_is_told(tmp_path: Path) -> None:
    assert tail(tmp_path / "access.log", 10) == b""
    (tmp_path / "access.log").mkdir()
    with pytest.raises(StateError, match="folder"):
        tail(tmp_path / "access.log", 10)


def test_a_follower_goes_on_when_a_log_is_renamed(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(b"before\n")
    with Follower(log) as follower, log.open("ab", buffering=0) as first:
        assert list(follower.lines()) == []
        first.write(b"one\nha")
        assert list(follower.lines()) == [b"one"]
        first.write(b"lf\n")
        log.replace(tmp_path / "access.log.1")
        log.write_bytes(b"new\n")
        first.write(b"late\n")
        assert list(follower.lines()) == [b"half", b"late", b"new"]


def test_a_follower_waits_for_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    with Follower(tmp_path / "access.log") as follower:
        assert list(follower.lines()) == []
        (tmp_path / "access.log").write_bytes(b"one\n")
        assert list(follower.lines()) == [b"one"]
