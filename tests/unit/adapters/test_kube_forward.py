"""A port of a pod through an API server's port-forward, as the server frames it."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import WSMsgType, web

from fairlead.adapters import kube_forward
from fairlead.errors import EnvoyError

PORT = (9902).to_bytes(2, "little")
ANSWERS = {
    "whole": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\na 1\n\n\r\n", b"4\r\nb 2\n\r\n0\r\n\r\n"),
    "refused": (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",),
    "cut": (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",),
    "silent": (),
}
ASKED = web.AppKey("asked", list)


async def _forward(request: web.Request) -> web.StreamResponse:
    pod = request.match_info["pod"]
    if pod == "forbidden":
        return web.json_response({"kind": "Status", "code": 403, "message": "pods/portforward"}, status=403)
    socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
    await socket.prepare(request)
    for channel in (0, 1):
        await socket.send_bytes(bytes([channel]) + PORT)
    message = await socket.receive()
    assert message.type is WSMsgType.BINARY
    request.app[ASKED].append((dict(request.query), request.headers.get("Authorization"), message.data))
    if pod == "dead":
        await socket.send_bytes(b"\x01nobody listens there")
    for part in ANSWERS.get(pod, ()):
        await socket.send_bytes(b"\x00" + part)
    await socket.close()
    return socket


async def read(folder: Path, monkeypatch: pytest.MonkeyPatch, pod: str) -> tuple[str, list]:
    application = web.Application()
    application[ASKED] = []
    application.router.add_get("/api/v1/namespaces/n/pods/{pod}/portforward", _forward)
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
        async with kube_forward.connect(None) as metrics:
            return await metrics.read(f"n/{pod}:9902", only="^a|b$"), application[ASKED]
    finally:
        await runner.cleanup()


def test_a_pods_metrics_come_through_the_api_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text, ((query, authorization, question),) = asyncio.run(read(tmp_path, monkeypatch, "whole"))
    assert text == "a 1\n\nb 2\n"
    assert (query, authorization) == ({"ports": "9902"}, "Bearer t")
    assert question.startswith(b"\x00GET /metrics?filter=%5Ea%7Cb%24 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("pod", "why"),
    [
        ("refused", "status 403"),
        ("cut", "pod n/cut"),
        ("silent", "pod n/silent"),
        ("dead", "nobody listens there"),
        ("forbidden", "403"),
    ],
)
def test_what_is_no_answer_is_one_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pod: str, why: str) -> None:
    with pytest.raises(EnvoyError, match=why):
        asyncio.run(read(tmp_path, monkeypatch, pod))
