"""No value of one consumer's key takes the others' keys away: the list that Envoy gets is one that it takes."""

import http.client
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from running import CONSUMER, Gateway, simple, target

from fairlead import envoy
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy

ANONYMOUS = "home/anonymous"
PATIENCE_S = 60
Wait = Callable[[Callable[[], Any]], Any]
WORDS = (
    "",
    " ",
    "-",
    "*",
    "null",
    "anonymous",
    "no key",
    "Bearer",
    "Bearer sk-1",
    "two words",
    "team/alice",
    "x-fl-anonymous",
    "%DYNAMIC_METADATA(fairlead:model)%",
    '"',
    "\\",
    "tab\tbed",
    "line\r\nx-fl-consumer: team/bob",
    "nul\0",
    "schl\u00fcssel",
    "\u9375",
    "\ufffd",
    "k" * 4096,
    "k" * 4097,
    "k" * 100_000,
)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with SimulatedProvider() as provider:
        whole = simple(target("acme/fra/chat", provider))
        nobody = replace(whole.consumers[0], name=ANONYMOUS)
        with Gateway(replace(whole, anonymous=ANONYMOUS, consumers=(nobody, *whole.consumers))) as running:
            yield running


def status(gateway: Gateway, key: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})
        return connection.getresponse().status
    finally:
        connection.close()


def takes(gateway: Gateway, *pairs: tuple[str, str], fence: str) -> None:
    """Hand over these keys and one more, and wait until that one opens."""
    gateway.write({"keys/ecds.json": envoy.api_keys([*pairs, (fence, CONSUMER)], ANONYMOUS)})
    deadline = time.monotonic() + PATIENCE_S
    while status(gateway, fence) != http.HTTPStatus.OK:
        assert time.monotonic() < deadline, f"Envoy did not take the keys with {fence}"
        time.sleep(0.02)


@pytest.mark.parametrize("word", WORDS, ids=lambda word: ascii(word[:20]))
def test_any_word_as_a_key_leaves_the_others_alone(gateway: Gateway, word: str) -> None:
    fence = f"sk-fence-{WORDS.index(word)}"
    takes(gateway, (word, CONSUMER), fence=fence)
    if envoy.unusable_key(word) is None:
        assert status(gateway, word) == http.HTTPStatus.OK


def test_any_bytes_as_keys_leave_the_others_alone(gateway: Gateway) -> None:
    draw = random.Random(20)
    words = [draw.randbytes(draw.randrange(12)).decode(errors="replace") for _ in range(300)]
    words += ["".join(chr(draw.randrange(33, 127)) for _ in range(draw.randrange(1, 40))) for _ in range(300)]
    takes(gateway, *((word, CONSUMER) for word in words), fence="sk-fence-bytes")
    usable = [word for word in words if envoy.unusable_key(word) is None]
    assert len(usable) >= 300
    assert {status(gateway, word) for word in usable[-50:]} == {http.HTTPStatus.OK}


def test_a_key_that_two_consumers_came_to_hold_opens_neither_and_nothing_else_closes(gateway: Gateway) -> None:
    takes(gateway, ("sk-shared", CONSUMER), ("sk-shared", ANONYMOUS), ("sk-own", CONSUMER), fence="sk-fence-two")
    assert status(gateway, "sk-shared") == http.HTTPStatus.UNAUTHORIZED
    assert status(gateway, "sk-own") == http.HTTPStatus.OK


TWICE = envoy.api_keys([("sk-twice", CONSUMER)], None).replace(
    b'"credentials":[', b'"credentials":[{"client":"x","key":"sk-twice"},'
)


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(b"", id="an empty file"),
        pytest.param(b"not JSON", id="damage"),
        pytest.param(b'{"resources":[]}', id="no list"),
        pytest.param(TWICE, id="a list that Envoy refuses"),
    ],
)
def test_a_gateway_without_keys_is_not_ready_until_it_has_them(keys: bytes) -> None:
    with SimulatedProvider() as provider, Gateway(simple(target("acme/fra/chat", provider)), keys=keys) as running:
        assert ready(running) == http.HTTPStatus.INTERNAL_SERVER_ERROR
        assert probed(running, "/healthz") == http.HTTPStatus.INTERNAL_SERVER_ERROR
        running.write({"keys/ecds.json": running.keys})
        deadline = time.monotonic() + PATIENCE_S
        while ready(running) != http.HTTPStatus.OK:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert status(running, "sk-alice") == http.HTTPStatus.OK


def ready(running: Gateway) -> int:
    return probed(running, "/fairlead/ready")


def probed(running: Gateway, path: str, method: str = "GET", **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_load_balancer_is_told_without_a_key_whether_clients_may_come(wait_until: Wait) -> None:
    with SimulatedProvider() as provider:
        whole = simple(target("acme/fra/chat", provider))
        with Gateway(whole) as running:
            for method in ("GET", "HEAD"):
                assert probed(running, "/healthz", method) == http.HTTPStatus.OK
                assert probed(running, "/healthz", method, Authorization="Bearer wrong") == http.HTTPStatus.OK
            assert probed(running, "/healthz", "POST") == http.HTTPStatus.UNAUTHORIZED
            assert probed(running, "/healthz/x") == http.HTTPStatus.UNAUTHORIZED
            running.serve(replace(whole, drained=True))
            wait_until(lambda: probed(running, "/healthz") == http.HTTPStatus.SERVICE_UNAVAILABLE)
            assert ready(running) == http.HTTPStatus.OK, "its pods are no less ready"
            assert status(running, "sk-alice") == http.HTTPStatus.OK, "and serve whoever comes"
            running.serve(whole)
            wait_until(lambda: probed(running, "/healthz") == http.HTTPStatus.OK)
            running.envoy.admin("/healthcheck/fail", method="POST")
            assert probed(running, "/healthz") == http.HTTPStatus.SERVICE_UNAVAILABLE, "the process drains"
            wait_until(lambda: len(running.lines("request")) >= 2)
            assert [line["status"] for line in running.lines("request")] == [401, 200], "no probe has a line"


def test_whether_a_gateway_is_ready_may_be_asked_without_a_key_and_with_any(gateway: Gateway) -> None:
    assert ready(gateway) == http.HTTPStatus.OK
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE_S)
    connection.request("GET", "/fairlead/ready", headers={"Authorization": "Bearer wrong", "x-fl-route": "no"})
    assert connection.getresponse().status == http.HTTPStatus.OK
    connection.close()
