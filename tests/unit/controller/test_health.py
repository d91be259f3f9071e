"""The health of endpoints in the operator: probes, memory, status, Events, and traffic that goes elsewhere."""

import asyncio
import json
from typing import Any

from builders import EU_WEST, US, provider, route
from builders import endpoint as declared
from fairlead.adapters.probe import Finding
from fairlead.controller.drains import CONFIG_MAP, PREFIX, drain, lasting, undo
from fairlead.controller.memory import HEALTH_FILE
from fairlead.health.region import DrainKind, DrainOrder
from fairlead.manifests import COMPONENT_LABEL
from fairlead.statuses import Failure
from gateway_values import LABELS
from operator_stage import NAME, Stage, until, while_it_runs

CHECK = {"interval": "1s", "timeout": "500ms", "unhealthyThreshold": 2, "healthyThreshold": 2}
MEMORY = "fairlead-health"
REFUSED = Finding(status=0, failure=Failure.CONNECTION_FAILED, detail="connection refused")


def two_providers() -> tuple[dict[str, Any], ...]:
    fallbacks = [{"provider": "q", "model": "small"}]
    other = provider("q", endpoints=[declared("us", US, baseURL="https://q.example.com/v1")], healthCheck=CHECK)
    return provider("p", healthCheck=CHECK), other, route("chat", fallbacks=fallbacks)


def endpoint(stage: Stage, name: str) -> dict[str, Any]:
    found = stage.cluster.find("ModelProvider", name) or {}
    return next(iter(found.get("status", {}).get("endpoints", [])), {})


def remembered(stage: Stage) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((stage.cluster.find("ConfigMap", MEMORY) or {})["data"][HEALTH_FILE])
    return found["fleet"].get("endpoints", {}) if "fleet" in found else {}


def writes_of_memory(stage: Stage) -> int:
    return sum(write[1:] == ("ConfigMap", MEMORY) for write in stage.cluster.writes)


def events(stage: Stage) -> list[tuple[str, str, str]]:
    return [
        (one["involvedObject"]["name"], one["reason"], one["message"])
        for one in stage.cluster.all("Event")
        if one["reason"].startswith(("Endpoint", "Region", "NotDrained", "Diverted"))
    ]


def test_an_endpoint_is_asked_by_itself_and_its_health_is_kept_when_it_changes_not_when_it_is_asked() -> None:
    stage = Stage(*two_providers(), faster=1.0)
    stage.pod("one")

    async def story() -> None:
        await until(lambda: endpoint(stage, "p").get("state") == "Healthy")
        await until(lambda: endpoint(stage, "q").get("state") == "Healthy")
        await until(lambda: remembered(stage).keys() == {"p/us", "q/us"})
        asked, written = len(stage.probes.asked), writes_of_memory(stage)
        await until(lambda: len(stage.probes.asked) >= asked + 4)
        assert writes_of_memory(stage) <= written + 1, "at most the write that was under way"
        assert events(stage) == [], "what is well from the start is no news"

    asyncio.run(while_it_runs(stage, story))
    found = stage.cluster.find("ModelProvider", "p") or {}
    assert (found["status"]["healthy"], found["status"]["unwell"], found["status"]["probeUSD"]) == ("1/1", "-", "0")


def test_an_endpoint_that_no_route_uses_is_not_asked() -> None:
    stage = Stage(provider("p", healthCheck=CHECK), provider("unused", healthCheck=CHECK), route("chat"), faster=1.0)
    stage.pod("one")

    async def story() -> None:
        await until(lambda: len(stage.probes.asked) >= 3)

    asyncio.run(while_it_runs(stage, story))
    assert endpoint(stage, "unused").get("state") == "Unknown"
    hosts = {url.split("/")[2].partition(":")[0] for url in stage.probes.asked}
    assert len(hosts) == 1, stage.probes.asked


def test_a_memory_that_is_damaged_is_none_and_is_written_anew() -> None:
    written = '{"version": 1, "fleet": {"endpoints": 5}}'
    labels = {**LABELS, COMPONENT_LABEL: "operator"}
    damaged = {
        "kind": "ConfigMap",
        "metadata": {"name": MEMORY, "namespace": "fairlead", "labels": labels},
        "data": {HEALTH_FILE: written},
    }
    stage = Stage(*two_providers(), damaged, faster=1.0)
    stage.pod("one")

    async def story() -> None:
        await until(lambda: endpoint(stage, "p").get("state") == "Healthy")
        await until(lambda: (stage.cluster.find("ConfigMap", MEMORY) or {})["data"][HEALTH_FILE] != written)
        await until(lambda: "p/us" in remembered(stage))
        assert stage.metrics.errors.labels("memory")._value.get() == 1

    asyncio.run(while_it_runs(stage, story))


def test_a_drain_that_nobody_can_follow_is_an_event_once() -> None:
    labels = {**LABELS, COMPONENT_LABEL: "operator"}
    drains = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": CONFIG_MAP,
            "namespace": "fairlead",
            "labels": labels,
            "annotations": {f"{PREFIX}mars": "2026-03-01T10:00:00Z"},
        },
    }
    stage = Stage(*two_providers(), drains, faster=1.0)
    stage.pod("one")

    async def story() -> None:
        await until(lambda: events(stage))
        asked = len(stage.probes.asked)
        await until(lambda: len(stage.probes.asked) >= asked + 2)

    asyncio.run(while_it_runs(stage, story))
    (told,) = events(stage)
    assert told[:2] == (CONFIG_MAP, "NotDrained")
    assert f"want one of: {US}" in told[2]


def ladders(stage: Stage) -> list[list[str]]:
    """Return the ladders that the route leads to, as the gateway's files have them, by arm."""
    clusters = json.loads((stage.cluster.find("ConfigMap", f"{NAME}-clusters") or {})["data"]["cds.json"])
    routes = (stage.cluster.find("ConfigMap", f"{NAME}-routes") or {})["data"]["rds.json"]
    arms = [one for one in clusters["resources"] if f'"@team-web/chat/{one["name"].rpartition("/")[2]}"' in routes]
    arms = [one for one in arms if one["name"].startswith("@team-web/chat/")]
    return [[rung["name"] for rung in one["cluster_type"]["typed_config"]["clusters"]] for one in arms]


IN_PLACE, DEMOTED = ["p/us/small", "q/us/small", "p/us!"], ["q/us/small", "p/us/small", "p/us!"]


def test_traffic_goes_elsewhere_while_an_endpoint_is_down_over_a_restart_and_nothing_else_flaps() -> None:
    stage = Stage(*two_providers(), faster=1.0)
    stage.pod("one")
    programmed: set[str | None] = set()

    def sees(condition: bool) -> bool:
        programmed.add(stage.condition("ModelRoute", "chat", "Programmed").get("status"))
        return condition

    async def falls() -> None:
        await until(lambda: endpoint(stage, "p").get("state") == "Healthy")
        await until(stage.is_ready("ModelRoute", "chat"))
        assert ladders(stage) == [IN_PLACE]
        stage.probes.findings["us.example.com"] = REFUSED
        await until(lambda: sees(ladders(stage) == [DEMOTED]))
        await until(lambda: sees(endpoint(stage, "p").get("state") == "Down"))
        await until(lambda: sees("EndpointDown" in [reason for _, reason, _ in events(stage)]))
        await until(lambda: sees(remembered(stage)["p/us"]["share"] == 0))
        await until(lambda: sees(("chat", "Diverted") in [(name, reason) for name, reason, _ in events(stage)]))
        assert endpoint(stage, "q")["state"] == "Healthy"
        ready = stage.condition("ModelRoute", "chat", "Ready")
        assert ready["status"] == "True"
        assert ready["message"].startswith("served by q/us since ")
        assert "primary p/us Down" in ready["message"]
        assert stage.condition("ModelProvider", "p", "Ready", "fairlead")["reason"] == "ConnectionFailed"

    asyncio.run(while_it_runs(stage, falls))
    assert programmed == {"True"}
    assert (stage.cluster.find("ModelProvider", "p") or {})["status"]["unwell"] == "us Down 0%"
    assert (
        stage.metrics.registry.get_sample_value(
            "fairlead_endpoint_state", {"provider_endpoint": "p/us", "region": US, "state": "Down"}
        )
        == 1.0
    )
    stage.cluster.writes.clear()
    again = Stage(cluster=stage.cluster, identity="another", faster=1.0)

    async def comes_back() -> None:
        again.probes.findings["us.example.com"] = REFUSED
        await until(lambda: len(again.probes.asked) >= 4)
        assert [name for _, kind, name in again.writes() if kind == "ConfigMap" and name != MEMORY] == []
        again.probes.findings.clear()
        await until(lambda: endpoint(again, "p").get("share") == "10%")
        assert endpoint(again, "p")["state"] == "Recovering"
        await until(lambda: sorted(ladders(again)) == [IN_PLACE, DEMOTED])

    asyncio.run(while_it_runs(again, comes_back))


def test_a_drained_endpoint_gives_its_traffic_away_until_it_is_undone() -> None:
    stage = Stage(*two_providers(), faster=1.0)
    stage.pod("one")

    async def story() -> None:
        await until(lambda: endpoint(stage, "p").get("state") == "Healthy")
        began_ms, until_ms = lasting(stage.clock, for_ms=600_000)
        order = DrainOrder(kind=DrainKind.ENDPOINT, name="p/us", began_ms=began_ms, until_ms=until_ms)
        await drain(stage.cluster, "fairlead", order)
        await until(lambda: endpoint(stage, "p").get("state") == "Drained")
        await until(lambda: ladders(stage) == [DEMOTED])
        assert (endpoint(stage, "p")["share"], endpoint(stage, "p")["reason"]) == ("0%", "Drained")
        assert stage.is_ready("ModelProvider", "p", "fairlead")(), "nothing is wrong with it"
        await until(lambda: ("chat", "Diverted") in [(name, reason) for name, reason, _ in events(stage)])
        await undo(stage.cluster, "fairlead", DrainKind.ENDPOINT, "p/us")
        await until(lambda: endpoint(stage, "p")["share"] == "10%")

    asyncio.run(while_it_runs(stage, story))


def test_a_wrong_key_is_known_without_a_request_by_a_gateway_that_asks_with_it() -> None:
    keyed = declared("us", US, credential={"secretName": "p"})
    check = {**CHECK, "credential": "Send"}
    stage = Stage(provider("p", endpoints=[keyed], healthCheck=check), route("chat"), faster=1.0)
    stage.pod("one", "p")
    stage.answers.refusing.add("p/us")

    async def story() -> None:
        await until(lambda: endpoint(stage, "p").get("state") == "Down")

    asyncio.run(while_it_runs(stage, story))
    assert endpoint(stage, "p")["reason"] == "CredentialRejected"
    assert stage.probes.asked == [], "the operator has no credential, and asks nobody who is to be shown one"


def test_an_operator_that_is_cut_off_says_so_and_moves_nothing() -> None:
    elsewhere = [declared("eu", EU_WEST, baseURL="https://eu.example.com/v1")]
    stage = Stage(
        provider("p", healthCheck=CHECK),
        provider("q", endpoints=elsewhere, healthCheck=CHECK),
        route("chat", fallbacks=[{"provider": "q", "model": "small"}]),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "fairlead-installation",
                "namespace": "fairlead",
                "labels": {**LABELS, COMPONENT_LABEL: "operator"},
            },
        },
        faster=1.0,
        has_others=True,
    )
    stage.pod("one")

    def told() -> list[tuple[str, str]]:
        return [(one["involvedObject"]["name"], one["reason"]) for one in stage.cluster.all("Event")]

    async def story() -> None:
        await until(lambda: endpoint(stage, "q").get("state") == "Healthy")
        await until(lambda: endpoint(stage, "p").get("state") == "Healthy")
        for host in ("us.example.com", "eu.example.com"):
            stage.probes.findings[host] = REFUSED
        await until(lambda: ("fairlead-installation", "ProbesUnreliable") in told())
        asked = len(stage.probes.asked)
        await until(lambda: len(stage.probes.asked) >= asked + 5)
        assert ladders(stage) == [["p/us/small", "q/eu/small", "p/us!"]]
        assert {endpoint(stage, name)["share"] for name in ("p", "q")} == {"100%"}
        stage.probes.findings.clear()
        await until(lambda: ("fairlead-installation", "ProbesReliable") in told())

    asyncio.run(while_it_runs(stage, story))
