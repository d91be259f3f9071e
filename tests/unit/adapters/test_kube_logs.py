"""Logs of pods as an API server sends them: in blocks, which are no lines."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web

from fairlead.adapters import kube_client
from fairlead.adapters.kube import ForbiddenError

ASKED = web.AppKey("asked", list)


async def _log(request: web.Request) -> web.StreamResponse:
    request.app[ASKED].append(dict(request.query))
    response = web.StreamResponse()
    await response.prepare(request)
    for block in (b"one\ntw", b"o\n", b"three"):
        await response.write(block)
    return response


async def _forbidden(_: web.Request) -> web.StreamResponse:
    return web.json_response({"kind": "Status", "code": 403, "message": "pods/log is forbidden"}, status=403)


async def read(folder: Path, monkeypatch: pytest.MonkeyPatch, pod: str, *, follow: bool = False) -> tuple[list, list]:
    application = web.Application()
    application[ASKED] = []
    application.router.add_get("/api/v1/namespaces/n/pods/p/log", _log)
    application.router.add_get("/api/v1/namespaces/n/pods/other/log", _forbidden)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        content = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": f"http://{host}:{port}"}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        (folder / "config").write_text(json.dumps(content))
        monkeypatch.setenv("KUBECONFIG", str(folder / "config"))
        async with kube_client.connect() as kube:
            log = kube.log_lines(namespace="n", pod=pod, container="envoy", tail_lines=5, follow=follow)
            return [line async for line in log], application[ASKED]
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("follow", [False, True])
def test_a_log_comes_line_by_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, follow: bool) -> None:
    lines, asked = asyncio.run(read(tmp_path, monkeypatch, "p", follow=follow))
    assert lines == [b"one", b"two", b"three"]
    assert asked == [{"container": "envoy", "tailLines": "5"} | ({"follow": "true"} if follow else {})]


def test_a_log_that_may_not_be_read_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ForbiddenError, match="pods/log"):
        asyncio.run(read(tmp_path, monkeypatch, "other"))
