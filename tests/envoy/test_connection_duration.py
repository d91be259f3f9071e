"""A connection is renewed after a while, so that pods which have come since get their share; nothing is cut by it."""

import json
import socket
import socketserver
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import h2.connection
import h2.events
import httpx
import pytest
from running import CHAT, KEY, Gateway, simple, target
from wire import LoopbackServer

from fairlead import ir

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]
DURATION_MS = 500
EVENTS_S = 0.02
LASTS_S = 3 * DURATION_MS / 1000
"""How long a stream is."""
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
ASKED = {"model": "chat", "stream": True, "messages": [{"role": "user", "content": "hi"}]}


class _Slow(socketserver.StreamRequestHandler):
    timeout = 30

    def handle(self) -> None:
        while line := self.rfile.readline():
            length = 0
            while line != b"\r\n":
                name, _, value = line.lower().partition(b":")
                length = int(value) if name == b"content-length" else length
                line = self.rfile.readline()
            self.rfile.read(length)
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            until = time.monotonic() + LASTS_S
            while time.monotonic() < until:
                self._say(EVENT)
                time.sleep(EVENTS_S)
            self._say(DONE)
            self.wfile.write(b"0\r\n\r\n")

    def _say(self, part: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.flush()


@pytest.fixture(scope="module")
def serving() -> Iterator[Gateway]:
    limits = ir.Limits(request_bytes=1 << 20, connection_duration_ms=DURATION_MS)
    with (
        LoopbackServer(_Slow) as provider,
        Gateway(replace(simple(target("a/e/m", provider)), limits=limits)) as running,
    ):
        yield running


def connections(serving: Gateway) -> int:
    return serving.envoy.counters("^http.fairlead.downstream_cx_total$")["http.fairlead.downstream_cx_total"]


def test_a_connection_is_renewed_and_no_request_is_cut(serving: Gateway, wait_until: Wait) -> None:
    before = connections(serving)
    with httpx.Client(
        base_url=f"http://127.0.0.1:{serving.port}",
        headers={"authorization": f"Bearer {KEY}"},
        limits=httpx.Limits(max_connections=1),
        timeout=30,
    ) as client:

        def streamed() -> bool:
            """Ask for a stream, which lasts for longer than a connection may; tell whether that was renewed."""
            answer = client.post(CHAT, json=ASKED)
            assert answer.status_code == 200
            assert answer.text.endswith(DONE.decode())
            return connections(serving) > before + 1

        wait_until(streamed)


def test_over_http2_a_stream_goes_on_after_its_connection_was_to_end(serving: Gateway) -> None:
    client = h2.connection.H2Connection()
    client.initiate_connection()
    heads = {":method": "POST", ":scheme": "http", ":authority": "x", ":path": CHAT, "authorization": f"Bearer {KEY}"}
    client.send_headers(1, [*heads.items(), ("content-type", "application/json")])
    client.send_data(1, json.dumps(ASKED).encode(), end_stream=True)
    body, told = b"", False
    with socket.create_connection(("127.0.0.1", serving.port), timeout=30) as connection:
        connection.sendall(client.data_to_send())
        while not body.endswith(DONE):
            received = connection.recv(65_536)
            assert received, "its connection ended"
            for event in client.receive_data(received):
                match event:
                    case h2.events.DataReceived(data=data):
                        assert data is not None
                        body += data
                        client.acknowledge_received_data(len(data), 1)
                    case h2.events.ConnectionTerminated(error_code=code):
                        assert code == 0
                        told = told or not body.endswith(DONE)
                        client.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN  # RFC 9113, 6.8
            connection.sendall(client.data_to_send())
    assert told
