"""When endpoints are probed, how many at a time, and what is handed on."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from fairlead.adapters.clock import SystemClock
from fairlead.adapters.probe import Finding
from fairlead.health.endpoint import Probe
from fairlead.runtime import prober as module
from fairlead.runtime.prober import Ask, Place, Prober
from fairlead.statuses import Failure

ALIVE = Finding(status=200, failure=None)
PLACE = Place(endpoint="p/a", identity="1", url="http://a/models", interval_ms=20, timeout_ms=1000)


class Asked:
    """Answers at once, and keeps the moments."""

    def __init__(self, finding: Finding | None = ALIVE) -> None:
        self.finding = finding
        self.moments: list[tuple[str, float]] = []

    async def __call__(self, place: Place) -> Finding | None:
        self.moments.append((place.url, time.monotonic()))
        return self.finding


def during(ask: Ask, scene: Callable[[Prober], Awaitable[None]], draw: Callable[[], float] = lambda: 0.5) -> None:
    async def run() -> None:
        prober = Prober(ask, SystemClock(), draw)
        probing = asyncio.create_task(prober.run())
        try:
            async with asyncio.timeout(20):
                await scene(prober)
        finally:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
        assert probing.cancelled(), "it ends by cancellation alone"

    asyncio.run(run())


async def probes(prober: Prober, count: int) -> list[Probe]:
    taken: list[Probe] = []
    while len(taken) < count:
        await prober.found.within(None)
        taken += prober.take()
    return taken


@pytest.mark.parametrize("drawn", [0.0, 0.5, 1.0])
def test_one_probe_for_each_interval_and_endpoint_with_jitter(drawn: float) -> None:
    asked = Asked()
    places = [PLACE, replace(PLACE, endpoint="p/b", url="http://b/models", interval_ms=100)]

    async def scene(prober: Prober) -> None:
        prober.expect(places)
        await probes(prober, 40)

    during(asked, scene, lambda: drawn)
    first = [moment for url, moment in asked.moments if url == PLACE.url]
    pause_s = (first[-1] - first[0]) / (len(first) - 1)
    assert pause_s >= 0.020 * (0.9 + 0.2 * drawn) - 0.002, "never more often"
    counts = Counter(url for url, _ in asked.moments)
    assert counts["http://b/models"] <= counts[PLACE.url] / 5 * 1.5 + 2


def test_what_came_is_handed_on_once_with_its_times() -> None:
    failed = Finding(status=0, failure=Failure.CONNECTION_FAILED, detail="connection refused")

    async def scene(prober: Prober) -> None:
        prober.expect([replace(PLACE, interval_ms=60_000, with_credential=True)])
        (probe,) = await probes(prober, 1)
        assert (probe.endpoint, probe.failure, probe.status, probe.detail, probe.with_credential) == (
            *("p/a", Failure.CONNECTION_FAILED, 0, "connection refused"),
            True,
        )
        now_ms = time.time() * 1000  # noqa: TID251  what the prober must have stamped
        assert now_ms - 5_000 < probe.began_ms <= probe.ended_ms <= now_ms + 1
        assert prober.take() == ()

    during(Asked(failed), scene)


def test_the_first_probe_does_not_wait_for_the_interval() -> None:
    async def scene(prober: Prober) -> None:
        began = time.monotonic()
        prober.expect([replace(PLACE, interval_ms=3_600_000)])
        await probes(prober, 1)
        assert time.monotonic() - began < 5

    during(Asked(), scene, lambda: 1.0)


@pytest.mark.parametrize(("endpoints", "together"), [(2, 2), (9, 3)])
def test_no_endpoint_is_asked_twice_at_a_time_and_few_together(
    monkeypatch: pytest.MonkeyPatch, endpoints: int, together: int
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 3)
    running: Counter[str] = Counter()
    most = [0, 0]
    asked = [0]

    async def slow(place: Place) -> Finding:
        running[place.url] += 1
        asked[0] += 1
        most[:] = [max(most[0], running[place.url]), max(most[1], running.total())]
        await asyncio.sleep(0.02 + 0.01 * int(place.url[-1]))
        running[place.url] -= 1
        return ALIVE

    async def scene(prober: Prober) -> None:
        names = [f"p/{number}" for number in range(endpoints)]
        prober.expect([replace(PLACE, endpoint=name, url=name, interval_ms=1) for name in names])
        taken = await probes(prober, 40)
        assert {probe.endpoint for probe in taken} == {*names}, "everybody gets a turn"

    during(slow, scene)
    assert most == [1, together]


def test_a_probe_of_another_address_or_of_nobody_says_nothing() -> None:
    released = asyncio.Event()

    async def ask(place: Place) -> Finding | None:
        if place.identity == "1":
            await released.wait()
            return Finding(status=0, failure=Failure.TIMED_OUT)
        return None if place.identity == "2" else ALIVE

    async def scene(prober: Prober) -> None:
        prober.expect([PLACE])
        await asyncio.sleep(0.05)
        prober.expect([replace(PLACE, identity="2")])
        released.set()
        await asyncio.sleep(0.05)
        assert prober.take() == ()
        prober.expect([replace(PLACE, identity="3")])
        assert (await probes(prober, 1))[0].failure is None

    during(ask, scene)


def test_who_is_no_longer_expected_is_no_longer_asked_and_a_turn_survives_an_edit() -> None:
    asked = Asked()

    async def scene(prober: Prober) -> None:
        slow = replace(PLACE, interval_ms=60_000)
        prober.expect([slow])
        await probes(prober, 1)
        for _ in range(5):
            prober.expect([slow])
            await asyncio.sleep(0.02)
        assert len(asked.moments) == 1, "the same place keeps its turn"
        prober.expect([PLACE])
        await probes(prober, 3)
        prober.expect([])
        await asyncio.sleep(0.05)
        count = len(asked.moments)
        await asyncio.sleep(0.1)
        assert len(asked.moments) == count

    during(asked, scene)


def test_a_bug_in_a_probe_ends_the_loop_loudly() -> None:
    async def broken(place: Place) -> Finding:
        raise ZeroDivisionError(place.url)

    async def run() -> None:
        prober = Prober(broken, SystemClock(), lambda: 0.0)
        prober.expect([PLACE])
        async with asyncio.timeout(5):
            await prober.run()

    with pytest.raises(ExceptionGroup):
        asyncio.run(run())
