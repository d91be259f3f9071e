"""Whatever gateways answer becomes a text or a sentence, and never an error."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from fairlead.adapters import gateway_metrics
from fairlead.runtime.scrape import Metrics, Scraper, Unread

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def _read(answer: Answer, sources: Callable[[str], list[str]]) -> tuple[Metrics | Unread, ...]:
    """Read a gateway that answers so; `sources` are made of its URL."""

    async def run() -> tuple[Metrics | Unread, ...]:
        runner = web.ServerRunner(web.Server(answer))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        scraper = Scraper(sources(f"http://127.0.0.1:{runner.addresses[0][1]}/metrics"), only="^fairlead_")
        try:
            return await scraper.read()
        finally:
            await scraper.close()
            await runner.cleanup()

    return asyncio.run(run())


async def _well(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="a 1\n")


async def _not_utf_8(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(body=b'a{x="\xff"} 1\n')


async def _fails(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(status=500)


async def _breaks_off(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-length": "1000"})
    await response.prepare(request)
    await response.write(b"a 1\n")
    assert request.transport is not None
    request.transport.abort()
    return response


async def _large(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(body=b"#" * 300_000)


async def _no_gzip(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(body=b"no gzip", headers={"content-encoding": "gzip"})


def test_a_text() -> None:
    (found,) = _read(_well, lambda url: [url])
    assert isinstance(found, Metrics)
    assert found.text == "a 1\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(_not_utf_8, "not UTF-8", id="no UTF-8"),
        pytest.param(_fails, "500", id="a failure"),
        pytest.param(_breaks_off, "", id="it breaks off"),
        pytest.param(_large, "more than 200000 bytes", id="more than anybody needs"),
        pytest.param(_no_gzip, "", id="not encoded as it says"),
    ],
)
def test_no_text(answer: Answer, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_metrics, "_MOST_BYTES", 200_000)
    (found,) = _read(answer, lambda url: [url])
    assert isinstance(found, Unread)
    assert said in found.problem


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("http://127.0.0.1:1/metrics", id="nobody there"),
        pytest.param("http://no-such-name.invalid/metrics", id="a name that is none"),
        pytest.param(f"http://{'x' * 70}.example/metrics", id="a label that is too long"),
        pytest.param("http://[::1/metrics", id="no URL"),
        pytest.param("http://host:99999/metrics", id="no port"),
        pytest.param("gateway", id="no host"),
        pytest.param("gopher://127.0.0.1/", id="another scheme"),
    ],
)
def test_a_source_that_leads_nowhere_hinders_no_other(source: str) -> None:
    bad, good = _read(_well, lambda url: [source, url])
    assert isinstance(bad, Unread)
    assert bad.problem
    assert isinstance(good, Metrics)


def test_a_file_names_gateways_and_what_is_no_utf_8_in_it_is_one_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "gateways"

    def sources(url: str) -> list[str]:
        path.write_bytes(b"http://\xff\xfe/metrics\n" + url.encode() + b"\n")
        return [f"file:{path}", "file:/no/such/file"]

    bad, good = _read(_well, sources)
    assert isinstance(bad, Unread)
    assert isinstance(good, Metrics)
