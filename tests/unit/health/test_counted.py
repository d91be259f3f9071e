"""What gateways counted adds up over those that run; a classifier that is not asked is known by a count that grows."""

from fairlead.health.counted import OPEN_LASTS_MS, Counted, RouteCounts, counted

CHAT = "team/chat"


def shown(opened: int, **reasons: int) -> RouteCounts:
    return RouteCounts(
        classified={(CHAT, "open"): opened, **{(CHAT, reason): count for reason, count in reasons.items()}}
    )


def looked(*opened: int | None, step_ms: int = 2000) -> Counted:
    """Look at one gateway again and again; None: it could not be read."""
    now = Counted()
    for number, count in enumerate(opened):
        now = counted(now, {} if count is None else {"g": shown(count)}, ["g"], 1_000_000 + number * step_ms)
    return now


def test_the_first_look_says_nothing() -> None:
    assert looked(7).open_since_ms == looked(7, 7, 7).open_since_ms == {}


def test_a_count_that_grows_is_a_classifier_that_is_not_asked_since_then() -> None:
    assert looked(0, 0, 1).open_since_ms == {CHAT: 1_004_000}
    assert looked(0, 1, 2, None, 3).open_since_ms == {CHAT: 1_002_000}


def test_a_series_that_is_new_has_grown() -> None:
    before = counted(Counted(), {"g": RouteCounts()}, ["g"], 0)
    assert counted(before, {"g": shown(1)}, ["g"], 5).open_since_ms == {CHAT: 5}


def test_it_is_over_when_nobody_was_turned_away_for_a_while() -> None:
    steps = OPEN_LASTS_MS // 2000
    assert looked(0, *[1] * steps).open_since_ms == {CHAT: 1_002_000}
    assert looked(0, *[1] * (steps + 1)).open_since_ms == {}


def test_a_process_that_started_anew_counts_from_nothing() -> None:
    assert looked(9, 0).open_since_ms == {}
    assert looked(9, 2).open_since_ms == {CHAT: 1_002_000}


def test_other_reasons_say_nothing() -> None:
    before = counted(Counted(), {"g": shown(3, timeout=1)}, ["g"], 0)
    assert counted(before, {"g": shown(3, timeout=9, asked=4)}, ["g"], 5).open_since_ms == {}


def test_gateways_add_up_and_those_that_are_gone_are_forgotten() -> None:
    kept = RouteCounts(
        cached={(CHAT, "hit"): 2, ("team/other", "hit"): 9},
        saved={(CHAT, "p/e/m", "prompt"): 5, (CHAT, "p/e/n", "prompt"): 1, ("team/other", "p/e/m", "prompt"): 7},
    )
    now = counted(Counted(), {"g": shown(1, asked=2), "h": shown(4), "i": kept, "j": kept}, ["g", "h", "i", "j"], 0)
    assert now.classified()[CHAT] == {"open": 5, "asked": 2}
    assert now.cached()[CHAT] == {"hit": 4}
    assert now.saved()[CHAT] == {("p/e/m", "prompt"): 10, ("p/e/n", "prompt"): 2}
    assert counted(now, {}, ["g"], 5).classified()[CHAT] == {"open": 1, "asked": 2}
