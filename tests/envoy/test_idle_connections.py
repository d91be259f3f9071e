"""A connection that nobody uses is the gateway's to end, before its provider does: that would cost a rung."""

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Self

import pytest
from running import Gateway, simple, target
from wire import ANSWER, LoopbackServer, WireProvider

from fairlead import ir

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]
IDLE_MS = 200
PROVIDERS_S = 20


class Patient(LoopbackServer):
    """A provider that ends an idle connection only after `PROVIDERS_S`, and keeps who was first."""

    def __init__(self) -> None:
        super().__init__(_Connection)
        self.ended_by: list[str] = []


class _Connection(socketserver.StreamRequestHandler):
    timeout = PROVIDERS_S

    def handle(self) -> None:
        assert isinstance(self.server, Patient)
        try:
            while head := self._head():
                self.rfile.read(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
                self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(ANSWER) + ANSWER)
            self.server.ended_by.append("gateway")
        except TimeoutError:
            self.server.ended_by.append("provider")

    def _head(self) -> bytes:
        head = b""
        for line in self.rfile:
            head += line
            if line == b"\r\n":
                return head
        return b""


@pytest.fixture
def provider() -> Iterator[Patient]:
    with Patient() as server:
        yield server


@pytest.mark.parametrize("limit", [None, 5], ids=["direct", "behind a bulkhead"])
@pytest.mark.parametrize("failing", [False, True], ids=["a rung", "the last resort"])
def test_the_gateway_ends_an_idle_connection_first(
    provider: Patient, wait_until: Wait, limit: int | None, *, failing: bool
) -> None:
    upstream = ir.Upstream(host="127.0.0.1", port=provider.port, tls=False, base_path="/v1", idle_timeout_ms=IDLE_MS)
    first = target("a/e/m", provider, upstream=upstream, max_in_flight=limit)  # type: ignore[arg-type]
    with WireProvider(500) as broken:
        elsewhere = replace(upstream, port=broken.port)
        whole = simple(first)
        if failing:  # the rung is elsewhere than the last resort, which is the same endpoint without its breaker
            whole = replace(whole, targets=(replace(first, upstream=elsewhere),))
        with Gateway(whole) as running:
            assert running.ask().status == 200
            began = time.monotonic()
            wait_until(lambda: provider.ended_by)
            assert time.monotonic() - began < PROVIDERS_S / 2
    assert set(provider.ended_by) == {"gateway"}


def test_a_slow_answer_is_no_idle_connection() -> None:
    with SlowProvider() as slow:
        upstream = ir.Upstream(host="127.0.0.1", port=slow.port, tls=False, base_path="/v1", idle_timeout_ms=IDLE_MS)
        with Gateway(simple(target("a/e/m", slow, upstream=upstream))) as running:  # type: ignore[arg-type]
            answer = running.ask()
    assert (answer.status, answer.headers["x-fairlead-attempts"]) == (200, "1")


class SlowProvider:
    """Answers one request after several idle times."""

    def __enter__(self) -> Self:
        self._server = socketserver.TCPServer(("127.0.0.1", 0), _Slow)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.handle_request)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._server.server_close()


class _Slow(socketserver.StreamRequestHandler):
    timeout = PROVIDERS_S

    def handle(self) -> None:
        for line in self.rfile:
            if line == b"\r\n":
                break
        threading.Event().wait(4 * IDLE_MS / 1000)
        self.wfile.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(ANSWER) + ANSWER)
