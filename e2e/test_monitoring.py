"""A real Prometheus looks at a real installation: no panel of Grafana's boards is empty, no alert cries wolf."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from harness.cluster import Cluster
from harness.install import CHART, gateways_ready
from harness.prometheus import Prometheus, prometheus
from harness.provider import Provider
from harness.team import Team
from harness.waiting import always, eventually

KEY = "looked-at-key"
ROUTES = ("good", "bad", "rolling", "kept")
RATED = "good"
BOARDS = sorted((CHART / "dashboards").glob("*.json"))


@pytest.fixture
def broken(release: Cluster) -> Iterator[Provider]:
    """A provider that answers 503 to everything, so that attempts fail and an endpoint goes down."""
    found = Provider(release, "broken", "sk-broken", "model-b")
    found.start()
    release.kubectl.apply(
        found.secret(), found.resource(healthCheck={"interval": "2s", "timeout": "1s", "unhealthyThreshold": 2})
    )
    yield found
    release.kubectl.delete(found.resource(), found.secret())


def _queries() -> dict[str, str]:
    """What each panel asks, as Grafana would with All chosen, over the last fifteen seconds."""
    found = {}
    for path in BOARDS:
        board: Any = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                query = target["expr"]
                for variable in board["templating"]["list"]:
                    query = query.replace(f"${variable['name']}", ".*")
                query = query.replace("$__rate_interval", "15s").replace("$__range", "1m")
                found[f"{board['title']}: {panel['title']} ({target['refId']})"] = query
    return found


def test_no_alert_on_a_quiet_installation_and_no_empty_panel_on_a_busy_one(
    provider: Provider, team: Team, broken: Provider, *, url: str, release: Cluster, tmp_path: Path
) -> None:
    team.kubectl.apply(
        team.key("alice", KEY),
        team.consumer("alice"),
        team.policy("agents", "100.00"),
        team.route(
            RATED,
            provider.name,
            "model-a",
            baseline={"provider": provider.name, "model": "model-b"},
            feedback="Accept",
        ),
        team.route("bad", broken.name, "model-b", fallbacks=[{"provider": provider.name, "model": "model-a"}]),
        team.route("kept", provider.name, "model-a", cache={"ttl": "10m"}),
        _rolling(team, provider, "model-a"),
    )
    for kind, name in (*(("modelroute", name) for name in ROUTES), ("budgetpolicy", "agents")):
        team.is_ready(kind, name)
    team.kubectl.apply(_rolling(team, provider, "model-b"))
    team.is_let_in(url, KEY)
    waiting = _queries()
    gateways_ready(release)  # a provider rolls them, for its credential
    with prometheus(release, tmp_path, sorted((CHART / "rules").glob("*.yaml"))) as prom:
        # Before the first scrape nobody leads, and others restarted the operator a moment ago.
        eventually("no alert", lambda: not _alerts(prom, "firing|pending"))
        always("no alert", lambda: not _alerts(prom, "firing"), for_s=5)
        broken.control("POST", "/_control/faults", {"status": 503})
        client = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
        eventually("no empty panel", lambda: _fills(prom, client, waiting), every_s=0.5)


def _rolling(team: Team, provider: Provider, model: str) -> dict[str, Any]:
    """Write a route whose change of model rolls out half by half, and does not end while it is looked at."""
    rollout = {
        "stickiness": "Request",
        "steps": [{"traffic": "50%", "hold": "1h"}],
        "analysis": {"interval": "1s", "minRequests": 1},
    }
    return team.route("rolling", provider.name, model, rollout=rollout)


def _fills(prom: Prometheus, client: openai.OpenAI, waiting: dict[str, str]) -> bool:
    """Ask every route once more, and take out of `waiting` what shows something by now."""
    hello: Any = [{"role": "user", "content": "Hello"}]
    for model in ROUTES:
        answer = client.chat.completions.with_raw_response.create(model=model, messages=hello)
        if model == RATED:
            rating = {"request_id": answer.headers["x-request-id"], "rating": "up"}
            # The answer is known a moment after it was given.
            eventually(
                "a rating", lambda rating=rating: client.post("/feedback", body=rating, cast_to=dict), within_s=20
            )
        for _ in client.chat.completions.create(model=model, messages=hello, stream=True):
            pass
    for name in [name for name, query in waiting.items() if _shows(prom, query)]:
        del waiting[name]
    assert waiting == {}, f"empty: {waiting}"
    return True


def _shows(prom: Prometheus, query: str) -> bool:
    """Tell whether a query has a sample that is a number: a quantile of nothing is none."""
    return any(sample["value"][1] != "NaN" for sample in prom.query(query))


def _alerts(prom: Prometheus, states: str) -> list[Any]:
    """Those that fire, and those that would if it went on."""
    found = [alert["metric"] for alert in prom.query(f'ALERTS{{alertstate=~"{states}"}}')]
    assert found == [], "named, where a wait would only say that it is not so"
    return found
