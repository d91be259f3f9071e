"""Who may need a budget server lets one load beside its own start."""

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fairlead.adapters.standby import Standby, is_likely


@pytest.mark.parametrize(
    ("name", "text", "likely"),
    [
        ("budget.yaml", "kind: BudgetPolicy\n", True),
        ("route.json", '{"spec": {"baseline": {}}}', False),  # as YAML writes it, only: a guess may be wrong
        ("route.yaml", "spec:\n  baseline: {provider: p}\n", True),
        ("route.yaml", "kind: ModelRoute\n", False),
        ("notes.txt", "BudgetPolicy", False),
    ],
)
def test_files_say_whether_it_is_likely(tmp_path: Path, name: str, text: str, *, likely: bool) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / name).write_text(text)
    assert is_likely([tmp_path], tmp_path / "none.db") is likely
    assert is_likely([tmp_path / "deep" / name], tmp_path / "none.db") is (likely and name.endswith(".yaml"))


def test_what_was_spent_before_says_so_too(tmp_path: Path) -> None:
    (tmp_path / "budget.db").touch()
    assert is_likely([], tmp_path / "budget.db")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert not is_likely([tmp_path], tmp_path / "none.db")


def test_a_folder_that_goes_while_it_is_searched_is_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "there.yaml").write_text("kind: BudgetPolicy\n")

    def unless_gone(look: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def seen(path: Any) -> Any:
            if Path(path).name == "gone":
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
            return look(path)

        return seen

    monkeypatch.setattr(os, "scandir", unless_gone(os.scandir))
    monkeypatch.setattr(os, "listdir", unless_gone(os.listdir))
    assert is_likely([tmp_path], tmp_path / "none.db")


def test_one_that_is_not_needed_ends_and_one_that_is_gone_is_nobody(tmp_path: Path) -> None:
    async def story() -> None:
        standby = await Standby.start(os.environ)
        assert standby is not None
        await standby.end()
        assert standby.become([], {}, log=tmp_path / "log") is None

    asyncio.run(story())
