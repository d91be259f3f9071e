"""A request that ends while its check is under way holds nothing: `fairlead up`, a real Envoy, SQLite."""

import itertools
import json
import socket
import struct
import time
from collections.abc import Callable

import pytest
from running_up import RunningUp, Site, until

from budget.client import KEY, PASSED_UNCHECKED, budget, chat, gateway_metric, metric, metrics, usage
from budget.conftest import PATIENT_WITH_SERVERS, SOON_GIVEN_UP, hung

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]
TRIES = 200
PASSED = 12
SELDOM_S = 0.5
RESET_AT_CLOSE = struct.pack("ii", 1, 0)


def leave(port: int, after_ms: float) -> None:
    """Ask, and end the connection so soon that the check may be under way."""
    body = json.dumps({"model": "chat", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]})
    head = f"host: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n\r\n{body}".encode())
        connection.settimeout(after_ms / 1000)
        try:
            connection.recv(1)
        except TimeoutError:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)


def test_a_client_that_leaves_during_the_check_holds_nothing(site: Site, start: Start) -> None:
    site.write("budget.yaml", budget(usd="100"))
    start(site).serving()
    (port,) = site.ports
    assert chat(port).status == 200
    for after_ms in itertools.islice(itertools.cycle((0.5, 1, 1.5, 2, 2.5, 3)), TRIES):
        leave(port, after_ms)

    def nothing_is_reserved() -> bool:
        """Say something, so seldom that it asks for no lease: with it, a worker gives back what a lease has left."""
        chat(port)
        time.sleep(SELDOM_S)
        return not usage(port)["budget"]["reserved"]

    until(nothing_is_reserved, "what nobody asks for any more is still reserved")
    server = metrics(site.state / "_budget" / "http.sock")
    assert metric(server, "fairlead_budget_reports_total", kind="released") > 0, "none was in the middle of its check"


def test_what_passed_while_the_server_was_away_is_counted_and_released(site: Site, start: Start) -> None:
    site.write_config(budgets=SOON_GIVEN_UP)
    site.write("budget.yaml", budget(usd="100"))
    running = start(site, before=PATIENT_WITH_SERVERS).serving()
    (port,) = site.ports
    place = site.state / "_budget" / "http.sock"

    def unchecked() -> float:
        return metric(metrics(place), "fairlead_budget_reports_total", kind="unchecked")

    assert chat(port).status == 200
    before, passed = unchecked(), gateway_metric(site, PASSED_UNCHECKED)  # none, unless the machine is very busy
    with hung(running):
        assert {chat(port).status for _ in range(PASSED)} == {200}
    until(lambda: unchecked() == before + PASSED)
    assert gateway_metric(site, PASSED_UNCHECKED) == passed + PASSED
    until(lambda: not usage(port)["budget"]["reserved"], "what nobody asks for any more is still reserved")
