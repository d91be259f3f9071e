import os
import subprocess
import sys
from pathlib import Path

import pytest

from fairlead.adapters.lock import StateLock, holder
from fairlead.errors import StateError


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with StateLock(tmp_path):
        assert holder(tmp_path) == os.getpid()
        with pytest.raises(StateError, match=f"process {os.getpid()}"), StateLock(tmp_path):
            pass
    assert holder(tmp_path) is None
    with StateLock(tmp_path):
        pass


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    code = "import sys, pathlib, os, signal; from fairlead.adapters.lock import StateLock\n"
    code += "StateLock(pathlib.Path(sys.argv[1])).__enter__(); os.kill(os.getpid(), signal.SIGKILL)"
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -9
    assert holder(tmp_path) is None
    with StateLock(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="--state"), StateLock(tmp_path / "file"):
        pass
