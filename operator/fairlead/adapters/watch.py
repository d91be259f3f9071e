"""Tells that files changed, soon and once.

Events of the system give the speed, a look at every file twice a second gives the certainty: events do not cross links
out of a folder, do not come from network drives, and stop when a watched folder is replaced.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Hashable
from pathlib import Path

import watchfiles

QUIET_S = 0.05
"""Nothing may have changed for that long: writers that write twice are seen once."""
PATIENCE_S = 0.5
"""A file that never comes to rest is looked at after that."""
LOOK_S = 0.5
"""How often everything is looked at without an event."""
LOOK_SHARE = 20
"""A look at a very large folder takes its time; the pause after it is that many times longer."""
EVENT_STEP_MS = 25


async def changes(paths: tuple[Path, ...], signature: Callable[[], Hashable]) -> AsyncIterator[None]:
    """Yield once at first, then after each burst of changes to what `signature` describes.

    `paths` are the files and folders to listen at. Who reads everything at each yield misses nothing.
    """
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()
    stop = asyncio.Event()
    seen = await asyncio.to_thread(signature)
    listeners = [asyncio.create_task(_listen(folder, woken, stop, deep=deep)) for folder, deep in _folders(paths)]
    try:
        yield
        took = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), max(LOOK_S, LOOK_SHARE * took))
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
        return path.read_bytes()
    except OSError:
        return None


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
    return frozenset((path.absolute(), True) if path.is_dir() else (path.absolute().parent, False) for path in paths)


async def _listen(folder: Path, woken: asyncio.Event, stop: asyncio.Event, *, deep: bool) -> None:
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
    except (OSError, RuntimeError):  # watchfiles' own error is a RuntimeError
        return  # no watches left on this system, or the folder is gone: looking remains
