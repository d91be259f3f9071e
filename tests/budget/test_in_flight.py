"""A consumer's limit in flight as clients meet it: `fairlead up`, real Envoys, streams that go on."""

import json
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from running_up import CREDENTIAL, RunningUp, Site, consumer, provider, route, say, secret, until

from budget.client import KEY, chat, metric, metrics, request
from budget.conftest import IN_TIME, agents_site
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]
MOST = 3
RESET_AT_CLOSE = struct.pack("ii", 1, 0)


@contextmanager
def stream(port: int, path: str = "/v1/chat/completions", **fields: Any) -> Iterator[socket.socket]:
    """Ask for a stream, and hold it from its first event on; at the end the client is gone from one moment to the next.

    The provider must stall.
    """
    body = json.dumps({"model": "chat", "stream": True, "messages": [{"role": "user", "content": "hi"}], **fields})
    head = f"host: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n\r\n{body}".encode())
        said = b""
        while b"data:" not in said:
            more = connection.recv(65536)
            assert more, said
            said += more
        assert said.startswith(b"HTTP/1.1 200"), said
        yield connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)


def limit(site: Site, most: int) -> None:
    limited = consumer("agent", "k")
    limited["spec"]["maxInFlight"] = most
    site.write("agent.yaml", limited, secret("agent", k=KEY))


def under_way(site: Site) -> int:
    """What `fairlead budgets` says is in flight."""
    said = json.loads(say("budgets", "-c", site.config, "-o", "json").stdout)
    (one,) = said["in_flight"]
    return int(one["in_flight"])


def serving(site: Site, start: Start) -> RunningUp:
    """Start, and wait until somebody counts."""
    running = start(site).serving()
    server = site.state / "_budget" / "http.sock"

    def counted() -> bool:
        return chat(site.ports[0]).status == 200 and granted(server) > 0

    until(counted, "no check was answered")
    until(lambda: under_way(site) == 0)
    return running


def granted(server: Path) -> float:
    return metric(metrics(server), "fairlead_budget_checks_total", verdict="granted")


def test_one_more_than_the_limit_is_refused_wherever_it_enters(
    tmp_path: Path, simulated: SimulatedProvider, start: Start
) -> None:
    site = agents_site(tmp_path, simulated, regions=2)
    limit(site, MOST)
    serving(site, start)
    first, second = site.ports
    simulated.control.fault(stall_after_chunks=1)
    with ExitStack() as held:
        one = ExitStack()
        one.enter_context(stream(first))
        for port in (second, second):
            held.enter_context(stream(port))
        for port in site.ports:
            refused = chat(port)
            assert refused.status == 429
            assert (refused.headers["retry-after"], refused.headers["content-type"]) == ("1", "application/json")
            assert refused.json["error"]["code"] == "too_many_in_flight"
            assert "`fairlead/agent` may have 3 requests in flight" in refused.json["error"]["message"]
        simulated.control.clear()
        assert under_way(site) == MOST
        said = say("budgets", "-c", site.config).stdout
        assert f"  {'fairlead/agent':<40} {MOST:>14} of {MOST} requests" in said
        one.close()  # this client was killed
        until(lambda: chat(second).status == 200, "its place is not free")
        until(lambda: under_way(site) == MOST - 1)
        lines = say("logs", "-c", site.config, "--errors", "--tail", "100").stdout
        assert "as many requests in flight as it may have (`maxInFlight`)" in lines
    until(lambda: under_way(site) == 0)
    server = metrics(site.state / "_budget" / "http.sock")
    assert metric(server, "fairlead_budget_in_flight_refused_total", consumer="fairlead/agent") >= 2


def test_an_answer_that_ends_makes_room(site: Site, start: Start) -> None:
    limit(site, 1)
    serving(site, start)
    (port,) = site.ports
    for streams in (False, True) * 3:
        until(lambda streams=streams: chat(port, stream=streams).status == 200)  # type: ignore[misc]


def test_a_limit_that_is_lifted_or_lowered_holds_from_then_on(
    site: Site, simulated: SimulatedProvider, start: Start
) -> None:
    limit(site, 1)
    serving(site, start)
    (port,) = site.ports
    simulated.control.fault(stall_after_chunks=1)
    with stream(port):
        simulated.control.clear()
        assert chat(port).status == 429
        limit(site, 2)
        until(lambda: chat(port).status == 200, "there is room for two")
        limit(site, 1)
        until(lambda: chat(port).status == 429, "there is room for one, and it runs")


def test_clients_of_messages_are_told_in_their_words(tmp_path: Path, start: Start) -> None:
    site = Site(tmp_path)
    site.write_config(budgets=IN_TIME)
    with SimulatedProvider(models=("claude",), keys=(CREDENTIAL,), header="x-api-key", anthropic=True) as claude:
        made = provider(claude.base_url, "claude", name="claude")
        made["spec"]["protocol"] = "Anthropic"
        site.write("claude.yaml", made, secret("claude", key=CREDENTIAL))
        site.write("route.yaml", route("chat", "claude", provider="claude"))
        limit(site, 1)
        start(site).serving()
        (port,) = site.ports
        asked = {"model": "chat", "max_tokens": 20, "messages": [{"role": "user", "content": "hi"}]}

        def ask() -> Any:
            return request(port, "POST", "/v1/messages", asked)

        until(lambda: ask().status == 200 and granted(site.state / "_budget" / "http.sock") > 0)
        until(lambda: under_way(site) == 0)
        claude.control.fault(stall_after_chunks=1)
        with stream(port, "/v1/messages", max_tokens=20):
            refused = ask()
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert refused.json["type"] == "error"
        assert refused.json["error"]["type"] == "rate_limit_error"
        assert "as many requests in flight as it may have" in refused.json["error"]["message"]
