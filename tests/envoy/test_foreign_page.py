"""A page of another origin, in a real browser: it reads answers, headers, streams where it may, nothing elsewhere."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from browser import PATIENCE_MS, chromium
from playwright.sync_api import Browser
from running import Gateway, credential, simple, target

from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy

ASK = """async ([url, key, stream]) => {
  const body = JSON.stringify({model: "chat", stream, messages: [{role: "user", content: "hi"}]});
  const headers = {"content-type": "application/json", authorization: `Bearer ${key}`};
  try {
    const answer = await fetch(url, {method: "POST", headers, body});
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "", pieces = 0;
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      text += piece.value;
      pieces += 1;
    }
    return {status: answer.status, headers: Object.fromEntries(answer.headers), text, pieces};
  } catch (error) {
    return {refused: String(error)};
  }
}"""
"""What a page does: ask with its user's key, and read piece by piece."""


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>a page</title>")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def page_server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Blank) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def allowed() -> Iterator[str]:
    with page_server() as origin:
        yield origin


@pytest.fixture(scope="module")
def stranger() -> Iterator[str]:
    with page_server() as origin:
        yield origin


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def provider() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("chat",), keys=("first-key",), chunk_gap_ms=100) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(provider: SimulatedProvider, allowed: str) -> Iterator[Gateway]:
    only = target("acme/fra/chat", provider, wire_model="chat", credential="first/key")
    whole = simple(only, credentials=(credential("first"),))
    with Gateway(replace(whole, allow_origins=(allowed,))) as running:
        yield running


def ask(browser: Browser, origin: str, gateway: Gateway, *, key: str = "sk-alice", stream: bool = False) -> Any:
    context = browser.new_context()
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(origin)
        return page.evaluate(ASK, [f"http://127.0.0.1:{gateway.port}/v1/chat/completions", key, stream])
    finally:
        context.close()


def test_a_page_that_may_call_reads_who_answered(browser: Browser, allowed: str, gateway: Gateway) -> None:
    answer = ask(browser, allowed, gateway)
    assert answer["status"] == 200, answer
    assert '"choices"' in answer["text"]
    headers = answer["headers"]
    assert headers["x-request-id"]
    assert headers["x-fairlead-target"] == "acme/fra/chat"
    assert {"x-fairlead-route", "x-fairlead-region", "x-fairlead-attempts"} <= headers.keys()


def test_it_reads_a_stream_as_it_comes(browser: Browser, allowed: str, gateway: Gateway) -> None:
    answer = ask(browser, allowed, gateway, stream=True)
    assert (answer["status"], answer["headers"]["content-type"].partition(";")[0]) == (200, "text/event-stream")
    assert answer["headers"]["x-fairlead-target"] == "acme/fra/chat"
    assert answer["text"].rstrip().endswith("data: [DONE]")
    assert answer["pieces"] > 3, "it came at once: nothing was streamed"


def test_it_reads_why_it_was_refused(browser: Browser, allowed: str, gateway: Gateway) -> None:
    answer = ask(browser, allowed, gateway, key="wrong")
    assert (answer["status"], "invalid_api_key" in answer["text"]) == (401, True)
    assert answer["headers"]["x-request-id"]


def test_a_page_of_another_origin_is_refused_and_nothing_is_asked(
    browser: Browser, stranger: str, gateway: Gateway, provider: SimulatedProvider
) -> None:
    provider.control.reset()
    assert "Failed to fetch" in ask(browser, stranger, gateway)["refused"]
    assert provider.control.requests() == ()
