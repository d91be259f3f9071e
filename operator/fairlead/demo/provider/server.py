"""The sockets of a simulated provider: listen, die, come back on the same port; in this thread or another."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from fairlead.demo.provider.control import ControlService, LocalControl
from fairlead.demo.provider.fault import Fault
from fairlead.demo.provider.journal import Record, Stats
from fairlead.demo.provider.service import Service
from fairlead.demo.provider.settings import Settings

ADDRESS = "127.0.0.1"
BACKLOG = 1024
START_TIMEOUT_S = 30


class ProviderServer:
    """A provider in the running event loop: its service behind a socket, its commands behind another."""

    def __init__(
        self, settings: Settings, *, port: int = 0, tls: ssl.SSLContext | None = None, address: str = ADDRESS
    ) -> None:
        self._service = Service(settings)
        self._tls, self._address = tls, address
        self._place = _bound(address, port)  # never listens: keeps the port while the provider is dead
        self.port: int = self._place.getsockname()[1]
        self.control_port = 0
        self._web: web.Server | None = None
        self._listener: asyncio.Server | None = None
        self._control: asyncio.Server | None = None
        self._control_web: web.Server | None = None

    @property
    def settings(self) -> Settings:
        """How it behaves."""
        return self._service.settings

    def set_settings(self, settings: Settings) -> None:
        """Behave otherwise."""
        self._service.settings = settings

    def add_fault(self, fault: Fault) -> None:
        """Fail from now on."""
        self._service.faults.add(fault)

    def clear_faults(self) -> None:
        """Be well again."""
        self._service.faults.clear()

    def stats(self) -> Stats:
        """Count what was seen."""
        return self._service.journal.stats

    def requests(self) -> tuple[Record, ...]:
        """Show the last requests, oldest first."""
        return tuple(replace(record) for record in self._service.journal.records)

    def reset(self) -> None:
        """Start counting anew."""
        self._service.journal.reset()

    async def start(self, *, control_port: int | None = None) -> None:
        """Listen; with `control_port` also for commands over HTTP (0: any free port)."""
        await self.revive()
        if control_port is not None:
            self._control_web = web.Server(ControlService(self).handle, access_log=None)
            self._control = await asyncio.get_running_loop().create_server(
                self._control_web, self._address, control_port
            )
            self.control_port = self._control.sockets[0].getsockname()[1]

    async def revive(self) -> None:
        """Listen again on the same port."""
        if self._listener is not None:
            return
        self._service.dying = False
        server = web.Server(self._service.handle, access_log=None, handler_cancellation=True)
        self._web = server

        def accept() -> asyncio.Protocol:
            self._service.journal.stats.connections += 1
            return server()

        listening = _bound(self._address, self.port)
        self._listener = await asyncio.get_running_loop().create_server(
            accept, sock=listening, backlog=BACKLOG, ssl=self._tls
        )

    async def die(self) -> None:
        """Refuse connections, break those that are open."""
        if self._listener is None or self._web is None:
            return
        self._service.dying = True
        self._listener.close()
        self._listener = None
        for connection in self._web.connections:
            if connection.transport is not None:
                connection.transport.abort()
        await self._web.shutdown(0)

    async def stop(self) -> None:
        """Close everything."""
        await self.die()
        if self._control is not None and self._control_web is not None:
            self._control.close()
            await self._control_web.shutdown(0)
        self._place.close()


def _bound(address: str, port: int) -> socket.socket:
    """Bind without listening: two sockets may share a port so, as long as one of them listens at most."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setblocking(False)
    sock.bind((address, port))
    return sock


async def _end() -> None:
    """End what still runs in this loop: a connection that is just being accepted knows no listener any more."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for _ in range(2):  # transports close their sockets in the loop's next round
        await asyncio.sleep(0)


class SimulatedProvider:
    """A provider in a thread of its own, for tests.

    with SimulatedProvider(models=("model-a",), keys=("k",), region="eu-west-1").start() as provider:
        provider.control.fault(status=429, count=3)
        ... provider.base_url ... provider.control.stats()
    """

    def __init__(self, *, port: int = 0, tls: ssl.SSLContext | None = None, **settings: Any) -> None:
        self._settings = Settings(**settings)
        self._port, self._tls = port, tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulated-provider", daemon=True)
        self._server: ProviderServer | None = None

    def start(self) -> Self:
        """Listen; safe to call twice."""
        if self._server is None:
            self._thread.start()
            self._server = ProviderServer(self._settings, port=self._port, tls=self._tls)
            self._run(self._server.start)
        return self

    def stop(self) -> None:
        """Close every socket and end the thread."""
        if self._server is not None:
            self._run(self._server.stop)
            self._run(_end)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(START_TIMEOUT_S)
            self._server = None
        self._loop.close()

    @property
    def port(self) -> int:
        """Where it listens, also while it is dead."""
        return self._running.port

    @property
    def base_url(self) -> str:
        """What stands in a provider's `baseURL`."""
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{ADDRESS}:{self.port}{self._settings.base}"

    @property
    def control(self) -> LocalControl:
        """Commands."""
        return LocalControl(self._running, self._run)

    @property
    def _running(self) -> ProviderServer:
        if self._server is None:
            raise RuntimeError("the provider is not started")
        return self._server

    def _run(self, call: Callable[[], Any]) -> Any:
        async def inside() -> Any:
            result = call()
            return await result if isinstance(result, Awaitable) else result

        return asyncio.run_coroutine_threadsafe(inside(), self._loop).result(START_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
