"""An operator is ready when its gateways were: `helm install --wait` comes back then, and no upgrade waits for ever."""

import asyncio
import socket
from typing import Any

import httpx
import pytest

from builders import provider, route
from fairlead.controller.lease import LEASE_S
from fairlead.controller.live import Live
from fairlead.controller.metrics import Metrics, serve
from fairlead.controller.readiness import Readiness
from operator_stage import NAME, Stage, until, while_it_runs


def _available(status: str, *, generation: int = 2, observed: int = 2, version: int = 1) -> dict[str, object]:
    return {
        "kind": "Deployment",
        "metadata": {"name": "gateway", "generation": generation, "resourceVersion": str(version)},
        "status": {"observedGeneration": observed, "conditions": [{"type": "Available", "status": status}]},
    }


def _rolling(*, updated: int, stuck: bool = False) -> dict[str, object]:
    """Say that of two pods some are new."""
    found = _available("True")
    status: Any = found["status"]
    stands = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    conditions = [*status["conditions"], *([stands] if stuck else [])]
    return {**found, "status": {**status, "replicas": 2, "updatedReplicas": updated, "conditions": conditions}}


@pytest.mark.parametrize(
    ("deployment", "waits_for"),
    [
        (None, "Deployment gateway"),
        ({"kind": "Deployment", "metadata": {"name": "gateway", "generation": 1}}, "Deployment gateway"),
        (_available("False"), "Deployment gateway"),
        (_available("True", observed=1), "Deployment gateway"),
        (_available("True"), ""),
        (_rolling(updated=1), "Deployment gateway"),
        (_rolling(updated=2), ""),
        (_rolling(updated=1, stuck=True), ""),
    ],
)
def test_who_leads_waits_until_every_region_s_deployment_is_available(
    deployment: dict[str, object] | None, waits_for: str
) -> None:
    live = Live()
    if deployment is not None:
        live.put(deployment)
    assert Readiness(live, ["gateway"], leads=lambda: True, follows=lambda: False).waits_for == waits_for


def test_what_was_ready_once_stays_so_and_nobody_is_before_it_knows_who_leads() -> None:
    live, leads, follows = Live(), False, False
    readiness = Readiness(live, ["gateway"], leads=lambda: leads, follows=lambda: follows)
    assert readiness.waits_for == "the lease"
    follows = True
    assert readiness.waits_for == "", "another leads"
    leads = True
    assert readiness.waits_for == "Deployment gateway"
    live.put(_available("True"))
    assert readiness.waits_for == ""
    live.put(_available("False", version=2))
    assert readiness.waits_for == ""


def test_readyz_says_what_an_operator_waits_for() -> None:
    stage = Stage(provider("p"), route("chat"))

    async def story() -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        operator = stage.operator
        async with (
            serve(
                Metrics().registry,
                is_healthy=lambda: operator.is_healthy,
                waits_for=lambda: operator.waits_for,
                address="127.0.0.1",
                port=port,
            ),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        ):
            await until(lambda: stage.cluster.find("Deployment", NAME))
            waits = await client.get("/readyz")
            assert (waits.status_code, waits.text) == (503, f"waits for Deployment {NAME}\n")
            assert (await client.get("/healthz")).status_code == 200
            found = stage.cluster.find("Deployment", NAME) or {}
            available = {"type": "Available", "status": "True"}
            stage.cluster.put({**found, "status": {"observedGeneration": 9, "conditions": [available]}})
            await until(lambda: not operator.waits_for)
            assert (await client.get("/readyz")).status_code == 200

    asyncio.run(while_it_runs(stage, story))


def test_one_that_stands_by_is_ready_while_another_leads() -> None:
    stage = Stage(provider("p"))
    renewed = "2026-01-01T00:00:00.000000Z"
    spec = {"holderIdentity": "other", "renewTime": renewed, "leaseDurationSeconds": 1000 * LEASE_S}
    stage.cluster.put(
        {"kind": "Lease", "metadata": {"name": "fairlead-operator", "namespace": "fairlead"}, "spec": spec}
    )

    async def story() -> None:
        assert stage.operator.waits_for == "the lease"
        await until(lambda: not stage.operator.waits_for)

    asyncio.run(while_it_runs(stage, story))


def test_one_that_an_upgrade_brings_is_ready_when_it_leads_and_has_written_what_it_wants() -> None:
    live, leads, asks, brought = Live(), False, True, False
    live.put(_available("True"))
    readiness = Readiness(
        live, ["gateway"], leads=lambda: leads, follows=lambda: True, asks=lambda: asks, brought=lambda: brought
    )
    assert readiness.waits_for == "the lease", "the old version leads still"
    leads = True
    assert readiness.waits_for == "its first pass", "the Deployment that is there is the old version's"
    brought = True
    assert readiness.waits_for == ""
    leads, asks, brought = False, False, False
    assert readiness.waits_for == "", "it stands by: another upgrade has come"
    asks = True
    assert readiness.waits_for == "the lease", "which was taken back"
    leads = True
    assert readiness.waits_for == "its first pass"
