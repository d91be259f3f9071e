"""`fairlead operator`: what the chart's Deployment runs."""

import asyncio
import gc
import logging
import os
import signal
from pathlib import Path

import click
import structlog
from structlog.typing import FilteringBoundLogger

from fairlead.adapters import exchange, gateways_file, heap, installation_file
from fairlead.adapters.budget_answer import HttpBudgetAnswers
from fairlead.adapters.certificates import ca_bundle
from fairlead.adapters.clock import SystemClock
from fairlead.adapters.gateway_answer import HttpGatewayAnswers
from fairlead.adapters.gateway_metrics import HttpGatewayMetrics
from fairlead.adapters.kube import Kube, UnreachableError
from fairlead.adapters.kube_client import connect
from fairlead.adapters.probe import HttpProbes, trust
from fairlead.api.installation import Installation
from fairlead.controller.context import Context
from fairlead.controller.metrics import PORT, Metrics, serve
from fairlead.controller.operator import Operator
from fairlead.errors import ClusterError, EnvoyError, InstallationError
from fairlead.manifests import Settings


@click.command()
@click.option("--installation", type=click.Path(path_type=Path), required=True, help="The installation file.")
@click.option("--gateways", type=click.Path(path_type=Path), required=True, help="How gateways run here (the chart's).")
@click.option("--lease", default="fairlead-operator", show_default=True, help="Lease by which one of several leads.")
@click.option("--watch-namespace", "watch_namespaces", multiple=True, help="Only these namespaces; default: all.")
@click.option("--address", default="0.0.0.0", show_default=True, help="Where /metrics, /healthz and /readyz answer.")  # noqa: S104  a pod's
@click.option("--port", default=PORT, show_default=True, help="Their port.")
def command(  # noqa: PLR0917  click passes them by name
    installation: Path, gateways: Path, lease: str, watch_namespaces: tuple[str, ...], address: str, port: int
) -> None:
    """Keep this cluster's gateways what the resources say."""
    log = _logger()
    heap.keep_small()
    try:
        asyncio.run(
            _run(
                installation_file.read(installation),
                gateways_file.read(gateways),
                log,
                lease=lease,
                watch_namespaces=watch_namespaces,
                address=address,
                port=port,
            )
        )
    except (InstallationError, ClusterError, EnvoyError) as error:
        raise click.ClickException(str(error)) from error


def _logger() -> FilteringBoundLogger:
    """Write one JSON object per decision to stdout. Of outages the operator tells in its own words, not in kopf's."""
    logging.getLogger("kopf").setLevel(logging.CRITICAL)
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return logger


def collect_seldom() -> None:
    """Look for cycles seldom: what is loaded stays, and a compilation makes many values and hardly a cycle.

    Looking for them took a quarter of a compilation of 2,000 routes.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


async def _run(
    installation: Installation,
    settings: Settings,
    log: FilteringBoundLogger,
    *,
    lease: str,
    watch_namespaces: tuple[str, ...],
    address: str,
    port: int,
) -> None:
    metrics, clock = Metrics(), SystemClock()
    async with (
        connect() as kube,
        exchange.client() as client,
        HttpGatewayMetrics() as gateway_metrics,
        HttpProbes(trust(ca_bundle(os.environ))) as probes,
    ):
        context = Context(
            installation=installation,
            settings=settings,
            watch_namespaces=watch_namespaces,
            lease=lease,
            identity=os.environ.get("POD_NAME") or f"process-{os.getpid()}",
            revision=os.environ.get("FAIRLEAD_REVISION", ""),
            owner_uid=await _owner_uid(kube, installation.namespace, settings.owner, log),
        )
        operator_ = Operator(
            kube=kube,
            clock=clock,
            answers=HttpGatewayAnswers(client),
            budget_answers=HttpBudgetAnswers(client),
            gateway_metrics=gateway_metrics,
            probes=probes,
            context=context,
            metrics=metrics,
            log=log,
        )
        async with serve(
            metrics.registry,
            is_healthy=lambda: operator_.is_healthy,
            waits_for=lambda: operator_.waits_for,
            address=address,
            port=port,
        ):
            running = asyncio.create_task(operator_.run())
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, running.cancel)
            collect_seldom()
            log.info("starts", what=f"regions {', '.join(settings.regions)}", identity=context.identity)
            try:
                await running
            except asyncio.CancelledError:
                log.info("ends", what="told to")


async def _owner_uid(kube: Kube, namespace: str, name: str, log: FilteringBoundLogger) -> str:
    """Wait for the API server and return the UID of the ConfigMap that owns what the operator makes."""
    while True:
        try:
            found = await kube.get("ConfigMap", namespace=namespace, name=name)
        except UnreachableError as error:
            log.warning("try again", what=str(error))
            await asyncio.sleep(1.0)
            continue
        if found is None:
            raise ClusterError(f"ConfigMap {namespace}/{name} is missing, run helm upgrade")
        return str(found["metadata"]["uid"])
