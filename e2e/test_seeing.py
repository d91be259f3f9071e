"""Given requests in a cluster, `fairlead logs` and `fairlead console` show them, through the API server alone."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from harness.install import REGIONS
from harness.provider import Provider
from harness.team import Team
from harness.waiting import eventually

KEY = "alice-key-seen"


@pytest.fixture
def asked(provider: Provider, team: Team, url: str) -> str:
    """A request of a consumer that was answered; its id."""
    team.kubectl.apply(team.key("alice", KEY), team.consumer("alice"), team.route("chat", provider.name, "model-a"))
    team.is_ready("modelroute", "chat")
    team.is_let_in(url, KEY)
    return _ask(url)


def _ask(url: str) -> str:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=30) as client:
        messages: Any = [{"role": "user", "content": "Hello"}]
        answer = client.chat.completions.with_raw_response.create(model="chat", messages=messages)
    return str(answer.headers["x-request-id"])


def test_a_request_is_found_in_the_logs_of_the_gateway_pods(team: Team, asked: str) -> None:
    def logged() -> list[dict[str, Any]]:
        said = team.kubectl("fairlead", "logs", "--route", f"{team.namespace}/chat", "-o", "json")
        return [one for line in said.splitlines() if (one := json.loads(line))["requestID"] == asked]

    (found,) = eventually("the request's line", logged)
    assert (found["consumer"], found["status"], found["target"]) == (f"{team.namespace}/alice", 200, "sim/main/model-a")
    assert [one["status"] for one in found["attempts"]] == [200]
    assert found["tokens"]["output"] > 0
    assert float(found["usd"]) > 0
    assert "1. sim/main/model-a  200" in team.kubectl("fairlead", "logs", asked)


@contextlib.contextmanager
def console(team: Team) -> Iterator[str]:
    with team.kubectl.start("fairlead", "console", "--no-open", "--port", "0") as running:
        try:
            assert running.stdout
            yield running.stdout.readline().split()[0]
        finally:
            running.terminate()


def test_the_console_shows_the_cluster_and_charts_its_gateways(team: Team, asked: str, url: str) -> None:
    assert asked
    with console(team) as page:

        def counted() -> dict[str, Any] | None:
            _ask(url)
            view: dict[str, Any] = httpx.get(f"{page}view", timeout=60).json()
            lines = view["charts"]["charts"][0]["lines"]
            return view if any(value for line in lines for value in line["values"]) else None

        view = eventually("requests on the chart", counted)
        text = httpx.get(page, timeout=60).text
    assert {line["region"] for line in view["charts"]["charts"][0]["lines"]} <= set(REGIONS)
    assert f"{team.namespace}/chat" in view["sections"]["routes"]
    assert "sim/main/model-a" in view["sections"]["regions"]
    routes = view["sections"]["routes"]
    assert "<td>100%</td>" in routes, "a ladder has its share"
    assert "last resort" in routes
    for region, geo in zip(REGIONS, ("us", "eu"), strict=True):
        assert f"{region} <small>{geo}</small>" in view["sections"]["regions"]
    assert KEY not in text
