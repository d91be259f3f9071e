"""Envoy's admin interface over its unix socket: what it serves, and the orders of a graceful stop."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from fairlead.adapters.answer import decoded
from fairlead.errors import AnswerError, EnvoyError

TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterHealth:
    """What `/clusters` says about a cluster's only host."""

    name: str
    ejected: bool
    """Outlier detection leaves it out at the moment."""
    requests: int
    errors: int
    active: int


class EnvoyAdmin:
    """One Envoy's admin socket. Every call is bounded and raises `EnvoyError` when nobody answers."""

    def __init__(self, socket: Path) -> None:
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(socket)), base_url="http://envoy", timeout=TIMEOUT_S
        )

    async def aclose(self) -> None:
        """Close the connections to it."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def live(self) -> bool:
        """Whether it is initialised and not draining; False also when nobody answers."""
        try:
            return (await self._client.get("/ready")).text.strip() == "LIVE"
        except httpx.HTTPError:
            return False

    async def answers(self) -> bool:
        """Whether anybody answers at all, also one that starts or drains: one that is stopped or hangs does not."""
        try:
            await self._client.get("/ready")
        except httpx.HTTPError:
            return False
        return True

    async def stats(self, pattern: str) -> Mapping[str, int | str]:
        """Counters and gauges as numbers, texts as they are, of the names that match (RE2, part of the name)."""
        body = await self._json("/stats", {"filter": pattern, "format": "json", "type": "All"})
        return {
            item["name"]: item["value"] for item in body["stats"] if "name" in item and item.get("value") is not None
        }

    async def clusters(self) -> tuple[ClusterHealth, ...]:
        """List the hosts of all clusters, sorted by name; clusters without a host are left out."""
        body = await self._json("/clusters", {"format": "json"})
        found = []
        for cluster in body.get("cluster_statuses", ()):
            for host in cluster.get("host_statuses", ()):
                numbers = {stat["name"]: int(stat.get("value", 0)) for stat in host.get("stats", ())}
                found.append(
                    ClusterHealth(
                        name=cluster["name"],
                        ejected=bool(host.get("health_status", {}).get("failed_outlier_check")),
                        requests=numbers.get("rq_total", 0),
                        errors=numbers.get("rq_error", 0),
                        active=numbers.get("rq_active", 0),
                    )
                )
        return tuple(sorted(found, key=lambda cluster: cluster.name))

    async def fail_healthcheck(self) -> None:
        """Tell load balancers, and every client by `connection: close`, to go elsewhere; requests are still served."""
        await self._post("/healthcheck/fail")

    async def drain_listeners(self) -> None:
        """Accept no new connections; what is in flight goes on."""
        await self._post("/drain_listeners")

    async def reopen_logs(self) -> None:
        """Open the log files anew, after they were renamed."""
        await self._post("/reopen_logs")

    async def quit(self) -> None:
        """End it at once."""
        await self._post("/quitquitquit")

    async def _json(self, path: str, query: Mapping[str, str]) -> Any:
        try:
            response = await self._client.get(path, params=query)
            response.raise_for_status()
            return decoded(response.content)
        except (httpx.HTTPError, AnswerError) as error:
            raise EnvoyError(f"Envoy's admin interface did not answer {path}: {_reason(error)}") from None

    async def _post(self, path: str) -> None:
        try:
            (await self._client.post(path)).raise_for_status()
        except httpx.HTTPError as error:
            raise EnvoyError(f"Envoy's admin interface did not answer {path}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


async def gone(socket: Path, *, within_s: float) -> bool:
    """Ask whoever answers on the socket to end, and wait for that; True when nobody answers (any more).

    An Envoy whose `fairlead up` was killed on a system without parent-death signals is found and ended this way.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    async with EnvoyAdmin(socket) as admin:
        while True:
            try:
                await admin.quit()
            except EnvoyError:
                return True
            if loop.time() > until:
                return False
            await asyncio.sleep(0.05)
