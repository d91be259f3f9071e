"""Probes that bring the endpoint's credential: the gateway asks and says what came, and nothing of the key."""

import asyncio
import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from running import Gateway, credential, last_resort, simple, target

from fairlead import envoy, ir
from fairlead.adapters import exchange
from fairlead.adapters.gateway_answer import HttpGatewayAnswers
from fairlead.adapters.probe import Finding
from fairlead.demo.provider import SimulatedProvider
from fairlead.statuses import Failure

pytestmark = pytest.mark.envoy
MARK = "fairlead-0123456789abcdef"
PAIRS = [("sk-alice", "team/alice")]
Wait = Callable[[Callable[[], Any]], Any]


@pytest.fixture(scope="module")
def strict() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("m",), keys=("good-key",)) as provider:
        yield provider


@pytest.fixture(scope="module")
def gateway(strict: SimulatedProvider) -> Iterator[Gateway]:
    good, wrong = credential("good"), credential("wrong")
    first = target("p/good/m", strict, credential=good.name)
    others = [
        replace(first, name="p/wrong/m", endpoint="wrong", credential=wrong.name),
        replace(first, name="p/dead/m", endpoint="dead", upstream=replace(first.upstream, port=1)),
        replace(first, name="p/nameless/m", endpoint="nameless", upstream=replace(first.upstream, host="no.invalid")),
        replace(first, name="p/lost/m", endpoint="lost", credential=credential("lost").name),
    ]
    whole = simple(first, credentials=(good, wrong, credential("lost")))
    whole = replace(
        whole,
        targets=tuple(sorted((first, *others), key=lambda one: one.name)),
        last_resorts=tuple(sorted(map(last_resort, (first, *others)), key=lambda one: one.name)),
        keyed_probes=tuple(
            ir.KeyedProbe(endpoint=name, path="/v1/models")
            for name in ("p/dead", "p/good", "p/lost", "p/nameless", "p/wrong")
        ),
    )
    with Gateway(whole, keys=envoy.api_keys(PAIRS, None, MARK)) as running:
        (running.folder / "credentials/lost/key").unlink()
        yield running


def asked(gateway: Gateway, endpoint: str, mark: str = MARK) -> Finding | None:
    async def ask() -> Finding | None:
        async with exchange.client() as client:
            answers = HttpGatewayAnswers(client)
            return await answers.probe("127.0.0.1", gateway.port, mark=mark, endpoint=endpoint, timeout_s=10)

    return asyncio.run(ask())


def test_anthropics_api_is_told_its_version() -> None:
    with SimulatedProvider(models=("m",), keys=("claude-key",), header="x-api-key", anthropic=True) as claude:
        opened = credential("claude", "x-api-key")
        first = target("c/api/m", claude, credential=opened.name, protocol=ir.Protocol.ANTHROPIC)
        probes = (ir.KeyedProbe(endpoint="c/api", path="/v1/models", protocol=ir.Protocol.ANTHROPIC),)
        whole = replace(simple(first, credentials=(opened,)), keyed_probes=probes)
        with Gateway(whole, keys=envoy.api_keys(PAIRS, None, MARK)) as running:
            assert asked(running, "c/api") == Finding(status=200, failure=None)
        (request,) = claude.control.requests()
        assert dict(request.headers)["anthropic-version"] == "2023-06-01"


def test_a_wrong_key_is_told_from_a_right_one(gateway: Gateway, strict: SimulatedProvider) -> None:
    strict.control.reset()
    assert asked(gateway, "p/good") == Finding(status=200, failure=None)
    assert asked(gateway, "p/wrong") == Finding(status=401, failure=Failure.CREDENTIAL_REJECTED)
    good, wrong = strict.control.requests()
    for request, key in ((good, "good-key"), (wrong, "wrong-key")):
        assert (request.method, request.target) == ("GET", "/v1/models")
        headers = dict(request.headers)
        assert headers["authorization"] == f"Bearer {key}"
        assert MARK not in str(request.headers)
        assert not [name for name in headers if name.startswith((":", "x-fl", "x-fairlead", "x-api"))]


def test_what_the_gateway_met_is_told_from_what_the_endpoint_said(gateway: Gateway, strict: SimulatedProvider) -> None:
    assert asked(gateway, "p/dead") == Finding(status=0, failure=Failure.CONNECTION_FAILED)
    assert asked(gateway, "p/lost") == Finding(status=401, failure=Failure.CREDENTIAL_REJECTED), "it has none to send"
    assert asked(gateway, "p/nameless") == Finding(status=0, failure=Failure.UNRESOLVABLE)
    strict.control.fault(status=503)
    assert asked(gateway, "p/good") == Finding(status=503, failure=Failure.SERVER_ERROR)
    strict.control.clear()
    strict.control.fault(status=404)
    assert asked(gateway, "p/good") == Finding(status=404, failure=None), "alive, and the key was not refused"
    strict.control.clear()


def test_nobody_else_can_have_the_key_sent(gateway: Gateway, strict: SimulatedProvider) -> None:
    strict.control.reset()
    assert asked(gateway, "p/elsewhere") is None
    assert asked(gateway, "") is None
    for key in ("sk-alice", "sk-wrong"):
        assert asked(gateway, "p/good", mark=key) is None
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    connection.request("GET", "/fairlead/probe", headers={"x-fairlead-endpoint": "p/good"})
    assert connection.getresponse().status == 401
    connection.close()
    assert strict.control.requests() == ()


def test_it_is_in_no_log_and_no_counter(gateway: Gateway, wait_until: Wait) -> None:
    assert asked(gateway, "p/good") == Finding(status=200, failure=None)
    assert gateway.ask(key="sk-alice", model="chat").status == 200
    wait_until(lambda: [one for one in gateway.lines("attempt") if one["status"] == 200])
    assert {one["target"] for one in gateway.lines()} == {"p/good/m"}
    text = gateway.metrics()
    assert "p/good/-" not in text
    assert MARK not in gateway.everything_written()


@contextlib.contextmanager
def said(answer: bytes) -> Iterator[int]:
    """Answer every connection with these bytes; yields the port."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = server.accept()[0]
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", id="nothing, as /health of an inference server"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nok", id="a page"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", id="204"),
    ],
)
def test_whoever_answers_is_alive_whatever_it_says(strict: SimulatedProvider, answer: bytes) -> None:
    with said(answer) as port:
        upstream = ir.Upstream(host="127.0.0.1", port=port, tls=False, base_path="/v1")
        one = target("p/good/m", strict, upstream=upstream)
        whole = replace(simple(one), keyed_probes=(ir.KeyedProbe(endpoint="p/good", path="/v1/health"),))
        with Gateway(whole, keys=envoy.api_keys(PAIRS, None, MARK)) as running:
            found = asked(running, "p/good")
            assert found is not None
            assert found.failure is None
