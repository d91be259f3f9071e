"""A gateway lives through floods: it refuses what its memory has no room for, and ends connections that do nothing."""

import http.client
import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from running import CHAT, KEY, ROUTE, Gateway, gateway, plan, route, simple, target
from wire import WireProvider, padded

from fairlead import ir
from fairlead.demo.provider import SimulatedProvider
from fairlead.envoy import names

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]
MEMORY = 192 << 20
"""Half of it is heap: so little that a few bodies fill it."""
PART = 4 << 20
UPLOADS = 40
CONNECTIONS = 24
SHORT = ir.Limits(request_bytes=1 << 20, request_timeout_ms=1500, idle_timeout_ms=1000, connections=CONNECTIONS)
GAP_MS = 250
LARGE = 4_000_000
READERS = 20


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
    """Run a gateway with little memory."""
    chat, much = target("a/e/m", provider), target("b/e/m", large)  # type: ignore[arg-type]  # asked for its port
    limited = replace(much, name="b/e/limited", max_in_flight=100)
    routes = {
        "chat": route(ROUTE, plan(f"{ROUTE}/0", last=chat)),
        "large": route("team/large", plan("team/large/0", last=much)),
        "limited": route("team/limited", plan("team/limited/0", last=limited)),
    }
    ladders = {f"{ROUTE}/0": (chat,), "team/large/0": (much,), "team/limited/0": (limited,)}
    limits = ir.Limits(request_bytes=16 << 20, memory_bytes=MEMORY)
    with Gateway(gateway(routes, ladders, limits=limits)) as running:
        yield running


@pytest.fixture(scope="module")
def strict(provider: SimulatedProvider) -> Iterator[Gateway]:
    """Run a gateway with few connections and little patience."""
    with Gateway(replace(simple(target("a/e/m", provider)), limits=SHORT)) as running:
        yield running


def connected(gateway: Gateway, *, timeout: float = 30) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=timeout)


def head(length: str, path: str = CHAT) -> bytes:
    lines = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n{length}\r\n\r\n"
    return lines.encode()


def at_once(gateway: Gateway, path: str = CHAT, *, size: int = 5) -> tuple[int, dict[str, str], Any]:
    """Ask in one packet, since who is refused is refused by its headers; status, headers and body of the answer."""
    asked = {"model": "chat", "max_tokens": 9, "messages": [{"role": "user", "content": "a" * size}]}
    body = json.dumps(asked).encode()
    with connected(gateway) as asking:
        asking.sendall(head(f"content-length: {len(body)}", path) + body)
        answer = http.client.HTTPResponse(asking)
        answer.begin()
        found = json.loads(answer.read())
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, found


def refused(answer: http.client.HTTPResponse) -> tuple[int, str, str | None, str | None]:
    """Say what an answer says to whom there is no room for."""
    code = json.loads(answer.read())["error"]["code"] if answer.status != 200 else ""
    return answer.status, code, answer.getheader("retry-after"), answer.getheader("content-type")


REFUSED = (503, "overloaded", "2", "application/json")


def sends(connection: socket.socket, part: bytes) -> bool:
    """Send more of a body; False = it was given up."""
    try:
        connection.sendall(part)
    except ConnectionError:
        return False
    return True


def told(connection: socket.socket) -> tuple[int, str, str | None, str | None] | None:
    """Read what stands on a connection whose body was given up; None = the reset came first."""
    try:
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return refused(answer)
    except (ConnectionError, http.client.HTTPException):
        return None


@contextmanager
def stream(gateway: Gateway) -> Iterator[http.client.HTTPResponse]:
    """Begin a stream."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    body = {"model": "chat", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    with closing(connection):
        connection.request("POST", CHAT, json.dumps(body), headers)
        with connection.getresponse() as answer:
            yield answer


def test_a_flood_is_refused_and_a_stream_goes_on(small: Gateway, provider: SimulatedProvider, wait_until: Wait) -> None:
    provider.control.fault(chunk_gap_ms=GAP_MS, count=1)
    with stream(small) as answer, ExitStack() as flood:
        begun = answer.readline()

        uploads = [flood.enter_context(connected(small)) for _ in range(UPLOADS)]
        for upload in uploads:  # of unknown length, and all are let in before there is anything to refuse
            upload.sendall(head("transfer-encoding: chunked") + b"%x\r\n" % (UPLOADS * PART))
        given_up: list[socket.socket] = []

        def is_full() -> bool:
            for upload in uploads:
                if upload not in given_up and not sends(upload, b"{" * (PART // 16)):
                    given_up.append(upload)
            return len(given_up) > UPLOADS // 2

        wait_until(is_full)
        assert {said for upload in given_up if (said := told(upload))} <= {REFUSED}
        wait_until(lambda: at_once(small)[0] == 200)
        assert "envoy_http_downstream_rq_overload_close" in small.metrics(), "metrics are shown all the same"
        rest = answer.read()
    assert begun.startswith(b"data: ")
    assert rest.rstrip().endswith(b"data: [DONE]"), "who is being served is served"
    wait_until(lambda: at_once(small)[0] == 200)


def test_who_comes_while_memory_runs_out_is_told_in_the_words_of_the_api(small: Gateway, wait_until: Wait) -> None:
    wait_until(lambda: small.envoy.counters("fixed_heap.pressure$").popitem()[1] < 50)
    with ExitStack() as flood:

        def is_refused_by_words() -> bool:
            """Fill it slowly, by bodies that stay, until some requests are refused."""
            upload = flood.enter_context(connected(small))
            upload.sendall(head("transfer-encoding: chunked") + b"%x\r\n" % PART + b"{" * (PART // 2))
            answers = [at_once(small, "/v1/messages") for _ in range(8)]
            return (503, "overloaded_error", "2") in [
                (status, said.get("error", {}).get("type"), headers.get("retry-after"))
                for status, headers, said in answers
            ]

        wait_until(is_refused_by_words)


def chunked(gateway: Gateway, path: str, *, size: int) -> tuple[int, dict[str, str], Any]:
    """Ask with a body that does not say its length, and get the answer when all of it is sent."""
    body = json.dumps({"model": "chat", "max_tokens": 9, "messages": [{"role": "user", "content": "a" * size}]})
    with connected(gateway) as asking:
        asking.sendall(head("transfer-encoding: chunked", path) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body.encode()))
        answer = http.client.HTTPResponse(asking)
        answer.begin()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, json.loads(answer.read())


def test_bodies_of_unknown_length_are_counted_when_they_have_come(small: Gateway, wait_until: Wait) -> None:
    wait_until(lambda: small.envoy.counters("fixed_heap.pressure$").popitem()[1] < 50)
    size = 4_000_000
    assert chunked(small, CHAT, size=size)[0] == 200
    with ExitStack() as stack:

        def full() -> bool:
            if is_refused(small, size):
                return True
            upload = stack.enter_context(connected(small))
            upload.sendall(head(f"content-length: {size}"))
            return False

        wait_until(full)
        status, headers, said = chunked(small, CHAT, size=size)
        assert (status, headers["retry-after"], said["error"]["code"]) == (503, "2", "overloaded")
        status, headers, said = chunked(small, "/v1/messages", size=size)
        assert (status, headers["retry-after"], said["error"]["type"]) == (503, "2", "overloaded_error")
        assert chunked(small, CHAT, size=100_000)[0] == 200, "small ones are not counted"
    wait_until(lambda: chunked(small, CHAT, size=size)[0] == 200)


@pytest.mark.parametrize(
    ("model", "cluster"),
    [("large", names.cluster("b/e/m")), ("limited", names.limited_cluster("b/e/limited"))],
    ids=["from a provider", "through a hop"],
)
def test_who_does_not_read_an_answer_holds_little_of_it(
    small: Gateway, wait_until: Wait, model: str, cluster: str
) -> None:
    asked = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]}).encode()
    seen: list[int] = []

    def stands_still() -> bool:
        counter = f"^cluster.{re.escape(cluster)}.upstream_cx_rx_bytes_total$"
        seen.append(sum(small.envoy.counters(quote(counter)).values()))
        return len(seen) > READERS and len(set(seen[-READERS:])) == 1

    with ExitStack() as stack:
        for _ in range(READERS):
            reader = stack.enter_context(connected(small))
            reader.sendall(head(f"content-length: {len(asked)}") + asked)
            assert reader.recv(15) == b"HTTP/1.1 200 OK"
        wait_until(stands_still)
        assert READERS * 65_536 < seen[-1] < READERS * LARGE / 4
        assert at_once(small)[0] == 200


@pytest.mark.parametrize("size", [1_500_000, 4_000_000, 9_000_000])
def test_large_bodies_are_bounded_by_their_number(small: Gateway, wait_until: Wait, size: int) -> None:
    wait_until(lambda: small.envoy.counters("fixed_heap.pressure$").popitem()[1] < 50)
    with ExitStack() as stack:

        def full() -> bool:
            if is_refused(small, size):
                return True
            upload = stack.enter_context(connected(small))
            upload.sendall(head(f"content-length: {size}"))
            return False

        wait_until(full)
        assert at_once(small)[0] == 200, "small ones are not counted"
    wait_until(lambda: is_served(small, size=size))


def is_served(gateway: Gateway, *, size: int = 5) -> bool:
    """Ask; a connection that ends while the body is on its way was refused."""
    try:
        return at_once(gateway, size=size)[0] == 200
    except (ConnectionError, http.client.BadStatusLine):
        return False


def is_refused(gateway: Gateway, size: int) -> bool:
    """Ask by headers alone, so that no reset comes before the answer is read; one that is let in hears nothing."""
    with connected(gateway, timeout=0.5) as asking:
        asking.sendall(head(f"content-length: {size}"))
        answer = http.client.HTTPResponse(asking)
        try:
            answer.begin()
        except TimeoutError:
            return False
        said = json.loads(answer.read())["error"]
        assert (answer.status, said["code"], answer.getheader("retry-after")) == (503, "overloaded", "2")
        return True


def test_metrics_say_how_full_it_is(small: Gateway) -> None:
    shown = small.metrics()
    assert "envoy_overload_envoy_resource_monitors_fixed_heap_pressure" in shown
    assert 'controller_rq_blocked{envoy_http_conn_manager_prefix="fairlead"}' in shown
    assert "envoy_overload_envoy_load_shed_points_http2_server_go_away_and_close_on_dispatch_shed_load_count" in shown


@pytest.mark.parametrize("asked", [0, 1], ids=["before the first request", "after a request"])
def test_idle_connections_end(strict: Gateway, asked: int) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(connected(strict)) for _ in range(5)]
        for connection in idle:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n" * asked)
        for connection in idle:
            while connection.recv(65_536):  # until the gateway ends it; the socket's timeout is the bound
                pass


def test_a_body_that_trickles_is_given_up(strict: Gateway) -> None:
    with connected(strict, timeout=0.2) as slow:
        slow.sendall(head("content-length: 1000"))
        answer = b""
        for _ in range(150):
            try:
                answer += slow.recv(65_536)
                if answer.endswith(b"}}"):
                    break
            except TimeoutError:
                slow.sendall(b" ")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "request_timeout"


def test_a_slow_stream_outlives_all_of_it(strict: Gateway, provider: SimulatedProvider) -> None:
    provider.control.fault(chunk_gap_ms=GAP_MS, count=1)
    with stream(strict) as answer:
        assert answer.read().rstrip().endswith(b"data: [DONE]")


def test_connections_above_the_limit_are_closed(strict: Gateway, wait_until: Wait) -> None:
    with ExitStack() as stack:
        many = [stack.enter_context(connected(strict)) for _ in range(2 * CONNECTIONS)]
        closed = r"downstream_global_cx_overflow$"
        wait_until(lambda: sum(strict.envoy.counters(closed).values()) >= CONNECTIONS)
        assert len(many) == 2 * CONNECTIONS
        assert "envoy_listener_downstream_global_cx_overflow" in strict.metrics(), "metrics are shown all the same"
    wait_until(lambda: is_served(strict))
