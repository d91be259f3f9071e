import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fairlead.adapters import watch
from fairlead.adapters.manifest_files import ManifestFiles


def seen_after(paths: tuple[Path, ...], act: Callable[[], Awaitable[None]]) -> bool:
    async def run() -> bool:
        files = ManifestFiles(paths)
        bursts = watch.changes(paths, files.signature)
        await anext(bursts)
        first = asyncio.ensure_future(anext(bursts))
        await asyncio.sleep(0.2)  # the listeners start; the look twice a second would see the change all the same
        await act()
        try:
            await asyncio.wait_for(first, 5)
        except TimeoutError:
            return False
        finally:
            await bursts.aclose()
        return True

    return asyncio.run(run())


@pytest.mark.parametrize("how", ["in place", "rename", "new", "gone", "deep"])
def test_a_change_is_seen(tmp_path: Path, how: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("kind: A")
    (tmp_path / "sub").mkdir()

    async def act() -> None:
        match how:
            case "in place":
                path.write_text("kind: BB")
            case "rename":
                (tmp_path / "x").write_text("kind: B")
                (tmp_path / "x").rename(path)
            case "new":
                (tmp_path / "b.yaml").write_text("kind: B")
            case "gone":
                path.unlink()
            case _:
                (tmp_path / "sub" / "b.yaml").write_text("kind: B")

    assert seen_after((tmp_path,), act)


def test_a_change_behind_a_link_is_seen_without_an_event(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "a.yaml"
    target.parent.mkdir()
    target.write_text("kind: A")
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a.yaml").symlink_to(target)

    async def act() -> None:
        target.write_text("kind: BB")

    assert seen_after((folder,), act)


def test_a_single_file_is_watched_through_a_rename(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("kind: A")

    async def act() -> None:
        (tmp_path / "x").write_text("kind: B")
        (tmp_path / "x").rename(path)

    assert seen_after((path,), act)


def test_a_burst_is_seen_once(tmp_path: Path) -> None:
    async def run() -> int:
        files = ManifestFiles((tmp_path,))
        count = 0

        async def consume() -> None:
            nonlocal count
            async for _ in watch.changes((tmp_path,), files.signature):
                count += 1

        task = asyncio.create_task(consume())
        await asyncio.sleep(0.2)
        for i in range(10):
            (tmp_path / f"{i}.yaml").write_text("kind: A")
            await asyncio.sleep(0.005)
        await asyncio.sleep(1.5)  # two looks: nothing more may come
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return count

    assert asyncio.run(run()) <= 3, "the first, and that one in two at most"
