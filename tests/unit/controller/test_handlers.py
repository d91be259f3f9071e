"""kopf's watches, against an API server that goes away and comes back: what changed meanwhile is known soon."""

import asyncio
import gc
import json
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from fairlead.adapters.kube import RESOURCES, USER_KINDS
from fairlead.controller.handlers import (
    _end,
    _noting,
    watch,
)  # by name: other tests of the folder put a fake in its place

# kopf leaves sessions to the garbage where it is refused: collected in another test, each were an error of that one.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PAUSE_S = 5.0
"""No pause between two attempts is longer."""
SLACK_S = 45.0
"""For what is done after a pause, on a busy machine."""
OUTAGE_S = 6.5
"""Longer than kopf's attempts at one request: 5.7 s."""


class ApiServer:
    """As much of an API server as kopf asks for: it lists and watches routes, or refuses everything with `broken`."""

    def __init__(self) -> None:
        self.objects: list[Mapping[str, Any]] = []
        self.broken: int | None = None
        self._watches: set[asyncio.Task[Any]] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.broken is not None:
            return web.json_response({"kind": "Status", "code": self.broken, "message": "broken"}, status=self.broken)
        path = request.path.strip("/")
        if request.query.get("watch"):
            return await self._watch(request)
        answers = {
            "api": {"versions": ["v1"]},
            "apis": {
                "groups": [
                    {
                        "name": "fairlead.dev",
                        "versions": [{"version": "v1alpha1"}],
                        "preferredVersion": {"version": "v1alpha1"},
                    }
                ]
            },
            "api/v1": {"resources": [_discovered("Namespace")]},
            "apis/fairlead.dev/v1alpha1": {"resources": [_discovered(kind) for kind in USER_KINDS]},
        }
        if path in answers:
            return web.json_response(answers[path])
        items = self.objects if path.endswith("modelroutes") else []
        return web.json_response({"metadata": {"resourceVersion": str(len(self.objects))}, "items": items})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        if request.path.endswith("modelroutes"):
            for found in self.objects[int(request.query["resourceVersion"]) :]:
                await response.write(json.dumps({"type": "ADDED", "object": found}).encode() + b"\n")
        task = asyncio.current_task()
        assert task is not None
        self._watches.add(task)
        await asyncio.Event().wait()
        return response

    def end_watches(self) -> None:
        for task in self._watches:
            task.cancel()
        self._watches.clear()


def _discovered(kind: str) -> Mapping[str, Any]:
    return {
        "name": RESOURCES[kind].plural,
        "singularName": kind.lower(),
        "kind": kind,
        "namespaced": RESOURCES[kind].namespaced,
        "verbs": ["list", "watch", "patch"],
    }


def _route(name: str, version: int) -> Mapping[str, Any]:
    metadata = {"name": name, "namespace": "n", "uid": name, "resourceVersion": str(version)}
    return {"apiVersion": "fairlead.dev/v1alpha1", "kind": "ModelRoute", "metadata": metadata}


@asynccontextmanager
async def listening(server: ApiServer, port: int = 0) -> AsyncIterator[int]:
    application = web.Application()
    application.router.add_route("GET", "/{path:.*}", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    try:
        yield runner.addresses[0][1]
    finally:
        server.end_watches()
        await runner.cleanup()


@pytest.fixture(autouse=True)
def without_garbage() -> Iterator[None]:
    yield
    gc.collect()


@pytest.mark.parametrize("broken", [None, 401, 503], ids=str)
def test_an_edit_after_an_outage_is_known_within_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: int | None
) -> None:
    asyncio.run(_outage(tmp_path, monkeypatch, broken))


async def _outage(folder: Path, monkeypatch: pytest.MonkeyPatch, broken: int | None) -> None:
    server, stop = ApiServer(), threading.Event()
    server.objects.append(_route("before", 1))
    loop = asyncio.get_running_loop()
    seen = {name: asyncio.Event() for name in ("before", "after")}

    def told(found: Mapping[str, Any], _: bool) -> None:
        loop.call_soon_threadsafe(seen[found["metadata"]["name"]].set)

    async with AsyncExitStack() as running:
        first = await running.enter_async_context(AsyncExitStack())
        port = await first.enter_async_context(listening(server))
        monkeypatch.setenv("KUBECONFIG", str(_kubeconfig(folder, port)))
        watching = asyncio.create_task(_watch(told, stop))
        running.push_async_callback(asyncio.wait_for, watching, 30)
        running.callback(stop.set)
        await asyncio.wait_for(seen["before"].wait(), 20)
        server.broken = broken
        server.end_watches()
        if broken is None:
            await first.aclose()
        await asyncio.sleep(OUTAGE_S)
        server.objects.append(_route("after", 2))
        server.broken = None
        if broken is None:
            await running.enter_async_context(listening(server, port))
        await asyncio.wait_for(seen["after"].wait(), PAUSE_S + SLACK_S)


async def _watch(told: Any, stop: threading.Event) -> None:
    """Watch again when kopf ends by an error, as its caller does."""
    while not stop.is_set():
        await asyncio.to_thread(_watched, told, stop)
        await asyncio.sleep(1.0)


def _watched(told: Any, stop: threading.Event) -> None:
    with suppress(Exception):
        watch(told, namespaces=(), identity="test", stop=stop)


def _kubeconfig(folder: Path, port: int) -> Path:
    content = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    (folder / "config").write_text(json.dumps(content))
    return folder / "config"


def test_what_kopf_left_behind_when_it_ended_is_ended_too() -> None:
    """Else the thread of the watches stands for ever, and changes wait for the next list (seen after a 401)."""
    swallowed = 0

    async def waits_for_a_login() -> None:
        nonlocal swallowed
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        swallowed += 1
        await asyncio.Event().wait()

    async def run() -> None:
        operator = asyncio.create_task(asyncio.sleep(0))
        left = asyncio.create_task(waits_for_a_login())
        await asyncio.wait({operator})
        await _end(operator)
        assert left.cancelled()

    asyncio.run(run())
    assert swallowed == 1


def test_a_watch_that_ends_at_once_is_noticed() -> None:
    """It was there for less than the time between two looks: nobody missed it, and nothing watched any more."""
    lost = set[str]()

    async def run() -> None:
        asyncio.get_running_loop().set_task_factory(_noting(lost))
        await asyncio.gather(
            asyncio.create_task(asyncio.sleep(0), name="watcher for modelroutes@none"),
            asyncio.create_task(asyncio.sleep(0), name="another"),
        )
        assert lost == {"watcher for modelroutes@none"}

    asyncio.run(run())


def test_what_does_not_end_keeps_nobody_from_watching_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stays() -> None:
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)

    async def leaves_it_behind(**_: Any) -> None:
        asyncio.get_running_loop().create_task(stays(), name="stays")
        await asyncio.sleep(0)

    monkeypatch.setattr("fairlead.controller.handlers.kopf.operator", leaves_it_behind)
    monkeypatch.setattr("fairlead.controller.handlers._END_WITHIN_S", 0.5)
    with pytest.raises(TimeoutError):
        watch(lambda *_: None, namespaces=(), identity="test", stop=threading.Event())
