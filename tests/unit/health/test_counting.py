"""From totals that only grow to what happened since."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from fairlead.health.counting import Counting
from fairlead.health.counting import count as count_all
from fairlead.health.endpoint import Traffic
from fairlead.health.standing import Reading

WELL, REFUSED = (200, "-"), (0, "UF")
ENDPOINTS = {"p/a/m": "p/a", "p/a/n": "p/a", "p/b/m": "p/b"}
ONE = Reading(
    gateway="eu-1",
    region="eu",
    totals={"p/a/m": {WELL: 5, REFUSED: 1}, "gone/x/m": {WELL: 1}},
    first_bytes={"p/a/m": {10: 2, 100: 1}},
    ejected=frozenset(),
    nameless=frozenset(),
)
TWO = replace(ONE, gateway="eu-2", totals={"p/a/m": {WELL: 7}}, first_bytes={})
BOTH = ("eu-1", "eu-2")


def count(
    before: Counting, readings: Sequence[Reading], endpoints: Mapping[str, str], *, gateways: Collection[str]
) -> tuple[Counting, tuple[Traffic, ...]]:
    """Count, and leave out those of which nothing is told."""
    counting, told = count_all(before, readings, endpoints, gateways=gateways)
    read = {(one.region, target) for one in readings for target in endpoints}
    assert [(one.region, one.target) for one in told] == sorted(read), "each is named: silence is told too"
    return counting, tuple(one for one in told if one.outcomes or one.first_byte_ms or one.ejected or one.nameless)


def test_what_a_gateway_counted_before_it_was_ever_read_counts_for_nothing() -> None:
    _, told = count(Counting(), [ONE, replace(TWO, ejected=frozenset({"p/b/m"}))], ENDPOINTS, gateways=BOTH)
    assert told == (Traffic(endpoint="p/b", target="p/b/m", region="eu", ejected=True),)


def test_gateways_of_a_region_are_summed_and_regions_stand_apart() -> None:
    other = replace(ONE, gateway="us-1", region="us")
    before, _ = count(Counting(), [ONE, TWO, other], ENDPOINTS, gateways=(*BOTH, "us-1"))
    later = [
        replace(ONE, totals={"p/a/m": {WELL: 6, REFUSED: 4}}, first_bytes={"p/a/m": {10: 2, 100: 2, 500: 1}}),
        replace(TWO, totals={"p/a/m": {WELL: 7, REFUSED: 1}}, first_bytes={"p/a/m": {100: 1}}),
        replace(other, totals={"p/a/m": {WELL: 8, REFUSED: 1}}, nameless=frozenset({"p/a/n"})),
    ]
    _, told = count(before, later, ENDPOINTS, gateways=(*BOTH, "us-1"))
    assert told == (
        Traffic(
            endpoint="p/a",
            target="p/a/m",
            region="eu",
            outcomes={WELL: 1, REFUSED: 4},
            first_byte_ms={100: 2, 500: 1},
        ),
        Traffic(endpoint="p/a", target="p/a/m", region="us", outcomes={WELL: 3}),
        Traffic(endpoint="p/a", target="p/a/n", region="us", nameless=True),
    )


def test_a_gateway_that_was_not_read_keeps_its_totals_and_one_that_is_gone_does_not() -> None:
    before, _ = count(Counting(), [ONE, TWO], ENDPOINTS, gateways=BOTH)
    before, told = count(before, [TWO], ENDPOINTS, gateways=BOTH)
    assert told == ()
    grown = replace(ONE, totals={"p/a/m": {WELL: 5, REFUSED: 3}})
    assert count(before, [grown], ENDPOINTS, gateways=BOTH)[1][0].outcomes == {REFUSED: 2}
    before, _ = count(before, [TWO], ENDPOINTS, gateways=("eu-2",))
    assert count(before, [grown], ENDPOINTS, gateways=BOTH)[1] == ()


def test_a_process_that_began_anew_counts_from_nothing() -> None:
    before, _ = count(Counting(), [ONE], ENDPOINTS, gateways=("eu-1",))
    anew = replace(ONE, totals={"p/a/m": {WELL: 2}}, first_bytes={"p/a/m": {10: 1}})
    _, (told,) = count(before, [anew], ENDPOINTS, gateways=("eu-1",))
    assert (told.outcomes, told.first_byte_ms) == ({WELL: 2}, {10: 1})


def test_a_target_that_nobody_had_asked_before_is_news() -> None:
    before, _ = count(Counting(), [TWO], ENDPOINTS, gateways=("eu-2",))
    now = replace(TWO, totals={**TWO.totals, "p/b/m": {REFUSED: 1}})
    _, (told,) = count(before, [now], ENDPOINTS, gateways=("eu-2",))
    assert (told.target, told.outcomes) == ("p/b/m", {REFUSED: 1})


def test_a_target_that_comes_back_brings_no_news_of_before_it_went() -> None:
    away = replace(ONE, totals={"gone/x/m": {WELL: 1}}, first_bytes={})
    before, _ = count(Counting(), [ONE], ENDPOINTS, gateways=BOTH)
    before, _ = count(before, [away], ENDPOINTS, gateways=BOTH)
    back = replace(ONE, totals={"p/a/m": {WELL: 5, REFUSED: 2}})
    assert [one.outcomes for one in count(before, [back], ENDPOINTS, gateways=BOTH)[1]] == [{REFUSED: 1}]


def test_what_another_process_of_the_same_name_shows_is_all_news() -> None:
    before, _ = count(Counting(), [ONE], ENDPOINTS, gateways=BOTH)
    anew = replace(ONE, totals={"gone/x/m": {}}, first_bytes={})
    before, _ = count(before, [anew], ENDPOINTS, gateways=BOTH)
    shown = replace(ONE, totals={"p/a/m": {WELL: 6, REFUSED: 1}}, first_bytes={})
    assert [one.outcomes for one in count(before, [shown], ENDPOINTS, gateways=BOTH)[1]] == [{WELL: 6, REFUSED: 1}]
