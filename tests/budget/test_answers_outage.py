"""A store of shared answers that is dead, or no such store: nobody is hurt, and it is said."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from running_up import RunningUp, Site, route, say, until

from budget.client import chat, metric, metrics
from budget.conftest import IN_TIME, agents_site, make_redis
from budget.redis_server import RedisServer
from fairlead.demo.provider import SimulatedProvider
from ports import free_port

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]
SAID = "shared answers: the store does not answer, since "


@pytest.fixture(params=["nobody", "another password", "an HTTP server"])
def wrong(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where no store of shared answers is that may be used."""
    if request.param == "nobody":
        yield f"redis://127.0.0.1:{free_port()}/0"
    elif request.param == "another password":
        server = make_redis(tmp_path)
        server.command("CONFIG", "SET", "requirepass", "right")
        yield server.url.replace("redis://", "redis://:wrong@")
        server.stop()
    else:
        with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as http:
            thread = Thread(target=http.serve_forever)
            thread.start()
            yield f"redis://127.0.0.1:{http.server_port}/0"
            http.shutdown()
            thread.join()


def sharing_site(folder: Path, simulated: SimulatedProvider, store: str) -> Site:
    site = agents_site(folder, simulated)
    site.write_config(budgets=IN_TIME, cache={"store": store})
    site.write("route.yaml", route("chat", "sparrow", cache={"ttl": "1h", "store": "Shared"}))
    return site


def told(site: Site) -> dict[str, Any] | None:
    """What `fairlead budgets` says of the store; it is no trouble."""
    said = say("budgets", "-c", site.config, "-o", "json")
    assert said.returncode == 0, said
    found: dict[str, Any] | None = json.loads(said.stdout)["answers"]
    return found


def test_a_store_that_is_none_is_said_and_hurts_nobody(
    tmp_path: Path, simulated: SimulatedProvider, start: Start, wrong: str
) -> None:
    site = sharing_site(tmp_path, simulated, wrong)
    up = start(site).serving()
    line = up.wait_for("warning", SAID)["what"]
    assert line.endswith("requests are asked anew")
    until(lambda: told(site) is not None)
    for command in ("budgets", "status"):
        said = say(command, "-c", site.config)
        assert (said.returncode, line in said.stdout, "wrong" in said.stdout) == (0, True, False)
    assert chat(site.ports[0]).status == 200
    assert "answers_store_up 0" in metrics(site.state / "_budget" / "http.sock")


def test_it_is_said_once_and_that_it_is_over(
    tmp_path: Path, simulated: SimulatedProvider, start: Start, own_redis: RedisServer
) -> None:
    site = sharing_site(tmp_path, simulated, own_redis.url)
    up = start(site).serving()
    until(lambda: told(site) is None)
    own_redis.stop()
    up.wait_for("warning", SAID)
    before = until(lambda: told(site))
    own_redis.start()
    up.wait_for("mended", "shared answers")
    until(lambda: told(site) is None)
    assert metric(metrics(site.state / "_budget" / "http.sock"), "fairlead_shared_answers_store_up") == 1
    assert before["since"].startswith("20")
    assert len([event for event in up.events if SAID in event.get("what", "")]) == 1
