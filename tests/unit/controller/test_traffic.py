"""What gateways count of real traffic stands in conditions of providers and routes."""

import asyncio
import json
from typing import Any

from builders import US, provider, route
from fairlead.adapters.probe import Finding
from fairlead.controller import overview, spending
from fairlead.manifests import COMPONENT_LABEL
from fairlead.statuses import Failure
from gateway_values import LABELS
from operator_stage import WITHIN_S, Stage, until, while_it_runs


def test_a_refused_credential_is_a_condition_until_the_first_answer() -> None:
    stage = Stage(provider("p"), route("chat"))
    stage.pod("one")

    def ready(kind: str, name: str, namespace: str = "team-web") -> dict[str, Any]:
        return stage.condition(kind, name, "Ready", namespace)

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        await until(stage.is_ready("ModelProvider", "p", "fairlead"))
        stage.counters.count("p/us/small", 401)
        await until(lambda: ready("ModelProvider", "p", "fairlead").get("reason") == "CredentialRejected")
        assert ready("ModelProvider", "p", "fairlead")["status"] == "False"
        assert "p/us: answers 401" in ready("ModelProvider", "p", "fairlead")["message"]
        await until(lambda: ready("ModelRoute", "chat").get("reason") == "AllTargetsDown")
        assert "p/us: answers 401" in ready("ModelRoute", "chat")["message"]
        assert stage.condition("ModelRoute", "chat", "Programmed")["status"] == "True"
        stage.counters.count("p/us/small", 200)
        await until(stage.is_ready("ModelProvider", "p", "fairlead"))
        await until(stage.is_ready("ModelRoute", "chat"))

    asyncio.run(while_it_runs(stage, story))


def test_a_route_whose_next_rung_answers_is_ready_while_its_provider_is_not() -> None:
    stage = Stage(provider("p"), provider("q"), route("chat", fallbacks=[{"provider": "q", "model": "small"}]))
    stage.pod("one")

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        stage.counters.count("p/us/small", 0, "UF")
        stage.counters.count("q/us/small", 200)
        await until(
            lambda: stage.condition("ModelProvider", "p", "Ready", "fairlead").get("reason") == "ConnectionFailed"
        )
        await until(stage.is_ready("ModelProvider", "q", "fairlead"))
        assert stage.is_ready("ModelRoute", "chat")()

    asyncio.run(while_it_runs(stage, story))


def test_red_ends_without_a_request_when_probes_have_seen_the_whole_way_back() -> None:
    check = {"interval": "1s", "timeout": "500ms"}
    stage = Stage(provider("p", healthCheck=check), route("chat"), faster=4.0)
    stage.pod("one")

    def endpoint() -> dict[str, Any]:
        found = stage.cluster.find("ModelProvider", "p") or {}
        return next(iter(found.get("status", {}).get("endpoints", [])), {})

    async def story() -> None:
        await until(stage.is_ready("ModelProvider", "p", "fairlead"))
        stage.probes.findings["us.example.com"] = Finding(status=0, failure=Failure.CONNECTION_FAILED)
        stage.counters.count("p/us/small", 0, "UF")
        await until(lambda: endpoint().get("state") == "Down")
        assert not stage.is_ready("ModelProvider", "p", "fairlead")()
        stage.probes.findings.clear()
        await until(lambda: endpoint().get("state") == "Healthy")
        await until(stage.is_ready("ModelProvider", "p", "fairlead"))

    asyncio.run(while_it_runs(stage, story))


def test_gateways_without_room_are_said_and_so_is_that_it_is_over() -> None:
    installation = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "fairlead-installation",
            "namespace": "fairlead",
            "labels": {**LABELS, COMPONENT_LABEL: "operator"},
        },
    }
    stage = Stage(provider("p"), route("chat"), installation)
    stage.pod("one")

    def reasons() -> set[str]:
        return {one["reason"] for one in stage.cluster.all("Event")}

    def written() -> dict[str, Any]:
        found = stage.cluster.find("ConfigMap", "fairlead-health") or {}
        return dict(json.loads(found.get("data", {}).get("load.json", "{}")))

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        await until(lambda: written().get("percents", {}).get(US, 0) > 0)
        assert written()["overloaded"] == []
        # More and more, until it is said: the first reading, whenever that is, says nothing.
        await until(lambda: stage.counters.refuse() and "GatewayOverloaded" in reasons())
        await until(lambda: "GatewayHasRoom" in reasons())
        await until(lambda: written()["overloaded"] == [])

    asyncio.run(while_it_runs(stage, story))


def test_kept_answers_and_a_classifier_that_is_not_asked_reach_people() -> None:
    service = {"service": {"name": "sorter", "port": 80}, "categories": {"code": "code", "simple": "greetings"}}
    rules = [{"name": "code", "when": {"category": "code"}, "route": "kept"}]
    stage = Stage(provider("p"), route("kept", cache={"ttl": "10m"}), route("sorted", classifier=service, rules=rules))
    stage.pod("one")
    opened = 'envoy_fairlead_classified_requests{route="team-web/sorted",category="none",reason="open"}'
    stage.counters.others = {
        opened: 0,
        'envoy_fairlead_cache_requests{route="team-web/kept",outcome="hit"}': 3,
        'envoy_fairlead_cache_requests{route="team-web/kept",outcome="miss"}': 1,
        'envoy_fairlead_cache_completion_tokens{route="team-web/kept",target="p/us/small"}': 1_000_000,
    }

    async def turned_away() -> bool:
        stage.counters.others[opened] += 1
        described = await overview.read(stage.cluster, namespace=None)
        (one,) = described["classifiers"] or [{"openSince": None}]
        return overview.is_wrong(described) and one["openSince"] is not None

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "sorted"))
        async with asyncio.timeout(WITHIN_S):
            while not await turned_away():
                await asyncio.sleep(0.01)
        (kept,) = (await spending.read(stage.cluster, namespace=None))["caches"]
        assert (kept["route"], kept["requests"], kept["hits"], kept["since"]) == ("team-web/kept", 4, 3, None)
        assert float(kept["savedUSD"]) > 0
        assert (await spending.read(stage.cluster, namespace="fairlead"))["caches"] == [], "of its routes alone"

    asyncio.run(while_it_runs(stage, story))
