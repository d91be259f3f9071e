"""Tells that files changed, soon and once.

Events of the system give the speed, a look at every file twice a second gives the certainty: events do not cross links
out of a folder, do not come from network drives, and stop when a watched folder is replaced.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Hashable
from pathlib import Path

import watchfiles

from fairlead.adapters import disk, inotify
from fairlead.errors import StateError

QUIET_S = 0.05
"""Nothing may have changed for that long: writers that write twice are seen once."""
PATIENCE_S = 0.5
"""A file that never comes to rest is looked at after that."""
LOOK_S = 0.5
"""How often everything is looked at without an event."""
LOOK_SHARE = 20
"""A look at a very large folder takes its time; the pause after it is that many times longer."""
EVENT_STEP_MS = 25


async def changes(
    paths: tuple[Path, ...], signature: Callable[[], Hashable], *, told: Callable[[str], None]
) -> AsyncIterator[None]:
    """Yield once at first, then after each burst of changes to what `signature` describes.

    `paths` are the files and folders to listen at. Who reads everything at each yield misses nothing. A `signature`
    that the system keeps from looking (`OSError`) is one of its own, by what was said. `told` hears it when the system
    has no events left: looking remains, half a second slower.
    """
    loop = asyncio.get_running_loop()
    signature = _total(signature)
    woken = asyncio.Event()
    stop = asyncio.Event()
    seen = await asyncio.to_thread(signature)
    listeners = [
        asyncio.create_task(_listen(folder, woken, stop, deep=deep, told=told)) for folder, deep in _folders(paths)
    ]
    try:
        yield
        took = 0.0
        while True:
            # Not by `wait_for`: in Python 3.11 it can swallow a cancellation, and the end would never come.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(LOOK_S, LOOK_SHARE * took)):
                    await woken.wait()
            woken.clear()
            began = loop.time()
            now = await asyncio.to_thread(signature)
            took = loop.time() - began
            if now != seen:
                seen = await _rest(now, signature)
                yield
    finally:
        stop.set()
        await asyncio.gather(*listeners, return_exceptions=True)


def content(path: Path) -> bytes | None:
    """Return a file's content as part of a signature; None where it cannot be read."""
    try:
        return disk.read(path)
    except StateError:
        return None


def _total(signature: Callable[[], Hashable]) -> Callable[[], Hashable]:
    def look() -> Hashable:
        try:
            return signature()
        except OSError as error:
            return "cannot look", str(error)

    return look


async def _rest(now: Hashable, signature: Callable[[], Hashable]) -> Hashable:
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE_S
    while loop.time() < until:
        await asyncio.sleep(QUIET_S)
        later = await asyncio.to_thread(signature)
        if later == now:
            break
        now = later
    return now


def _folders(paths: tuple[Path, ...]) -> frozenset[tuple[Path, bool]]:
    """Where to listen, and whether deeply: a file is watched through its folder, since editors replace it."""
    return frozenset(
        (path.absolute(), True) if os.path.isdir(path) else (path.absolute().parent, False)  # noqa: PTH112  no error
        for path in paths
    )


async def _listen(
    folder: Path, woken: asyncio.Event, stop: asyncio.Event, *, deep: bool, told: Callable[[str], None]
) -> None:
    def matters(_: watchfiles.Change, path: str) -> bool:
        # `.fairlead` beside the manifests holds logs that grow all the time; `..data` is how a mount changes.
        parts = Path(path).relative_to(folder).parts if Path(path).is_relative_to(folder) else ()
        return not any(part.startswith(".") and not part.startswith("..") for part in parts)

    try:
        async for _ in watchfiles.awatch(
            folder,
            watch_filter=matters,
            debounce=2 * EVENT_STEP_MS,
            step=EVENT_STEP_MS,
            stop_event=stop,
            recursive=deep,
            ignore_permission_denied=True,
        ):
            woken.set()
    except (OSError, RuntimeError) as error:  # watchfiles' own error is a RuntimeError
        # No events left on this system, or the folder is gone: looking remains.
        if advice := inotify.advice(str(error)):
            told(f"no events of changed files ({error}), files are looked at twice a second instead; {advice}")
