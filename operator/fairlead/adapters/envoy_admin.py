"""Envoy's admin interface over its unix socket: what it serves, and the orders of a graceful stop."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

import httpx

from fairlead.adapters import disk, exchange
from fairlead.adapters.answer import decoded
from fairlead.adapters.exchange import Answer
from fairlead.errors import AnswerError, EnvoyError

T = TypeVar("T")

ORPHAN_S = 5.0
"""How long an Envoy that an earlier run left behind may take to end."""


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
        self._client = exchange.client(exchange.at_socket(socket), "http://envoy")

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
            return (await exchange.get(self._client, "/ready")).content.strip() == b"LIVE"
        except AnswerError:
            return False

    async def answers(self) -> bool:
        """Whether anybody answers at all, also one that starts or drains: one that is stopped or hangs does not."""
        try:
            await exchange.get(self._client, "/ready")
        except AnswerError:
            return False
        return True

    async def stats(self, pattern: str) -> Mapping[str, int | str]:
        """Counters and gauges as numbers, texts as they are, of the names that match (RE2, part of the name)."""
        return await self._json("/stats", {"filter": pattern, "format": "json", "type": "All"}, _stats)

    async def clusters(self) -> tuple[ClusterHealth, ...]:
        """List the hosts of all clusters, sorted by name; clusters without a host are left out."""
        return await self._json("/clusters", {"format": "json"}, _clusters)

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

    async def _json(self, path: str, query: Mapping[str, str], decode: Callable[[Any], T]) -> T:
        try:
            answer = _checked(await exchange.get(self._client, f"{path}?{urlencode(query)}"))
            return decode(decoded(answer.content))
        except AnswerError as error:
            raise EnvoyError(f"Envoy's admin interface did not answer {path}: {error}") from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EnvoyError(f"Envoy's admin interface answered {path} in another form: {error!r}") from None

    async def _post(self, path: str) -> None:
        try:
            _checked(await exchange.post(self._client, path))
        except AnswerError as error:
            raise EnvoyError(f"Envoy's admin interface did not answer {path}: {error}") from None


def _checked(answer: Answer) -> Answer:
    if answer.status != httpx.codes.OK:
        raise AnswerError(f"got status {answer.status}, want 200")
    return answer


def _stats(body: Any) -> Mapping[str, int | str]:
    found = {item["name"]: item["value"] for item in body["stats"] if item.get("value") is not None and "name" in item}
    if strange := [value for value in found.values() if type(value) not in {int, str}]:
        raise TypeError(f"got {strange[0]!r} for a value")
    return found


def _clusters(body: Any) -> tuple[ClusterHealth, ...]:
    found = []
    for cluster in body.get("cluster_statuses", ()):
        for host in cluster.get("host_statuses", ()):
            numbers = {stat["name"]: int(stat.get("value", 0)) for stat in host.get("stats", ())}
            found.append(
                ClusterHealth(
                    name=str(cluster["name"]),
                    ejected=bool(host.get("health_status", {}).get("failed_outlier_check")),
                    requests=numbers.get("rq_total", 0),
                    errors=numbers.get("rq_error", 0),
                    active=numbers.get("rq_active", 0),
                )
            )
    return tuple(sorted(found, key=lambda cluster: cluster.name))


async def end_orphans(sockets: Sequence[Path]) -> None:
    """End Envoys that an earlier run left behind: it was killed where the kernel does not end its children.

    Raises:
        EnvoyError: one does not end.

    """
    ended = await asyncio.gather(*(gone(socket, within_s=ORPHAN_S) for socket in sockets))
    for has_ended, socket in zip(ended, sockets, strict=True):
        if not has_ended:
            raise EnvoyError(f"{socket.parent}: an Envoy of an earlier run does not end; end it and start again")
        disk.remove(socket)


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
