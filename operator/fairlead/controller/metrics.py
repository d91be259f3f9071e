"""The operator's own metrics, and the port that shows them. Names end in their unit; no label holds a client's word."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from fairlead.controller.health_metrics import HealthMetrics
from fairlead.controller.rollout_metrics import RolloutMetrics

PORT = 8080

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """One operator's instruments, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.reconciles = Counter(
            "fairlead_reconciles", "Passes over the whole view, by how they ended.", ["result"], registry=self.registry
        )
        self.reconcile_seconds = Histogram(
            "fairlead_reconcile_seconds", "How long a pass took.", buckets=_SECONDS, registry=self.registry
        )
        self.compile_seconds = Histogram(
            "fairlead_compile_seconds", "How long compiling took, of a pass.", buckets=_SECONDS, registry=self.registry
        )
        self.propagation_seconds = Histogram(
            "fairlead_propagation_seconds",
            "From a change's event until every ready gateway pod answered with its configuration.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.pending_events = Gauge(
            "fairlead_pending_events", "Changes seen that no pass has taken up yet.", registry=self.registry
        )
        self.last_success = Gauge(
            "fairlead_last_success_timestamp_seconds", "When a pass last succeeded.", registry=self.registry
        )
        self.leads = Gauge("fairlead_leader", "1 while this operator is the one that writes.", registry=self.registry)
        self.writes = Counter(
            "fairlead_api_writes", "Writes to the API server.", ["verb", "kind"], registry=self.registry
        )
        self.repairs = Counter(
            "fairlead_object_repairs",
            "Objects of the operator's own that somebody else deleted or edited, and that were written again.",
            ["kind"],
            registry=self.registry,
        )
        self.conflicts = Counter(
            "fairlead_object_conflicts",
            "Writes that the API server refused because the object had changed since it was compared.",
            ["kind"],
            registry=self.registry,
        )
        self.objects = Gauge(
            "fairlead_objects", "Objects of the operator's own that are to be there.", registry=self.registry
        )
        self.object_ready = Gauge(
            "fairlead_object_ready",
            "Condition Ready of an object: 1 True, 0 False.",
            ["kind", "namespace", "name"],
            registry=self.registry,
        )
        self.gateway_pods = Gauge(
            "fairlead_gateway_pods",
            "Ready gateway pods, by whether they serve the newest configuration.",
            ["region", "current"],
            registry=self.registry,
        )
        self.budgets_enforced = Gauge(
            "fairlead_budgets_enforced",
            "1 while a budget server with its store decides, as far as the leading operator sees.",
            registry=self.registry,
        )
        self.unbudgeted_consumers = Gauge(
            "fairlead_unbudgeted_consumers", "Consumers that no BudgetPolicy bounds.", registry=self.registry
        )
        self.health = HealthMetrics(self.registry)
        self.rollouts = RolloutMetrics(self.registry)
        self.errors = Counter(
            "fairlead_errors", "What went wrong and will be tried again.", ["operation"], registry=self.registry
        )


@asynccontextmanager
async def serve(
    registry: CollectorRegistry,
    *,
    is_healthy: Callable[[], bool],
    waits_for: Callable[[], str],
    address: str,
    port: int = PORT,
) -> AsyncIterator[None]:
    """Answer `/metrics`, `/healthz` and `/readyz` until the block ends.

    `is_healthy`: whether the loops still turn. `waits_for`: what readiness waits for, empty = nothing. None of it asks
    the API server: an operator that is cut off from it is not dead.
    """

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if is_healthy() else web.Response(text="the loop stands still\n", status=503)

    async def readyz(request: web.Request) -> web.Response:
        waiting = waits_for()
        return web.Response(text=f"waits for {waiting}\n", status=503) if waiting else await healthz(request)

    application = web.Application()
    application.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, port).start()
        yield
    finally:
        await runner.cleanup()
