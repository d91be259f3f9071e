"""The recorder's HTTP side: `POST /v1/parts` takes parts of pairs from gateways, and nothing ever gives one back.

`GET /healthz` and `GET /metrics` say how it goes, at an address of their own. What a part holds is understood, redacted
and dropped before it waits for the others: neither memory nor disk keeps what came. Whoever may read the folder reads
pairs, nobody else.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest
from structlog.typing import FilteringBoundLogger

from fairlead.errors import RecorderError
from fairlead.recorder import content
from fairlead.recorder.pairing import Pairs, Part
from fairlead.recorder.redaction import Kind, redacted_values
from fairlead.recorder.shelf import Shelf

MOST_BYTES = 65_536
"""Of one body; gateways keep no more of it."""
PATIENCE_MS = 360_000
"""How long a part waits for the others: more than a request takes, unless its route says so."""
MOST_WAITING, MOST_WAITING_BYTES = 2_000, 32 * 1024 * 1024
CLEAR_S = 10.0
"""How often what is too old is looked for."""
_UNIX = "unix:"
_WORD = 512
"""Longest header that is believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line says."""

    listen: str
    """`HOST:PORT`, or `unix:PATH`: where parts come in."""
    http: str | None = None
    """The same, for `GET /healthz` and `GET /metrics`; None = nowhere."""
    folder: Path
    keep_ms: int
    most_bytes: int


class Recorder:
    """Takes parts in, and writes pairs down. `start` and `stop` belong to one event loop."""

    def __init__(self, settings: Settings, now_ms: Callable[[], int], log: FilteringBoundLogger) -> None:
        """Open the folder; raises `RecorderError`."""
        self._settings, self._now_ms, self._log = settings, now_ms, log
        self._shelf = Shelf(settings.folder, keep_ms=settings.keep_ms, most_bytes=settings.most_bytes)
        self._pairs = Pairs(patience_ms=PATIENCE_MS, most=MOST_WAITING, most_bytes=MOST_WAITING_BYTES)
        self._runners: list[web.AppRunner] = []
        self._clearing: asyncio.Task[None] | None = None
        self._problem = ""
        registry = CollectorRegistry()
        self._registry = registry
        self._written = Counter("fairlead_recorder_pairs", "Pairs that were written.", ["route"], registry=registry)
        self._lost = Counter("fairlead_recorder_unwritten", "Pairs that were not.", ["reason"], registry=registry)
        waiting = Gauge("fairlead_recorder_waiting", "Pairs whose parts are not all there yet.", registry=registry)
        waiting.set_function(lambda: len(self._pairs))
        self._given_up = 0

    async def start(self) -> None:
        """Listen; raises `OSError`."""
        parts = web.Application(client_max_size=MOST_BYTES)
        parts.router.add_post("/v1/parts", self._take)
        await self._listen(parts, self._settings.listen)
        if self._settings.http is not None:
            about = web.Application()
            about.router.add_get("/healthz", self._health)
            about.router.add_get("/metrics", self._metrics)
            await self._listen(about, self._settings.http)
        self._clearing = asyncio.create_task(self._clear())

    async def _listen(self, application: web.Application, address: str) -> None:
        runner = web.AppRunner(application, access_log=None)
        self._runners.append(runner)
        await runner.setup()
        if address.startswith(_UNIX):
            await web.UnixSite(runner, address.removeprefix(_UNIX)).start()
        else:
            host, _, port = address.rpartition(":")
            await web.TCPSite(runner, host.strip("[]"), int(port)).start()

    async def stop(self) -> None:
        """End; what waits for its other parts is dropped."""
        if self._clearing is not None:
            self._clearing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._clearing
        for runner in self._runners:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        said = {name: request.headers.get(f"x-fl-{name}", "")[:_WORD] for name in _SAID}
        try:
            part = Part(said["part"])
            kinds = [Kind(word) for word in said["redact"].split(",") if word]
        except ValueError:
            return web.Response(status=400, text="no part of a pair\n")
        if not said["record"] or not said["route"]:
            return web.Response(status=400, text="no part of a pair\n")
        body = await request.read()
        # In another thread: a long text takes some time, and others must be taken meanwhile.
        part_content = await asyncio.to_thread(_content, part, said, body, kinds)
        pair = self._pairs.take(
            said["route"], said["record"], part, part_content, size=len(body), now_ms=self._now_ms()
        )
        self._count_lost()
        if pair is not None:
            self._write(pair)
        return web.Response(status=204)

    def _write(self, pair: dict[str, Any]) -> None:
        now_ms = self._now_ms()
        at = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            kept = self._shelf.put({"at": at, **pair}, now_ms)
        except (RecorderError, OSError) as error:
            self._lost.labels("disk").inc()
            self._tell(str(error))
            return
        self._tell("")
        if kept:
            self._written.labels(pair["route"]).inc()
        else:
            self._lost.labels("size").inc()

    async def _clear(self) -> None:
        while True:
            now_ms = self._now_ms()
            self._pairs.expire(now_ms)
            self._count_lost()
            try:
                self._shelf.clear(now_ms)
            except OSError as error:
                self._tell(str(error))
            await asyncio.sleep(CLEAR_S)

    def _count_lost(self) -> None:
        """Count pairs whose parts did not all come, since the last look."""
        self._lost.labels("incomplete").inc(self._pairs.given_up - self._given_up)
        self._given_up = self._pairs.given_up

    def _tell(self, problem: str) -> None:
        """Say once what is wrong with the disk, and that it is no longer."""
        if problem and problem != self._problem:
            self._log.error("not written", what=problem)
        elif self._problem and not problem:
            self._log.info("mended", what="pairs are written again")
        self._problem = problem

    async def _health(self, _request: web.Request) -> web.Response:
        state = {"ok": not self._problem, "problem": self._problem, "waiting": len(self._pairs)}
        return web.json_response(state, status=503 if self._problem else 200)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"content-type": CONTENT_TYPE_LATEST})


_SAID = ("record", "part", "route", "redact", "target", "status", "kind", "bytes")


def _content(part: Part, said: dict[str, str], body: bytes, kinds: list[Kind]) -> dict[str, Any]:
    """Say what a part says, without what is to be taken out of it."""
    if part is Part.QUESTION:
        found: dict[str, Any] = content.question(body)
    else:
        found = {
            "target": said["target"],
            "status": int(said["status"]) if said["status"].isdecimal() else None,
            **content.answer(body, said["kind"]),
        }
    size = int(said["bytes"]) if said["bytes"].isdecimal() else len(body)
    clean: dict[str, Any] = redacted_values({**found, **({"cut": True} if size > len(body) else {})}, kinds)
    return clean
