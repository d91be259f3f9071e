"""What gateways refuse for lack of room is known by counts that grow, for a minute after the last."""

from fairlead.health.counting import REFUSAL_LASTS_MS, Refused, refused
from fairlead.health.standing import Reading


def reading(count: int, gateway: str = "g", region: str = "us") -> Reading:
    return Reading(gateway=gateway, region=region, totals={}, ejected=frozenset(), nameless=frozenset(), refused=count)


def looked(*totals: int | None, step_ms: int = 2000) -> Refused:
    """Read one gateway again and again; None: it could not be read."""
    now = Refused()
    for number, total in enumerate(totals):
        readings = [] if total is None else [reading(total)]
        now = refused(now, readings, ["g"], 1_000_000 + number * step_ms)
    return now


def test_the_first_reading_says_nothing() -> None:
    assert looked(7).since_ms == {}
    assert looked(7, 7, 7).since_ms == {}


def test_a_count_that_grows_is_an_overload_since_then() -> None:
    assert looked(0, 0, 1).since_ms == {"us": 1_004_000}
    assert looked(0, 1, 2, 3).since_ms == {"us": 1_002_000}
    assert looked(0, 1, None, None).since_ms == {"us": 1_002_000}


def test_it_is_over_after_a_minute_without() -> None:
    steps = REFUSAL_LASTS_MS // 2000
    assert looked(0, *[1] * steps).since_ms == {"us": 1_002_000}
    assert looked(0, *[1] * (steps + 1)).since_ms == {}


def test_a_process_that_started_anew_counts_from_nothing() -> None:
    assert looked(9, 0).since_ms == {}
    assert looked(9, 2).since_ms == {"us": 1_002_000}


def test_a_gateway_that_is_gone_is_forgotten() -> None:
    assert refused(looked(3), [], [], 1_002_000).totals == {}


def test_regions_are_told_apart() -> None:
    both = [reading(0), reading(0, "h", "eu")]
    now = refused(refused(Refused(), both, ["g", "h"], 0), [reading(0), reading(4, "h", "eu")], ["g", "h"], 5)
    assert now.since_ms == {"eu": 5}
