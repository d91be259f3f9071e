"""Who is stopped or has spent all stays out, whatever becomes of the check: hung servers, floods, large bodies."""

import os
import signal
from collections.abc import Callable

import pytest
from running_up import RunningUp, Site, consumer, secret, until

from budget.client import Open, budget, chat
from budget.conftest import server_pid

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]


def test_who_is_stopped_is_refused_while_the_server_hangs(site: Site, start: Start) -> None:
    site.write("other.yaml", consumer("other", "k"), secret("other", k="sk-other"))
    site.write("budget.yaml", budget(usd="1"))
    running = start(site).serving()
    (port,) = site.ports
    assert chat(port).status == 200
    os.kill(server_pid(running), signal.SIGSTOP)
    site.write("stop.yaml", budget("stop", usd="0", consumers={"names": ["agent"]}))
    until(lambda: chat(port).status == 429)
    answer = chat(port)
    assert answer.json["error"]["code"] == answer.json["error"]["type"] == "insufficient_quota"
    assert "`fairlead/agent` was stopped" in answer.json["error"]["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert chat(port, key="sk-other").status == 200, "the failurePolicy is Open"
    assert chat(port).status == 429
    # The key alone decides, so nothing of a large body is waited for, and the client still reads why.
    assert chat(port, messages=[{"role": "user", "content": "x" * 4_000_000}]).status == 429
    connection = Open(port)
    assert [connection.chat() for _ in range(3)] == [429] * 3
    connection.close()
