"""What answers when something fails: ladders by region, residency, fallbacks, timers, breakers, bulkheads."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
from running_up import PATIENCE_S, Load, until
from world import KEY, REGIONS, World, consumer, credential, endpoint, error_of, provider, raw, route, secret, to

from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy

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
"""Each test has a model of its own, thus breakers of its own, and a route of that name."""
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
        provider("global", ladder, ["other", *CASES]),
        provider("local", [at["us"]], ["other", *CASES]),
        provider("brittle", [at["us"]], ["open", "back"], circuitBreaker={"consecutiveFailures": 3, "openFor": "5s"}),
        provider("backup", [at["backup"]], ["spare", "spare-with-a-long-name"]),
        provider("pair", [at["one"], at["two"]], ["other"]),
        provider("narrow", [at["narrow"]], ["other"], circuitBreaker={"maxInFlight": 2}),
        provider("mortal", [at["mortal"]], ["other"], circuitBreaker={"consecutiveFailures": 5, "openFor": "1s"}),
        secret("keys", **{name: f"key-of-{name}" for name in sims}),
        route("order", "global/order", fallbacks=spare),
        route("geo", "global/geo", residency="Geo"),
        route("region", "global/region", residency="Region"),
        route("attempts", "global/attempts", maxAttempts=2),
        route("last", "local/last", fallbacks=spare),
        route("bad", "local/bad", fallbacks=spare),
        route("idle", "local/idle", timeouts=quick),
        route("lengths", "local/lengths", fallbacks=[*spare, to("backup/spare-with-a-long-name")]),
        route("hung", "global/hung", fallbacks=spare, timeouts=quick),
        route("long", "local/long", timeouts=quick),
        route(
            "total", "local/total", timeouts={"firstByte": "2s", "response": "2s", "streamIdle": "2s", "request": "2s"}
        ),
        route("stops", "local/stops", timeouts={**quick, "request": "2s"}),
        *(route(f"to-{name}", f"local/to-{name}", fallbacks=spare, **hang.get(name, {})) for name in FAULTS),
        *(route(f"end-{name}", f"local/end-{name}", **hang.get(name, {})) for name in FAULTS),
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


@pytest.fixture(autouse=True)
def clean(world: World) -> Iterator[None]:
    for sim in world.sims.values():
        sim.control.clear()
        sim.control.reset()
    yield
    for name, sim in world.sims.items():
        sim.control.revive()
        sim.control.clear()
        assert sim.control.stats().problems == {}, f"{name} had to refuse something"


def fail(sim: SimulatedProvider, case: str, fault: str = "500") -> None:
    sim.control.fault(model=case, **FAULTS[fault])


def said(answer: httpx.Response) -> tuple[str, str, str]:
    """Return target, region and attempts."""
    headers = answer.headers
    return headers["x-fairlead-target"], headers["x-fairlead-region"], headers["x-fairlead-attempts"]


@pytest.mark.parametrize(
    ("region", "order"),
    [(US, "us any eu de"), (WEST, "eu any de us"), (CENTRAL, "de any eu us")],
)
def test_own_region_then_anycast_then_geo_then_the_rest_then_fallbacks(world: World, region: str, order: str) -> None:
    names = order.split()
    for number, name in enumerate(names, 1):
        answer = world.chat("order", region=region)
        assert answer.status_code == 200
        assert said(answer) == (f"global/{name}/order", SITES[name] or "-", str(number))
        assert answer.json()["choices"][0]["message"]["content"].startswith(f"{SITES[name] or 'anywhere'}/order")
        fail(world.sims[name], "order")
    assert said(world.chat("order", region=region)) == ("backup/backup/spare", US, "5")


@pytest.mark.parametrize(
    ("route", "region", "order"),
    [
        ("geo", US, "us"),
        ("geo", WEST, "eu de"),
        ("geo", CENTRAL, "de eu"),
        ("region", WEST, "eu"),
        ("region", CENTRAL, "de"),
    ],
)
def test_residency_holds_even_when_everything_fails(world: World, route: str, region: str, order: str) -> None:
    for name in ("us", "eu", "de", "any"):
        fail(world.sims[name], route)
    answer = world.chat(route, region=region)
    names = order.split()
    # The last resort is the first rung again.
    assert (answer.status_code, said(answer)[0]) == (500, f"global/{names[0]}/{route}")
    asked = {name for name, sim in world.sims.items() if sim.control.stats().requests}
    assert asked == set(names)
    assert world.sims[names[0]].control.stats().requests == 2


def test_attempts_are_bounded(world: World) -> None:
    for name in ("us", "any", "eu", "de"):
        fail(world.sims[name], "attempts", "429")
    answer = world.chat("attempts")
    assert (answer.status_code, said(answer)[2]) == (429, "2")
    assert {name: sim.control.stats().requests for name, sim in world.sims.items() if sim.control.stats().requests} == {
        "us": 1,
        "any": 1,
    }


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stream", [False, True])
def test_the_next_rung_answers(world: World, fault: str, *, stream: bool) -> None:
    fail(world.sims["us"], f"to-{fault}", fault)
    answer = world.chat(f"to-{fault}", stream=stream)
    assert answer.status_code == 200
    assert said(answer) == ("backup/backup/spare", US, "2")
    assert f"{US}/spare" in answer.text
    # Each provider got its own credential, model and path, once; `clean` sees to what they thought of it.
    (record,) = world.sims["backup"].control.requests()
    assert (record.model, record.target) == ("spare", "/backup/v1/chat/completions")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("401", 502, "provider_refused"),
        ("403", 502, "provider_refused"),
        ("404", 502, "provider_refused"),
        ("reset", 503, "no_backend"),
        ("drop", 503, "no_backend"),
        ("hang", 504, "backend_timeout"),
    ],
)
def test_when_all_fail_it_is_the_gateways_error(
    world: World, fault: str, status: int, code: str, *, stream: bool
) -> None:
    fail(world.sims["us"], f"end-{fault}", fault)
    answer = world.chat(f"end-{fault}", stream=stream)
    assert answer.status_code == status
    assert error_of(answer)["code"] == code
    assert answer.headers["x-fairlead-route"] == f"fairlead/end-{fault}"
    assert said(answer) == (f"local/us/end-{fault}", US, "2")
    assert world.sims["us"].control.stats().requests == 2


@pytest.mark.parametrize("fault", ["429", "500", "503"])
def test_the_last_ones_own_error_passes_unchanged(world: World, fault: str) -> None:
    fail(world.sims["us"], f"end-{fault}", fault)
    answer = world.chat(f"end-{fault}")
    assert answer.status_code == int(fault)
    assert answer.json()["error"]["message"] == f"{US}: a fault that somebody asked for"
    assert answer.headers.get("retry-after") == ("7" if fault == "429" else None)
    assert said(answer) == (f"local/us/end-{fault}", US, "2")


def test_the_last_error_decides(world: World) -> None:
    world.sims["us"].control.fault(model="last", status=401, count=1)
    world.sims["backup"].control.fault(reset=True)
    fail(world.sims["us"], "last", "429")
    answer = world.chat("last")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert said(answer) == ("local/us/last", US, "3")


@pytest.mark.parametrize("stream", [False, True])
def test_each_attempt_has_the_length_of_its_own_body(world: World, *, stream: bool) -> None:
    """Model ids of other lengths on the way, and the first one again at the end."""
    fail(world.sims["us"], "lengths")
    world.sims["backup"].control.fault(status=500)
    answer = world.chat("lengths", stream=stream)
    assert (answer.status_code, said(answer)) == (500, ("local/us/lengths", US, "4"))
    assert [record.model for record in world.sims["backup"].control.requests()] == ["spare", "spare-with-a-long-name"]
    assert [record.model for record in world.sims["us"].control.requests()] == ["lengths", "lengths"]


def test_a_clients_mistake_is_tried_once(world: World) -> None:
    answer = world.chat("bad", temperature="hot")
    assert (answer.status_code, said(answer)[2]) == (400, "1")
    assert world.sims["backup"].control.stats().requests == 0
    world.sims["us"].control.reset()


# Timers ------------------------------------------------------------------------------------------------------------


def test_a_stream_may_last_longer_than_its_first_byte_timer(world: World) -> None:
    world.sims["us"].control.fault(model="long", chunk_gap_ms=250)
    began = time.monotonic()
    answer = world.chat("long", stream=True)
    assert answer.text.rstrip().endswith("data: [DONE]")
    assert time.monotonic() - began > 1.5
    assert said(answer)[2] == "1"


def test_a_stream_that_falls_silent_is_cut(world: World) -> None:
    world.sims["us"].control.fault(model="idle", stall_after_chunks=2)
    began = time.monotonic()
    with pytest.raises(httpx.RemoteProtocolError):
        world.chat("idle", stream=True)
    assert time.monotonic() - began > 1.5
    until(lambda: world.sims["us"].control.stats().disconnects == 1)


def test_a_ladder_of_hung_rungs_is_tried_to_its_end(world: World) -> None:
    for name in ("us", "any", "eu", "de"):
        fail(world.sims[name], "hung", "hang")
    answer = world.chat("hung", stream=True)
    assert (answer.status_code, said(answer)) == (200, ("backup/backup/spare", US, "5"))


def test_the_whole_request_has_a_limit(world: World) -> None:
    fail(world.sims["us"], "total", "hang")
    began = time.monotonic()
    answer = world.chat("total")
    assert (answer.status_code, error_of(answer)["code"]) == (504, "backend_timeout")
    assert time.monotonic() - began > 1.9
    world.sims["us"].control.fault(model="stops", chunk_gap_ms=1000)
    began = time.monotonic()
    with pytest.raises(httpx.RemoteProtocolError):
        world.chat("stops", stream=True)
    assert time.monotonic() - began > 1.9


# Breakers, bulkheads, spread ---------------------------------------------------------------------------------------


def test_a_failing_target_is_left_alone_and_comes_back(world: World) -> None:
    fail(world.sims["us"], "open")
    counts = []

    def ejected() -> bool:
        answer = world.chat("open")
        assert (answer.status_code, said(answer)[0]) == (200, "backup/backup/spare")
        counts.append(said(answer)[2])
        return counts[-1] == "1"

    until(ejected, "it is asked again and again")
    assert counts.count("2") == 3, counts
    assert world.sims["us"].control.stats().requests == 3, "an open breaker costs nothing"
    world.sims["us"].control.clear()
    until(lambda: said(world.chat("open"))[0] == "brittle/us/open", "it never comes back")


def test_when_everything_is_open_service_is_back_with_the_provider(world: World) -> None:
    fail(world.sims["us"], "back", "503")
    for _ in range(6):
        answer = world.chat("back")
        assert answer.status_code == 503
        assert answer.json()["error"]["message"].endswith("somebody asked for"), "the provider's own words"
    world.sims["us"].control.clear()
    assert world.chat("back").status_code == 200, "the last resort is not ejected"


def test_two_endpoints_of_a_region_share_its_load(world: World) -> None:
    targets = Counter(said(world.chat("spread"))[0] for _ in range(40))
    assert targets.keys() == {"pair/one/other", "pair/two/other"}
    assert min(targets.values()) >= 8, targets  # less than 1 in 10,000 by chance
    fail(world.sims["one"], "other")
    assert {said(world.chat("spread"))[0] for _ in range(10)} == {"pair/two/other"}


def all_at_once(world: World, name: str, count: int, **fields: Any) -> list[httpx.Response]:
    async def ask() -> list[httpx.Response]:
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(base_url=world.url(), headers=headers, timeout=PATIENCE_S) as client:
            body = {"model": name, "messages": ASK, **fields}
            return await asyncio.gather(*(client.post("/v1/chat/completions", json=body) for _ in range(count)))

    return asyncio.run(ask())


def test_a_full_target_overflows_to_the_next(world: World) -> None:
    world.sims["narrow"].control.fault(slow_first_byte_ms=4000)
    answers = all_at_once(world, "narrow", 12)
    assert [answer.status_code for answer in answers] == [200] * 12
    targets = Counter(said(answer)[0] for answer in answers)
    assert targets == {"narrow/narrow/other": 2, "backup/backup/spare": 10}
    assert {said(answer)[2] for answer in answers if answer.headers["x-fairlead-target"].startswith("backup")} == {"2"}
    alone = all_at_once(world, "narrow-alone", 5)
    assert Counter(answer.status_code for answer in alone) == {200: 2, 503: 3}
    assert {error_of(answer)["code"] for answer in alone if answer.status_code == 503} == {"no_backend"}


def test_a_bulkhead_carries_streams_large_bodies_and_errors(world: World) -> None:
    world.sims["narrow"].control.fault(chunk_gap_ms=300, count=1)
    with (
        world.http() as client,
        client.stream(
            "POST", "/v1/chat/completions", json={"model": "narrow", "messages": ASK, "stream": True}
        ) as answer,
    ):
        arrived = [time.monotonic() for line in answer.iter_lines() if line]
    assert arrived[-1] - arrived[0] > 0.5, "chunk by chunk"
    text = "a" * 5_000_000
    answer = world.chat("narrow", messages=[{"role": "user", "content": text}])
    assert said(answer)[0] == "narrow/narrow/other"
    assert len(world.sims["narrow"].control.requests()[-1].body) > len(text)
    world.sims["narrow"].control.fault(status=429, retry_after=3)
    answer = world.chat("narrow-alone")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert answer.json()["error"]["message"].endswith("somebody asked for")


# Death -------------------------------------------------------------------------------------------------------------


def test_nobody_there(world: World) -> None:
    world.sims["mortal"].control.die()
    answer = world.chat("mortal-alone")
    assert (answer.status_code, error_of(answer)["code"]) == (503, "no_backend")
    assert answer.headers["x-fairlead-route"] == "fairlead/mortal-alone"
    world.sims["mortal"].control.revive()
    until(lambda: world.chat("mortal-alone").status_code == 200)


@pytest.mark.slow
def test_a_region_dies_under_load_and_nobody_notices(world: World) -> None:
    mortal = world.sims["mortal"]
    with Load(world.site.ports, per_second=50, model="mortal", key=KEY) as load:
        until(lambda: load.outcomes["200"] > 50)
        mortal.control.die()
        dead = load.sent
        until(lambda: load.sent > dead + 150)
        mortal.control.reset()
        mortal.control.revive()
        until(lambda: mortal.control.stats().requests > 20, "it gets no traffic back")
    assert load.failed == {}
    assert load.outcomes["200"] == load.sent


def test_a_provider_that_speaks_no_http(world: World) -> None:
    """A port that answers with something else: 502 in our words, not Envoy's."""
    import socketserver
    import threading

    class Babble(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Babble) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        world.write("babble", provider("babble", [endpoint("a", url)], ["x"]), route("babble", "babble/x"))
        world.up.wait_for("accepted", "ModelRoute fairlead/babble: added")
        answer = world.chat("babble")
        server.shutdown()
    assert answer.status_code in {502, 503}
    assert error_of(answer)["type"] == "server_error"
    assert raw(world.port(), "FOO\n\n")[0] == 400
