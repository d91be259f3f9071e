"""Serves the page until it is told to end."""

import asyncio
import contextlib
import signal
import webbrowser
from collections.abc import Callable

from aiohttp import web

from fairlead.console.application import application
from fairlead.console.observer import Observer
from fairlead.console.source import Source
from fairlead.errors import StateError

ADDRESS = "127.0.0.1"
PORT = 8100
END_S = 2.0


async def serve(source: Source, *, port: int | None, show: bool, say: Callable[[str], None]) -> None:
    """Serve on loopback until SIGINT or SIGTERM.

    `port`: None = 8100, or a free one where that is taken. `show`: open a browser.

    Raises:
        StateError: the port that was asked for is taken.

    """
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    observer = Observer(source)
    hosts: set[str] = set()
    runner = web.AppRunner(application(observer, hosts), access_log=None, shutdown_timeout=END_S)
    await runner.setup()
    try:
        found = await _listen(runner, port)
        hosts |= {f"{name}:{found}" for name in (ADDRESS, "localhost")}
        url = f"http://{ADDRESS}:{found}/"
        say(url)
        watching = asyncio.create_task(observer.watch())
        try:
            if show:
                await asyncio.to_thread(webbrowser.open, url)
            await stopped.wait()
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, port: int | None) -> int:
    """Listen, and return the port."""
    for one in (PORT, 0) if port is None else (port,):
        site = web.TCPSite(runner, ADDRESS, one)
        try:
            await site.start()
        except OSError as error:
            if port is None:
                continue
            raise StateError(
                f"{ADDRESS}:{port}: {(error.strerror or str(error)).lower()}; give --port another"
            ) from None
        return int(runner.addresses[-1][1])
    raise StateError(f"{ADDRESS}: got no free port, want one")
