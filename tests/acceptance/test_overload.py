"""What is ejected, full, crowded or dead costs nobody an answer: breakers, bulkheads, spread, the death of a region."""

import asyncio
import time
from collections import Counter
from typing import Any

import httpx
import pytest
from ladder_world import ASK, fail, said, world
from running_up import PATIENCE_S, Load, until
from world import KEY, World, clean, endpoint, error_of, provider, raw, route

__all__ = ["clean", "world"]

pytestmark = pytest.mark.envoy


def test_a_failing_target_is_left_alone_and_comes_back(world: World) -> None:
    fail(world.sims["us"], "open")
    counts = []

    def ejected() -> bool:
        answer = world.chat("open")
        assert (answer.status_code, said(answer)[0]) == (200, "backup/backup/spare")
        counts.append(said(answer)[2])
        return counts[-1] == "1"

    until(ejected, "it is asked again and again")
    # It opens a moment after the third failure, while the next request may be on its way.
    assert 3 <= counts.count("2") <= 5, counts
    assert world.sims["us"].control.stats().requests == counts.count("2"), "an open breaker costs nothing"
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
