"""`/metrics` and `/healthz` of the operator. Neither asks the API server: an operator cut off from it is not dead."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

PORT = 8080


@asynccontextmanager
async def serve(
    registry: CollectorRegistry, *, is_healthy: Callable[[], bool], address: str, port: int = PORT
) -> AsyncIterator[None]:
    """Answer until the block ends. `is_healthy` tells whether the operator's loop still turns."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if is_healthy() else web.Response(text="the loop stands still\n", status=503)

    application = web.Application()
    application.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, port).start()
        yield
    finally:
        await runner.cleanup()
