"""Keeps the health of endpoints and regions: what was told goes in, shares of traffic come out.

The whole of it for the operator and for `fairlead up`, which read gateways, write files and tell people.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.adapters.clock import Clock
from fairlead.adapters.gateway_answer import GatewayAnswers
from fairlead.adapters.probe import Finding, Probing
from fairlead.compiler import DeclaredEndpoint
from fairlead.health import fleet as machine
from fairlead.health import memory
from fairlead.health.capacity import Carried
from fairlead.health.endpoint import Traffic
from fairlead.health.fleet import Fleet, Transition
from fairlead.health.region import DrainKind, DrainOrder
from fairlead.health.standing import Kept
from fairlead.runtime.prober import Ask, Place, Prober

_MOST_WAYS = 3
"""Gateways that are told to ask before nobody could be."""
TOGETHER_S = 0.1
"""Pause between a probe's end and the judgement, in which others may end: hundreds are judged at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a look changed."""

    transitions: tuple[Transition, ...]
    moved: bool
    """Whether traffic is to go elsewhere, or clients: `shares` or `drained` is another."""
    noted: bool
    """Whether the memory is worth keeping anew: not for each probe, but for each change of a state, reason or share, of
    a region, or of trust in probes."""


class HealthWatch:
    """The fleet's health. One task calls `judge`."""

    def __init__(
        self, clock: Clock, prober: Prober, remembered: Fleet | None = None, *, drains: Sequence[DrainOrder] = ()
    ) -> None:
        """`drains` are those that stand when the process begins."""
        self._clock, self._prober = clock, prober
        self.fleet = remembered or Fleet()
        self._carried = Carried()
        self.drained = drained_regions(drains, self._now_ms())
        """Regions that are drained now: `Observed.drained`."""

    @property
    def shares(self) -> Mapping[str, int]:
        """`Observed.health`: the percentage of each endpoint that has less than the whole."""
        return machine.shares(self.fleet)

    @property
    def carried(self) -> Mapping[str, int]:
        """What each endpoint carried in the last five minutes, requests a minute; of those that carried some."""
        return self._carried.per_minute(self._now_ms())

    def document(self, told: Sequence[Kept]) -> Mapping[str, Any]:
        """Return what is to be kept over a restart, of JSON's types only, no secrets. `told`: `TrafficView.kept`."""
        return memory.document(self.fleet, told)

    def judge(
        self, declared: Sequence[DeclaredEndpoint], *, traffic: Sequence[Traffic], drains: Sequence[DrainOrder]
    ) -> Judgement:
        """Judge all endpoints that are declared now by what was told since the last call.

        Probes go to those that are in use from now on. `traffic` is what gateways counted since: each count is told
        once. `drains` are all orders.
        """
        self._prober.expect(places(declared))
        now_ms = self._now_ms()
        before, drained = self.fleet, self.drained
        self._carried = self._carried.added(traffic, now_ms)
        self.fleet = machine.judge(
            [one.health for one in declared],
            before,
            probes=self._prober.take(),
            traffic=traffic,
            drains=drains,
            now_ms=now_ms,
        )
        self.drained = drained_regions(drains, now_ms)
        transitions = machine.transitions(before, self.fleet)
        moved = machine.shares(before) != self.shares or drained != self.drained
        trust = (before.probes_unreliable_since_ms is None) != (self.fleet.probes_unreliable_since_ms is None)
        return Judgement(transitions=transitions, moved=moved, noted=bool(transitions) or moved or trust)

    async def within(self, seconds: float) -> None:
        """Wait until there is something new to judge, so many seconds at most; probes that end together are one."""
        if await self._prober.found.within(seconds):
            await asyncio.sleep(TOGETHER_S)

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


def drained_regions(drains: Iterable[DrainOrder], now_ms: int) -> frozenset[str]:
    """Name the regions that clients are to leave now."""
    return frozenset(one.name for one in drains if one.kind is DrainKind.REGION and one.concerns("", one.name, now_ms))


def places(declared: Iterable[DeclaredEndpoint]) -> tuple[Place, ...]:
    """Tell where endpoints in use are asked: none that no route uses, or that is not to be probed."""
    return tuple(
        Place(
            endpoint=one.name,
            identity=f"{one.health.identity} {url} {one.sends_credential}",
            url=url,
            interval_ms=one.health.interval_ms,
            timeout_ms=one.health.timeout_ms,
            with_credential=one.sends_credential,
        )
        for one in declared
        if one.health.probed and one.health.used
        for url in (_url(one),)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A gateway that asks endpoints with their credentials."""

    address: str
    port: int
    mark: str
    """The key by which it knows who may tell it to."""


class Direct:
    """`prober.Ask` from this process, which has no credential: it asks nobody who is to be shown one."""

    def __init__(self, probes: Probing) -> None:
        self._probes = probes

    async def __call__(self, place: Place, /) -> Finding | None:
        """Return what came."""
        if place.with_credential:
            return None
        return await self._probes.ask(place.url, timeout_s=place.timeout_ms / 1000)


class Through:
    """`prober.Ask` that lets a gateway ask where the credential is to go along, and asks the others itself."""

    def __init__(self, direct: Ask, answers: GatewayAnswers, ways: Callable[[str], Sequence[Way]]) -> None:
        """`ways` lists the gateways that can ask an endpoint: each is tried until one does, within the probe's time."""
        self._direct, self._answers, self._ways = direct, answers, ways

    async def __call__(self, place: Place, /) -> Finding | None:
        """Return what came; None where no gateway asked."""
        if not place.with_credential:
            return await self._direct(place)
        ways = self._ways(place.endpoint)[:_MOST_WAYS]
        for way in ways:
            finding = await self._answers.probe(
                way.address,
                way.port,
                mark=way.mark,
                endpoint=place.endpoint,
                timeout_s=place.timeout_ms / 1000,
            )
            if finding is not None:
                return finding
        return None


def _url(declared: DeclaredEndpoint) -> str:
    upstream = declared.upstream
    host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
    return f"{'https' if upstream.tls else 'http'}://{host}:{upstream.port}{declared.path}"
