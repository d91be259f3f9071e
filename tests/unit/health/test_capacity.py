"""What is said before a drain: can the others carry it?"""

import pytest

from fairlead.health.capacity import Carried, Carrier, Verdict, unasked, unwell, verdict
from fairlead.health.endpoint import Traffic

LADDERS = (("p/us", "p/eu", "q/eu"), ("p/eu", "p/us"), ("r/only",))


def carriers(**capacity: int | None) -> list[Carrier]:
    said = {"us": 100, "eu": 100, "q": 100, "only": 100, "other": 9999} | capacity
    names = {"p/us": "us", "p/eu": "eu", "q/eu": "q", "r/only": "only", "s/other": "other"}
    return [Carrier(name=name, carried=60, capacity=said[key]) for name, key in names.items()]


def test_what_is_left_of_those_in_the_same_ladders_is_summed() -> None:
    assert verdict({"p/us"}, carriers(), LADDERS) == Verdict(), "40 and 40 carry 60"
    said = verdict({"p/us"}, carriers(q=60), LADDERS)
    assert said.refusal == "60 requests a minute are to move, and p/eu, q/eu have room for 40 by their `capacity`"
    assert verdict({"p/us"}, carriers(q=30), LADDERS).refusal.endswith("room for 40 by their `capacity`"), "no debt"


def test_who_takes_no_traffic_is_no_survivor() -> None:
    down = [*carriers()[:1], Carrier(name="p/eu", carried=0, capacity=900, takes=False), *carriers()[2:]]
    assert "q/eu have room for 40" in verdict({"p/us"}, down, LADDERS[:1]).refusal


def test_who_stands_in_another_ladder_only_helps_nobody() -> None:
    solo, chat = ("p/us", "p/eu", "q/eu"), ("p/us", "s/other")
    few = [*carriers(eu=61, q=61)[:4], Carrier(name="s/other", carried=0, capacity=None)]
    said = verdict({"p/us"}, few, (chat, solo)).refusal
    assert said == "60 requests a minute are to move, and p/eu, q/eu have room for 2 by their `capacity`"
    rich = [*few[:4], Carrier(name="s/other", carried=0, capacity=9999)]
    assert verdict({"p/us"}, rich, (chat, solo)).refusal == said
    assert verdict({"p/us"}, rich, (chat,)) == Verdict()


def test_a_ladder_that_it_does_not_lead_moves_nothing() -> None:
    later = ("p/eu", "p/us")
    assert verdict({"p/us"}, carriers(eu=60), (LADDERS[0], later)).refusal.startswith(
        "60 requests a minute are to move"
    )
    assert verdict({"p/us"}, carriers(eu=60, q=120), (LADDERS[0], later)) == Verdict()
    assert verdict({"p/us"}, carriers(eu=60), (later,)).refusal, "it carries something, so somebody comes there"


def test_the_worst_ladder_is_named() -> None:
    two = (("p/us", "p/eu"), ("p/us", "q/eu"))
    assert "q/eu have room for 1 " in verdict({"p/us"}, carriers(eu=90, q=61), two).refusal
    assert "nowhere else to go" in verdict({"p/us"}, carriers(eu=90), (("p/us",), *two)).refusal


def test_who_would_stand_in_and_is_not_well_is_named() -> None:
    states = {"p/eu": "Down", "q/eu": "Unknown", "r/only": "Suspect", "p/us": "Recovering"}
    found = [Carrier(name=name, carried=0, capacity=None, state=state) for name, state in states.items()]
    assert unwell({"p/us"}, found, LADDERS) == "p/eu is Down", "r/only stands elsewhere"
    assert unasked({"p/us"}, found, LADDERS) == "q/eu"
    assert unwell({"p/us"}, carriers(), LADDERS) == unasked({"p/us"}, carriers(), LADDERS) == ""


def test_what_nobody_knows_is_said_and_not_refused() -> None:
    said = verdict({"p/us"}, carriers(q=None), LADDERS)
    assert said == Verdict(remarks=("60 requests a minute are to move; what they can carry is unknown of q/eu",))
    assert verdict({"p/us"}, carriers(eu=200, q=None), LADDERS) == Verdict(), "what is known is enough"


def test_nowhere_to_go() -> None:
    said = verdict({"r/only"}, carriers(), LADDERS)
    assert said.refusal == "60 requests a minute have nowhere else to go"
    assert said.remarks == ("1 ladders have nobody else: their requests stay where they are",)
    idle = [Carrier(name="r/only", carried=0, capacity=None)]
    assert verdict({"r/only"}, idle, LADDERS).refusal == "", "nobody is there to be moved"


MINUTE_MS = 60_000


def seen(endpoint: str, count: int) -> Traffic:
    return Traffic(endpoint=endpoint, target=f"{endpoint}/m", region="r", outcomes={(200, "-"): count})


@pytest.mark.parametrize(("minutes", "rate"), [(1, 60), (3, 60), (5, 60), (60, 60)])
def test_a_steady_rate_is_found_whatever_was_watched(minutes: int, rate: int) -> None:
    carried, now_ms = Carried().added((), 0), 0
    for now_ms in range(1000, minutes * MINUTE_MS + 1, 1000):
        carried = carried.added([seen("p/us", 1)], now_ms)
    assert abs(carried.per_minute(now_ms)["p/us"] - rate) <= 2
    assert len(carried.minutes) <= 5


def test_what_is_older_than_five_minutes_counts_for_nothing() -> None:
    carried = Carried().added([seen("p/us", 600)], 0).added([seen("p/eu", 10)], 5 * MINUTE_MS)
    assert carried.per_minute(5 * MINUTE_MS) == {"p/eu": 3}


def test_a_burst_after_the_start_is_not_multiplied() -> None:
    carried = Carried().added((), 0).added([seen("p/us", 30)], 2000)
    assert carried.per_minute(2000) == {"p/us": 30}
