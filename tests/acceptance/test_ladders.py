"""What answers when something fails: ladders by region, residency, fallbacks, timers."""

import time

import httpx
import pytest
from ladder_world import CENTRAL, FAULTS, SITES, US, WEST, fail, said, world
from running_up import until
from world import World, clean, error_of

__all__ = ["clean", "world"]

pytestmark = pytest.mark.envoy


@pytest.mark.parametrize(
    ("region", "order"),
    [(US, "us any eu de"), (WEST, "eu any de us"), (CENTRAL, "de any eu us")],
)
def test_own_region_then_anycast_then_geo_then_the_rest_then_fallbacks(world: World, region: str, order: str) -> None:
    names = order.split()
    for number, name in enumerate(names, 1):
        answer = world.chat("order", region=region)
        assert answer.status_code == 200
        assert said(answer) == (f"order/{name}/order", SITES[name] or "-", str(number))
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
    assert (answer.status_code, said(answer)[0]) == (500, f"{route}/{names[0]}/{route}")
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
    assert said(answer) == (f"end-{fault}/us/end-{fault}", US, "2")
    assert world.sims["us"].control.stats().requests == 2


@pytest.mark.parametrize("fault", ["429", "500", "503"])
def test_the_last_ones_own_error_passes_unchanged(world: World, fault: str) -> None:
    fail(world.sims["us"], f"end-{fault}", fault)
    answer = world.chat(f"end-{fault}")
    assert answer.status_code == int(fault)
    assert answer.json()["error"]["message"] == f"{US}: a fault that somebody asked for"
    assert answer.headers.get("retry-after") == ("7" if fault == "429" else None)
    assert said(answer) == (f"end-{fault}/us/end-{fault}", US, "2")


def test_the_last_error_decides(world: World) -> None:
    world.sims["us"].control.fault(model="last", status=401, count=1)
    world.sims["backup"].control.fault(reset=True)
    fail(world.sims["us"], "last", "429")
    answer = world.chat("last")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert said(answer) == ("last/us/last", US, "3")


@pytest.mark.parametrize("stream", [False, True])
def test_each_attempt_has_the_length_of_its_own_body(world: World, *, stream: bool) -> None:
    """Model ids of other lengths on the way, and the first one again at the end."""
    fail(world.sims["us"], "lengths")
    world.sims["backup"].control.fault(status=500)
    answer = world.chat("lengths", stream=stream)
    assert (answer.status_code, said(answer)) == (500, ("lengths/us/lengths", US, "4"))
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
