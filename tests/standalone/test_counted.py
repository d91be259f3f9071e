"""What `fairlead up` says of kept answers and of classifiers where nobody has a budget."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running_up import (
    CREDENTIAL,
    PATIENCE_S,
    SECRET_KEY,
    RunningUp,
    Site,
    consumer,
    provider,
    route,
    say,
    secret,
    until,
)

from fairlead.demo.provider import SimulatedProvider
from ports import free_port

pytestmark = pytest.mark.envoy


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A route that keeps answers, and one whose classifier is not there."""
    made = Site(tmp_path)
    nobody = {"service": {"name": "localhost", "port": free_port()}, "categories": {"code": "code", "simple": "rest"}}
    rules = [{"name": "code", "when": {"category": "code"}, "route": "kept"}]
    with SimulatedProvider(models=("sparrow",), keys=(CREDENTIAL,)) as simulated:
        made.write("provider.yaml", provider(simulated.base_url, "sparrow"), secret("sim", key=CREDENTIAL))
        made.write("kept.yaml", route("kept", "sparrow", cache={"ttl": "10m"}))
        made.write("sorted.yaml", route("sorted", "sparrow", classifier=nobody, rules=rules))
        made.write("caller.yaml", consumer("caller", "k"), secret("caller", k=SECRET_KEY))
        with RunningUp(made, "--workers", "1") as up:
            up.serving()
            yield made


def outcome(port: int, model: str) -> str | None:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"content-type": "application/json", "authorization": f"Bearer {SECRET_KEY}"}
    client.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    answer = client.getresponse()
    assert (answer.status, answer.read() != b"") == (200, True)
    client.close()
    return answer.headers["x-fairlead-cache"]


def told(site: Site, command: str) -> tuple[int, dict[str, Any]]:
    said = say(command, "-c", site.config, "-o", "json")
    return said.returncode, json.loads(said.stdout)


def test_hits_and_what_they_saved_are_said_by_budgets_and_status(site: Site) -> None:
    (port,) = site.ports
    assert [outcome(port, "kept") for _ in range(4)] == ["miss", "hit", "hit", "hit"]
    (found,) = until(lambda: (caches := told(site, "budgets")[1]["caches"])[0]["hits"] == 3 and caches)
    assert (found["route"], found["requests"], found["since"]) == ("fairlead/kept", 4, None)
    assert float(found["savedUSD"]) > 0
    assert told(site, "status")[1]["caches"] == [found]
    for command in ("budgets", "status"):
        said = say(command, "-c", site.config)
        assert "3 of 4 requests (75%), since the gateways started" in said.stdout
        assert said.returncode == 0


def test_a_classifier_that_is_not_asked_is_no_green_until_nobody_is_turned_away(site: Site) -> None:
    (port,) = site.ports

    def burns() -> bool:
        outcome(port, "sorted")
        code, found = told(site, "status")
        (one,) = found["classifiers"]
        return code == 1 and one["openSince"] is not None and bool(one["without"]["open"])

    assert told(site, "status")[0] == 0
    until(burns)
    said = say("status", "-c", site.config)
    assert said.returncode == 1
    assert "classifier of fairlead/sorted failed time and again, and is not asked" in said.stdout
    assert "unavailable" in said.stdout
