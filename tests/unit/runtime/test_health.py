"""What the loop of health hands to the machine, and what it says of the result."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

import builders
from fairlead.adapters.probe import Finding
from fairlead.compiler import DeclaredEndpoint
from fairlead.health import memory
from fairlead.health.endpoint import State, Traffic
from fairlead.health.region import DrainKind, DrainOrder
from fairlead.runtime.health import Direct, HealthWatch, Through, Way, places
from fairlead.runtime.prober import Place, Prober
from fairlead.statuses import Failure
from fast_clock import FastClock

ALIVE = Finding(status=200, failure=None)


def declared(*endpoints: dict[str, object], check: dict[str, object] | None = None) -> Sequence[DeclaredEndpoint]:
    endpoints = endpoints or (builders.endpoint("us", builders.US),)
    return builders.compiled(
        builders.provider("p", endpoints=[*endpoints], **({"healthCheck": check} if check else {})),
        builders.provider("idle"),
        builders.route("chat"),
    ).endpoints


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://us.example.com/v1", "https://us.example.com:443/v1/models"),
        ("https://us.example.com:8443/openai/v1/", "https://us.example.com:8443/openai/v1/models"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/models"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1/models"),
    ],
)
def test_an_endpoint_is_asked_at_its_address(base_url: str, url: str) -> None:
    (place,) = places(declared({"name": "us", "region": builders.US, "baseURL": base_url}))
    assert (place.endpoint, place.url, place.interval_ms, place.timeout_ms) == ("p/us", url, 10_000, 2_000)


def test_nobody_is_asked_who_is_in_no_use_or_wants_no_probes() -> None:
    assert [one.name for one in declared()] == ["idle/us", "p/us"]
    assert [place.endpoint for place in places(declared())] == ["p/us"]
    assert places(declared(check={"type": "None"})) == ()


def test_another_address_path_or_credential_is_another_place() -> None:
    us = builders.endpoint("us", builders.US)
    key = {"credential": {"secretName": "keys", "key": "us"}}
    written = [
        declared(us),
        declared({**us, "baseURL": "https://other.example.com/v1"}),
        declared(us, check={"path": "/health"}),
        declared(us | key),
        declared(us | key, check={"credential": "Send"}),
    ]
    assert len({places(one)[0].identity for one in written}) == len(written)


def watch(remembered: object = None, finding: Finding = ALIVE) -> tuple[HealthWatch, Prober]:
    class Probes:
        async def ask(self, url: str, *, timeout_s: float) -> Finding:
            assert url == "https://us.example.com:443/v1/models"
            assert timeout_s == 2
            return finding

    clock = FastClock()
    prober = Prober(Direct(Probes()), clock, lambda: 0.0)
    return HealthWatch(clock, prober, memory.fleet(remembered)), prober


def test_what_probes_find_is_judged_at_once_and_worth_keeping_when_it_changes() -> None:
    async def run() -> None:
        looking, prober = watch()
        now = declared()
        first = looking.judge(now, traffic=(), drains=())
        assert looking.fleet.endpoints["p/us"].state is State.UNKNOWN
        assert not first.moved
        probing = asyncio.create_task(prober.run())
        async with asyncio.timeout(10):
            await looking.within(3600)
        judged = looking.judge(now, traffic=(), drains=())
        assert looking.fleet.endpoints["p/us"].state is State.HEALTHY
        (change,) = judged.transitions
        assert (change.subject, change.before, change.after) == ("p/us", State.UNKNOWN, State.HEALTHY)
        assert (judged.noted, judged.moved) == (True, False)
        assert not looking.judge(now, traffic=(), drains=()).noted, "nothing new, nothing to write"
        again, _ = watch(looking.document(()))
        assert again.fleet.endpoints["p/us"].state is State.HEALTHY, "a restart goes on"
        probing.cancel()
        await asyncio.gather(probing, return_exceptions=True)

    asyncio.run(run())


def test_what_traffic_told_is_evidence() -> None:
    async def run() -> None:
        looking, _ = watch()
        seen = Traffic(endpoint="p/us", target="p/us/small", region=builders.US, outcomes={(200, "-"): 1})
        assert looking.judge(declared(check={"type": "None"}), traffic=[seen], drains=()).transitions
        assert looking.fleet.endpoints["p/us"].state is State.HEALTHY

    asyncio.run(run())


def test_a_drained_region_is_left_by_clients_for_as_long_as_its_order_holds() -> None:
    async def run() -> None:
        looking, _ = watch()
        now_ms = int(FastClock().now().timestamp() * 1000)
        region = DrainOrder(
            kind=DrainKind.REGION, name=builders.US, began_ms=now_ms - 1000, until_ms=now_ms + 3_600_000
        )
        other = replace(region, kind=DrainKind.ENDPOINT, name="p/us")
        past = replace(region, name="gone", until_ms=now_ms - 500)
        assert looking.judge(declared(), traffic=(), drains=[region, past]).moved
        assert looking.drained == {builders.US}
        assert looking.judge(declared(), traffic=(), drains=[other]).moved, "back again"
        assert looking.drained == frozenset()

    asyncio.run(run())


def test_a_memory_that_is_none_begins_anew() -> None:
    assert watch({"version": 1, "fleet": 5})[0].fleet.endpoints == {}


def test_a_place_is_asked_within_its_time() -> None:
    class Probes:
        async def ask(self, url: str, *, timeout_s: float) -> Finding:
            return Finding(status=int(timeout_s * 1000), failure=None, detail=url)

    place = Place(endpoint="p/a", identity="", url="http://a/", interval_ms=1000, timeout_ms=250)
    assert asyncio.run(Direct(Probes())(place)) == Finding(status=250, failure=None, detail="http://a/")


class Gateways:
    """Gateways that are told to ask: by port what comes of it."""

    def __init__(self, **said: Finding | None) -> None:
        self.said, self.asked = said, list[tuple[str, str, str, float]]()

    async def probe(self, address: str, port: int, *, mark: str, endpoint: str, timeout_s: float) -> Finding | None:
        self.asked.append((f"{address}:{port}", mark, endpoint, timeout_s))
        return self.said[f"p{port}"]


REJECTED = Finding(status=401, failure=Failure.CREDENTIAL_REJECTED)
KEYED = Place(endpoint="p/a", identity="", url="http://a/", interval_ms=1000, timeout_ms=250, with_credential=True)


@pytest.mark.parametrize(
    ("said", "found", "asked"),
    [
        ({"p1": REJECTED, "p2": ALIVE}, REJECTED, 1),
        ({"p1": None, "p2": ALIVE}, ALIVE, 2),
        ({"p1": None, "p2": None, "p3": None, "p4": ALIVE}, None, 3),
        ({}, None, 0),
    ],
)
def test_gateways_ask_with_the_credential_one_after_the_other(
    said: dict[str, Finding | None], found: Finding | None, asked: int
) -> None:
    class Probes:
        async def ask(self, url: str, *, timeout_s: float) -> Finding:
            raise AssertionError(f"{url} within {timeout_s}: this process has no credential")

    gateways = Gateways(**said)
    ways = [Way(address="127.0.0.1", port=int(name[1:]), mark="m") for name in said]
    ask = Through(Direct(Probes()), gateways, lambda endpoint: ways if endpoint == "p/a" else [])  # type: ignore[arg-type]
    assert asyncio.run(ask(KEYED)) == found
    assert gateways.asked == [(f"127.0.0.1:{number}", "m", "p/a", 0.25) for number in range(1, asked + 1)]
    assert asyncio.run(Direct(Probes())(KEYED)) is None
