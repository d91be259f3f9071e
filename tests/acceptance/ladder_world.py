"""Providers in three regions, and a route with a model and breakers of its own for each test that breaks something."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from world import KEY, REGIONS, World, consumer, credential, endpoint, provider, route, secret, to

from fairlead.demo.provider import SimulatedProvider

US, WEST, CENTRAL = REGIONS
ASK = [{"role": "user", "content": "Where are you?"}]
FAULTS: Mapping[str, Mapping[str, Any]] = {
    "429": {"status": 429, "retry_after": 7},
    "500": {"status": 500},
    "503": {"status": 503},
    "401": {"status": 401},
    "403": {"status": 403},
    "404": {"status": 404},
    "reset": {"reset": True},
    "drop": {"drop": True},
    "hang": {"hang": True},
}
CASES = (
    "order", "geo", "region", "attempts", "last", "idle", "long", "total", "stops", "bad", "back", "open",
    "hung", "lengths",
    *(f"to-{name}" for name in FAULTS),
    *(f"end-{name}" for name in FAULTS),
)  # fmt: skip
"""Each test has a provider and a model of its own, thus breakers of its own, and a route of that name."""
ELSEWHERE = {"order", "geo", "region", "attempts", "hung", "open", "back"}
SITES = {"us": US, "eu": WEST, "de": CENTRAL, "any": None, "backup": US}


def credentials(name: str) -> dict[str, str]:
    return credential("keys", key=name)


@pytest.fixture(scope="module")
def world(make_world: Callable[..., World]) -> World:
    world = make_world(regions=3)
    for name, region in SITES.items():
        models = ("other", *CASES) if name != "backup" else ("spare", "spare-with-a-long-name")
        world.simulate(name, models=models, keys=(f"key-of-{name}",), region=region or "anywhere", base=f"/{name}/v1")
    for name in ("one", "two", "narrow", "mortal"):
        world.simulate(name, models=("other",), keys=(f"key-of-{name}",), region=US)
    sims = world.sims
    at = {
        name: endpoint(name, sim.base_url, SITES.get(name, US), credential=credentials(name))
        for name, sim in sims.items()
    }
    ladder = [at[name] for name in ("de", "any", "eu", "us")]
    spare = [to("backup/spare")]
    # For those that hang, so that tests do not; the others have the time that a busy machine takes.
    quick = {"firstByte": "1500ms", "response": "1500ms", "streamIdle": "1500ms", "request": "60s"}
    hang = {"hang": {"timeouts": quick}}
    world.write(
        "world",
        provider("global", ladder, ["other"]),
        # One for each case: ten failures of an endpoint within a minute move its traffic, also that of other cases.
        *(provider(name, ladder, [name]) for name in ("order", "geo", "region", "attempts", "hung")),
        *(provider(name, [at["us"]], [name]) for name in CASES if name not in ELSEWHERE),
        provider("brittle", [at["us"]], ["open", "back"], circuitBreaker={"consecutiveFailures": 3, "openFor": "5s"}),
        provider("backup", [at["backup"]], ["spare", "spare-with-a-long-name"]),
        provider("pair", [at["one"], at["two"]], ["other"]),
        provider("narrow", [at["narrow"]], ["other"], circuitBreaker={"maxInFlight": 2}),
        provider("mortal", [at["mortal"]], ["other"], circuitBreaker={"consecutiveFailures": 5, "openFor": "1s"}),
        secret("keys", **{name: f"key-of-{name}" for name in sims}),
        route("order", "order/order", fallbacks=spare),
        route("geo", "geo/geo", residency="Geo"),
        route("region", "region/region", residency="Region"),
        route("attempts", "attempts/attempts", maxAttempts=2),
        route("last", "last/last", fallbacks=spare),
        route("bad", "bad/bad", fallbacks=spare),
        route("idle", "idle/idle", timeouts=quick),
        route("lengths", "lengths/lengths", fallbacks=[*spare, to("backup/spare-with-a-long-name")]),
        route("hung", "hung/hung", fallbacks=spare, timeouts=quick),
        route("long", "long/long", timeouts=quick),
        route(
            "total", "total/total", timeouts={"firstByte": "2s", "response": "2s", "streamIdle": "2s", "request": "2s"}
        ),
        route("stops", "stops/stops", timeouts={**quick, "request": "2s"}),
        *(route(f"to-{name}", f"to-{name}/to-{name}", fallbacks=spare, **hang.get(name, {})) for name in FAULTS),
        *(route(f"end-{name}", f"end-{name}/end-{name}", **hang.get(name, {})) for name in FAULTS),
        route("open", "brittle/open", fallbacks=spare),
        route("back", "brittle/back"),
        route("spread", "pair/other"),
        route("narrow", "narrow/other", fallbacks=spare),
        route("narrow-alone", "narrow/other", maxAttempts=1),
        route("mortal", "mortal/other", fallbacks=[to("global/other")]),
        route("mortal-alone", "mortal/other"),
        *consumer("client", KEY),
    )
    return world.start()


def fail(sim: SimulatedProvider, case: str, fault: str = "500") -> None:
    sim.control.fault(model=case, **FAULTS[fault])


def said(answer: httpx.Response) -> tuple[str, str, str]:
    """Return target, region and attempts."""
    headers = answer.headers
    return headers["x-fairlead-target"], headers["x-fairlead-region"], headers["x-fairlead-attempts"]
