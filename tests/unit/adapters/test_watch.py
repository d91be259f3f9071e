import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fairlead.adapters import inotify, watch
from fairlead.adapters.manifest_files import ManifestFiles


def seen_after(paths: tuple[Path, ...], act: Callable[[], Awaitable[None]]) -> bool:
    async def run() -> bool:
        files = ManifestFiles(paths)
        bursts = watch.changes(paths, files.signature, told=print)
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
            async for _ in watch.changes((tmp_path,), files.signature, told=print):
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


@pytest.mark.parametrize("steps", range(6))
def test_it_ends_when_it_is_told_to_in_the_moment_of_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    listening: list[asyncio.Event] = []

    async def listen(_: Path, woken: asyncio.Event, *__: object, **___: object) -> None:
        listening.append(woken)

    monkeypatch.setattr(watch, "_listen", listen)

    async def follow() -> None:
        async for _ in watch.changes((tmp_path,), lambda: "always the same", told=print):
            pass

    async def run() -> None:
        following = asyncio.ensure_future(follow())
        while not listening:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        listening[0].set()
        for _ in range(steps):
            await asyncio.sleep(0)
        following.cancel()
        done, _ = await asyncio.wait({following}, timeout=10)
        assert done, "a second cancellation would be needed, which nobody sends"

    asyncio.run(run())


WITHOUT_EVENTS = """
import asyncio, pathlib, sys
from fairlead.adapters import watch

async def run(path):
    said = []
    bursts = watch.changes((path,), lambda: path.read_text(), told=said.append)
    await anext(bursts)
    async with asyncio.timeout(60):
        while not said:
            await asyncio.sleep(0.01)
        path.write_text("other")
        await anext(bursts)
    await bursts.aclose()
    print(said)

asyncio.run(run(pathlib.Path(sys.argv[1])))
"""


def test_a_system_without_events_is_named_with_its_setting_and_changes_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("one")
    # In a user namespace of its own, which has no inotify instance to give.
    none = (
        f"echo 0 >/proc/sys/user/max_inotify_instances || exit 77; exec {sys.executable} -c '{WITHOUT_EVENTS}' {path}"
    )
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", none],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    if "unshare" in done.stderr or done.returncode == 77:
        pytest.skip(f"got no user namespace here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    assert "Too many open files" in done.stdout
    assert "raise fs.inotify.max_user_instances: `sudo sysctl fs.inotify.max_user_instances=1024`" in done.stdout
    assert done.stdout.count("sysctl") == 1


@pytest.mark.parametrize(
    ("words", "setting"),
    [
        ('OS file watch limit reached. about ["/a"]', "fs.inotify.max_user_watches"),
        ("unable to add filesystem watch for file /a: No space left on device", "fs.inotify.max_user_watches"),
        ("No space left on device", ""),
        ('No path was found. about ["/a"]', ""),
    ],
)
def test_what_is_full_is_told_from_what_is_not(words: str, setting: str) -> None:
    advice = inotify.advice(words)
    assert (setting in advice) if setting else (advice == "")
