"""What goes over the wire to an API server, and what comes of each of its answers. The server is a strict fake."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from fairlead.adapters import kube_client
from fairlead.adapters.kube import (
    Changed,
    ConflictError,
    ForbiddenError,
    InvalidError,
    Kube,
    Listed,
    NotFoundError,
    UnreachableError,
)
from fairlead.errors import ClusterError

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
SEEN = {"metadata": {"name": "a", "uid": "u", "resourceVersion": "7"}}
MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}, "data": {"k": "v"}}
CONFIG_MAPS = "/api/v1/namespaces/n/configmaps"
DEEP = b"[" * 100_000


def status(code: int, message: str) -> web.Response:
    """Refuse as an API server does."""
    content = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}
    return web.json_response(content, status=code)


@asynccontextmanager
async def cluster(monkeypatch: pytest.MonkeyPatch, folder: Path, *answers: Answer) -> AsyncIterator[Kube]:
    """Connect to a server that gives one answer after the other; the last one again and again."""
    left = list(answers)

    async def handle(request: web.Request) -> web.StreamResponse:
        return await (left.pop(0) if len(left) > 1 else left[0])(request)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        _kubeconfig(monkeypatch, folder, f"http://{host}:{port}")
        async with kube_client.connect() as kube:
            yield kube
    finally:
        await runner.cleanup()


def _kubeconfig(monkeypatch: pytest.MonkeyPatch, folder: Path, server: str) -> None:
    (folder / "token").write_text("t")
    content = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"tokenFile": "token"}}],
    }
    (folder / "config").write_text(json.dumps(content))
    monkeypatch.setenv("KUBECONFIG", str(folder / "config"))


Ask = Callable[[Kube], Awaitable[Any]]


@pytest.mark.parametrize(
    ("ask", "method", "url", "content_type", "body"),
    [
        (
            lambda kube: kube.apply(MAP),
            "PATCH",
            f"{CONFIG_MAPS}/a?fieldManager=fairlead&force=true",
            "application/apply-patch+yaml",
            MAP,
        ),
        (
            lambda kube: kube.apply_status({"kind": "ModelRoute", "metadata": {"name": "r", "namespace": "n"}}),
            "PATCH",
            "/apis/fairlead.dev/v1alpha1/namespaces/n/modelroutes/r/status?fieldManager=fairlead&force=true",
            "application/apply-patch+yaml",
            {"kind": "ModelRoute", "metadata": {"name": "r", "namespace": "n"}},
        ),
        (
            lambda kube: kube.merge(
                "Pod", namespace="n", name="p", patch={"metadata": {"annotations": {"a/b": "1", "c": None}}}
            ),
            "PATCH",
            "/api/v1/namespaces/n/pods/p?fieldManager=fairlead",
            "application/merge-patch+json",
            {"metadata": {"annotations": {"a/b": "1", "c": None}}},
        ),
        (lambda kube: kube.create(MAP), "POST", f"{CONFIG_MAPS}?fieldManager=fairlead", "application/json", MAP),
        (lambda kube: kube.replace(MAP), "PUT", f"{CONFIG_MAPS}/a?fieldManager=fairlead", "application/json", MAP),
        (
            lambda kube: kube.get("Deployment", namespace="n", name="a"),
            "GET",
            "/apis/apps/v1/namespaces/n/deployments/a",
            None,
            None,
        ),
        (lambda kube: kube.get("Namespace", namespace=None, name="n"), "GET", "/api/v1/namespaces/n", None, None),
        (
            lambda kube: kube.get("Secret", namespace="n", name="../configmaps?a"),
            "GET",
            "/api/v1/namespaces/n/secrets/..%2Fconfigmaps%3Fa",
            None,
            None,
        ),
        (lambda kube: kube.delete("ConfigMap", namespace="n", name="a"), "DELETE", f"{CONFIG_MAPS}/a", None, None),
        (
            lambda kube: kube.delete("ConfigMap", namespace="n", name="a", seen=SEEN),
            "DELETE",
            f"{CONFIG_MAPS}/a",
            "application/json",
            {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "u", "resourceVersion": "7"}},
        ),
    ],
)
def test_a_call(  # noqa: PLR0917  pytest passes them by name
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    ask: Ask,
    method: str,
    url: str,
    content_type: str | None,
    body: Any,
) -> None:
    async def run() -> None:
        seen: list[Any] = []

        async def answer(request: web.Request) -> web.Response:
            sent = await request.read()
            seen.append((request.method, request.path_qs, json.loads(sent) if sent else None))
            assert content_type in (None, request.headers["Content-Type"])
            assert request.headers["Authorization"] == "Bearer t"
            assert request.headers["User-Agent"].startswith("fairlead/")
            return web.json_response(MAP)

        async with cluster(monkeypatch, tmp_path, answer) as kube:
            assert await ask(kube) in (MAP, None)
        assert seen == [(method, url, body)]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (422, InvalidError),
        (410, UnreachableError),
        (429, UnreachableError),
        (500, UnreachableError),
        (502, UnreachableError),
        (503, UnreachableError),
        (504, UnreachableError),
        (400, ClusterError),
        (405, ClusterError),
        (415, ClusterError),
    ],
)
def test_a_refusal_has_its_kind_and_the_api_server_s_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int, kind: type[ClusterError]
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return status(code, "its own words")

    async def run() -> None:
        async with cluster(monkeypatch, tmp_path, answer) as kube:
            with pytest.raises(ClusterError) as error:
                await kube.apply(MAP)
            assert type(error.value) is kind
            assert str(error.value) == "apply ConfigMap n/a: its own words"

    asyncio.run(run())


@pytest.mark.parametrize("ask", ["get", "apply_status", "merge", "delete"])
def test_what_is_gone_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ask: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return status(404, "gone")

    calls: dict[str, Ask] = {
        "get": lambda kube: kube.get("ConfigMap", namespace="n", name="a"),
        "apply_status": lambda kube: kube.apply_status(MAP),
        "merge": lambda kube: kube.merge("ConfigMap", namespace="n", name="a", patch={}),
        "delete": lambda kube: kube.delete("ConfigMap", namespace="n", name="a"),
    }

    async def run() -> None:
        async with cluster(monkeypatch, tmp_path, answer) as kube:
            assert await calls[ask](kube) is None

    asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "code", "kind", "told"),
    [
        ("<html>proxy</html>", 503, UnreachableError, "503 Service Unavailable"),
        ('{"message": null', 403, ForbiddenError, "403 Forbidden"),
        ("[]", 404, NotFoundError, "404 Not Found"),
        ("<html>login</html>", 200, UnreachableError, "got no JSON of an API server: b'<html>login"),
        ("[1]", 200, UnreachableError, "got no JSON"),
        ("\udcff", 200, UnreachableError, "got no JSON"),
        ("", 200, UnreachableError, "got no JSON"),
        (DEEP.decode(), 200, UnreachableError, "got no JSON"),
        (DEEP.decode(), 503, UnreachableError, "503 Service Unavailable"),
        ("{}", 200, UnreachableError, "got no list"),
        ('{"items": {}, "metadata": {}}', 200, UnreachableError, "got no list"),
        ('{"items": [5], "metadata": {}}', 200, UnreachableError, "got no list"),
    ],
)
def test_an_answer_that_is_no_api_server_s(  # noqa: PLR0917  pytest passes them by name
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, code: int, kind: type[ClusterError], told: str
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=text.encode(errors="surrogateescape"), status=code)

    async def run() -> None:
        async with cluster(monkeypatch, tmp_path, answer) as kube:
            with pytest.raises(kind, match="list ModelRoute: ") as error:
                await kube.list("ModelRoute", namespace=None)
            assert told in str(error.value)

    asyncio.run(run())


def test_an_api_server_that_is_away_or_hangs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kube_client, "_CALL", aiohttp.ClientTimeout(total=0.2))
    ended = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await ended.wait()
        return web.Response()

    async def run() -> None:
        async with cluster(monkeypatch, tmp_path, hang) as kube:
            with pytest.raises(UnreachableError, match="get ConfigMap n/a: "):
                await kube.get("ConfigMap", namespace="n", name="a")
            ended.set()
        _kubeconfig(monkeypatch, tmp_path, "http://127.0.0.1:1")
        async with kube_client.connect() as kube:
            with pytest.raises(UnreachableError, match=r"get ConfigMap n/a: .*127\.0\.0\.1"):
                await kube.get("ConfigMap", namespace="n", name="a")

    asyncio.run(run())


def test_a_token_that_changed_is_shown_once_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("fairlead.adapters.kube_login._APART_S", 0.0)
    shown = []

    async def answer(request: web.Request) -> web.Response:
        shown.append(request.headers["Authorization"])
        return web.json_response(MAP) if shown[-1] == "Bearer rotated" else status(401, "Unauthorized")

    async def run() -> None:
        async with cluster(monkeypatch, tmp_path, answer) as kube:
            with pytest.raises(ClusterError, match="Unauthorized"):
                await kube.apply(MAP)
            assert shown == ["Bearer t"]
            (tmp_path / "token").write_text("rotated\n")
            assert await kube.apply(MAP) == MAP
            assert shown == ["Bearer t", "Bearer t", "Bearer rotated"]

    asyncio.run(run())


def test_a_list_is_read_page_by_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen, selectors = [], []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path_qs)
        selectors.append(request.query["labelSelector"])
        page = request.query.get("continue")
        return web.json_response(
            {
                "metadata": {"resourceVersion": "7"} | ({} if page else {"continue": "a b/="}),
                "items": [{"metadata": {"name": page or "first", "managedFields": [{"manager": "kubectl"}]}}],
            }
        )

    async def run() -> None:
        async with cluster(monkeypatch, tmp_path, answer) as kube:
            found = await kube.list("ModelRoute", namespace=None, labels={"x/y": "1", "z": "2"})
        head = {"apiVersion": "fairlead.dev/v1alpha1", "kind": "ModelRoute"}
        assert found == tuple(head | {"metadata": {"name": name}} for name in ("first", "a b/="))
        assert [url.partition("?")[0] for url in seen] == ["/apis/fairlead.dev/v1alpha1/modelroutes"] * 2
        assert selectors == ["x/y=1,z=2"] * 2

    asyncio.run(run())


def _pod(version: int) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": "p", "namespace": "n", "resourceVersion": str(version)}}


async def _list(_: web.Request) -> web.Response:
    return web.json_response({"metadata": {"resourceVersion": "10"}, "items": [_pod(9)]})


def _stream(*lines: Any, then: asyncio.Event | None = None, seen: list[str] | None = None) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        if seen is not None:
            seen.append(request.query["resourceVersion"])
        assert request.query["watch"] == "true"
        response = web.StreamResponse()
        await response.prepare(request)
        for line in lines:
            await response.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")
        if then is not None:
            await then.wait()
        return response

    return answer


def test_a_watch_goes_on_from_where_a_request_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def run() -> None:
        seen: list[str] = []
        first = _stream(
            {"type": "MODIFIED", "object": _pod(11)},
            {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "20"}}},
            seen=seen,
        )
        second = _stream({"type": "DELETED", "object": _pod(21)}, seen=seen)
        third = _stream({"type": "ERROR", "object": {"code": 410, "message": "too old"}}, seen=seen)
        async with cluster(monkeypatch, tmp_path, _list, first, second, third) as kube:
            watched = kube.watch("Pod", namespace="n")
            told = [await anext(watched) for _ in range(3)]
            with pytest.raises(UnreachableError, match="watch Pod: too old"):
                await anext(watched)
        listed, *changes = told
        assert isinstance(listed, Listed)
        assert [found["metadata"]["resourceVersion"] for found in listed.objects] == ["9"]
        assert changes == [Changed(object=_pod(11), deleted=False), Changed(object=_pod(21), deleted=True)]
        assert seen == ["10", "20", "21"]

    asyncio.run(run())


@pytest.mark.parametrize(
    "line", [b"<html>", b"{}", b'{"type": "ADDED", "object": {}}', b'{"object": {"metadata": []}}', b"\xff", b"", DEEP]
)
def test_a_watch_that_tells_nonsense_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: bytes) -> None:
    async def run() -> None:
        async with cluster(monkeypatch, tmp_path, _list, _stream(line)) as kube:
            with pytest.raises(UnreachableError, match="watch Pod: got no"):
                async for _ in kube.watch("Pod", namespace="n"):
                    pass

    asyncio.run(run())


def test_a_watch_on_a_dead_connection_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kube_client, "_WATCH", aiohttp.ClientTimeout(sock_read=0.2))

    async def run() -> None:
        ended = asyncio.Event()
        async with cluster(monkeypatch, tmp_path, _list, _stream(then=ended)) as kube:
            with pytest.raises(UnreachableError, match="watch Pod: "):
                async for _ in kube.watch("Pod", namespace="n"):
                    pass
            ended.set()

    asyncio.run(run())


def test_certificates_that_are_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _kubeconfig(monkeypatch, tmp_path, "https://127.0.0.1:1")
    content = json.loads((tmp_path / "config").read_text())
    (tmp_path / "ca.crt").write_text("no PEM")
    content["clusters"][0]["cluster"]["certificate-authority"] = "ca.crt"
    (tmp_path / "config").write_text(json.dumps(content))

    async def run() -> None:
        with pytest.raises(ClusterError, match="no cluster to speak to: certificates of https://"):
            async with kube_client.connect():
                pass

    asyncio.run(run())
