"""What HTTP/2 brings in floods: many requests at once on one connection, and answers that nobody reads."""

import asyncio
import http.client
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from benchmarks.floods import clients, outcome, streams
from http2_client import Http2Client, Settings
from running import CHAT, CONSUMER, KEY, ROUTE, TIMEOUTS, Gateway, gateway, plan, route, simple, target
from wire import WireProvider, padded

from fairlead import ir
from fairlead.demo.provider import SimulatedProvider
from fairlead.envoy import overload

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]
MEMORY = 128 << 20
HEAP = overload.heap_bytes(MEMORY)
AT_ONCE = 100
"""Streams that a connection has in a flood."""
LARGE = 4_000_000
READERS = 20
STARVED = {Settings.INITIAL_WINDOW_SIZE: 0}
SOON_MS = 1000
LARGEST = 61_440


@pytest.fixture(scope="module")
def provider() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("m",), keys=(), base="/v1") as running:
        yield running


@pytest.fixture(scope="module")
def large() -> Iterator[WireProvider]:
    """Run a provider of large answers."""
    with WireProvider(raw=padded(LARGE)) as running:
        yield running


@pytest.fixture(scope="module")
def small(provider: SimulatedProvider, large: WireProvider) -> Iterator[Gateway]:
    """Run a gateway with little memory, and one route whose answers are large and soon given up."""
    chat, much = target("a/e/m", provider), target("b/e/m", large)  # type: ignore[arg-type]  # asked for its port
    soon = replace(TIMEOUTS, response_ms=2 * SOON_MS, request_ms=2 * SOON_MS)
    routes = {
        "chat": route(ROUTE, plan(f"{ROUTE}/0", last=chat)),
        "large": route("team/large", plan("team/large/0", last=much), timeouts=soon),
    }
    ladders = {f"{ROUTE}/0": (chat,), "team/large/0": (much,)}
    limits = ir.Limits(request_bytes=16 << 20, memory_bytes=MEMORY)
    consumers = (CONSUMER, "team/benchmark")  # who floods has a key of its own
    with Gateway(gateway(routes, ladders, limits=limits, consumers=consumers)) as running:
        yield running


@pytest.fixture(scope="module")
def strict(provider: SimulatedProvider) -> Iterator[Gateway]:
    """Run a gateway with little patience."""
    limits = ir.Limits(request_bytes=1 << 20, request_timeout_ms=SOON_MS, idle_timeout_ms=SOON_MS)
    with Gateway(replace(simple(target("a/e/m", provider)), limits=limits)) as running:
        yield running


def question(model: str) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]}).encode()


def length(size: int | str) -> tuple[str, str]:
    return ("content-length", str(size))


@pytest.mark.parametrize("size", [20_000, 90_000, 250_000, 900_000, 1_500_000, "0900000"])
def test_bodies_are_bounded_by_their_number(small: Gateway, wait_until: Wait, size: int | str) -> None:
    wait_until(lambda: small.ask().status == 200)
    with Http2Client(small.port) as flood:
        begun = [flood.begin(CHAT, KEY, length(size)) for _ in range(1000)]
        flood.hear_until(lambda: begun[-1] in flood.heads)
        flood.hear_until(lambda: begun[-1] in flood.bodies)
        told = {(head[":status"], head["retry-after"]) for head in flood.heads.values()}
        assert told == {("503", "2")}
        assert json.loads(flood.bodies[begun[-1]])["error"]["code"] == "overloaded"
        let_in = [stream for stream in begun if stream not in flood.heads]
        assert 0 < len(let_in) * int(size) * 1.7 < HEAP / 2
        assert not flood.resets.keys() & let_in
        assert small.ask().status == 200, "small ones are not counted"
    wait_until(lambda: small.envoy.counters("http2.streams_active")["http2.streams_active"] == 0)


def test_streams_of_unknown_length_leave_memory(small: Gateway, wait_until: Wait) -> None:
    """What all of them together would take is several times what there is."""
    connections, size = 12, 300_000
    assert connections * AT_ONCE * size > 4 * HEAP

    async def flood() -> int:
        sent = outcome.Outcome()
        until = asyncio.get_running_loop().time() + 60
        body = clients.body(size, 4)
        floods = [
            asyncio.create_task(streams.again(small.port, sent, until, body, count=AT_ONCE, unknown=True))
            for _ in range(connections)
        ]
        most = 0
        while most < 2 * HEAP and not await asyncio.to_thread(is_ended):
            most = max(most, await asyncio.to_thread(allocated))
        for one in floods:
            one.cancel()
        await asyncio.gather(*floods, return_exceptions=True)
        return most

    def allocated() -> int:
        return int(json.loads(small.envoy.admin("/memory"))["allocated"])

    def is_ended() -> bool:
        return small.envoy.counters("http2.goaway_sent").get("http2.goaway_sent", 0) > connections

    assert asyncio.run(flood()) < 1.25 * HEAP
    wait_until(lambda: small.ask().status == 200)


def test_who_lets_no_answer_come_holds_little_of_it_and_not_for_long(small: Gateway, wait_until: Wait) -> None:
    wait_until(lambda: small.ask().status == 200)
    received = "cluster.b/e/m.upstream_cx_rx_bytes_total"
    before = small.envoy.counters(f"^{received}$").get(received, 0)
    with Http2Client(small.port, settings=STARVED) as starved:
        asked = question("large")
        begun = [starved.begin(CHAT, KEY, length(len(asked))) for _ in range(READERS)]
        for stream in begun:
            starved.send(stream, asked, end=True)
        starved.hear_until(lambda: len(starved.heads) == READERS)
        assert {head[":status"] for head in starved.heads.values()} == {"200"}
        starved.hear_until(lambda: len(starved.resets) == READERS)
    assert small.envoy.counters(f"^{received}$")[received] - before < READERS * 2 * overload.STREAM_WINDOW


def test_an_answer_that_nobody_reads_ends_with_its_route(small: Gateway, wait_until: Wait) -> None:
    def active() -> int:
        return small.envoy.counters("^http.fairlead.downstream_rq_active$")["http.fairlead.downstream_rq_active"]

    wait_until(lambda: active() == 0)
    asked = question("large")
    with socket.create_connection(("127.0.0.1", small.port), timeout=30) as deaf:
        head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(asked)}\r\n\r\n"
        deaf.sendall(head.encode() + asked)
        assert deaf.recv(15) == b"HTTP/1.1 200 OK"
        assert active() == 1
        wait_until(lambda: active() == 0)


def test_a_body_that_trickles_over_http2_is_given_up(strict: Gateway) -> None:
    with Http2Client(strict.port) as slow:
        stream = slow.begin(CHAT, KEY, length(1000))
        slow.send(stream, b"{")
        slow.hear_until(lambda: stream in slow.bodies)
    assert slow.heads[stream][":status"] == "408"
    assert json.loads(slow.bodies[stream])["error"]["code"] == "request_timeout"


@pytest.mark.parametrize(
    ("sent", "is_begun"),
    [
        (b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-slow: ", True),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0\1\1\0\0\0\0\1\x82", True),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0\1", False),
    ],
    ids=["HTTP/1", "HTTP/2", "HTTP/2, not even a frame"],
)
def test_headers_that_trickle_are_given_up(strict: Gateway, sent: bytes, *, is_begun: bool) -> None:
    with socket.create_connection(("127.0.0.1", strict.port), timeout=30) as slow:
        slow.sendall(sent)
        answer = b""
        while part := slow.recv(65_536):  # until the gateway ends it; the socket's timeout is the bound
            answer += part
    assert (b'"code":"request_timeout"' in answer) == is_begun


@pytest.mark.parametrize("size", [62_000, 70_000, 1_000_000])
def test_headers_that_are_too_large_are_told_so(strict: Gateway, size: int) -> None:
    with socket.create_connection(("127.0.0.1", strict.port), timeout=30) as asking:
        asking.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nx-large: %b\r\n\r\n" % (b"a" * size))
        answer = http.client.HTTPResponse(asking)
        answer.begin()
        told = json.loads(answer.read())["error"]
    assert (answer.status, told["type"], told["code"]) == (431, "invalid_request_error", "headers_too_large")


def large_headers(kilobytes: int) -> list[tuple[str, str]]:
    """Make headers of so many KB together: many, as one of that size is another matter."""
    return [(f"x-large-{number}", "a" * 1000) for number in range(kilobytes)]


def test_headers_over_http2_have_a_limit_that_clients_are_told(small: Gateway) -> None:
    """Envoy has no answer for them: it gives the stream up, or the connection where one is above 64 KiB as sent."""
    with Http2Client(small.port) as asking:
        assert asking.told[Settings.MAX_HEADER_LIST_SIZE] == LARGEST
        fits = asking.begin("/v1/models", KEY, *large_headers(58), method="GET", end=True)
        asking.hear_until(lambda: fits in asking.heads)
        assert asking.heads[fits][":status"] == "200"
        larger = asking.begin("/v1/models", KEY, *large_headers(62), method="GET", end=True)
        asking.hear_until(lambda: larger in asking.resets)
        again = asking.begin("/v1/models", KEY, method="GET", end=True)
        asking.hear_until(lambda: again in asking.heads)
        asking.begin("/v1/models", KEY, ("x-large", "~" * 50_000), method="GET", end=True)  # 13 bits each
        asking.hear_until(lambda: asking.ended is not None)
