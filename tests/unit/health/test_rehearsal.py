"""What a drill concludes from what clients met."""

from typing import Any

import pytest

from fairlead.health.rehearsal import (
    LONGEST_RETURN_S,
    Bounds,
    Outcome,
    Span,
    Watched,
    breach,
    conclusion,
    is_error,
    notes,
    returned,
)

BOUNDS = Bounds(error_rate_bp=100, first_byte_increase_bp=10_000)
FAST = {50: 90, 100: 10}


@pytest.mark.parametrize(
    ("status", "target", "failed"),
    [
        (200, "p/e/m", False),
        (404, "p/e/m", False),
        (429, "-", False),
        (429, "p/e/m", True),
        (502, "p/e/m", True),
        (503, "-", True),
        (0, "-", True),
    ],
)
def test_whose_fault_it_is(status: int, target: str, failed: bool) -> None:
    assert is_error(status, target) is failed


@pytest.mark.parametrize(
    ("buckets", "p95"),
    [({}, None), ({10: 100}, 10), ({10: 94, 100: 6}, 25), ({10: 50, 100: 50}, 91), ({5: 1}, 5), ({100: 1000}, 95)],
)
def test_the_p95_lies_in_its_bucket(buckets: dict[int, int], p95: int | None) -> None:
    found = Span(first_bytes=buckets).first_byte_p95_ms
    assert (found is None) is (p95 is None)
    assert p95 is None or found == pytest.approx(p95, abs=10)


def both(before: Span, during: Span) -> Watched:
    return Watched(before=before, during=during, settled=during)


def test_a_bound_is_passed_by_enough_requests_only() -> None:
    before = Span(requests=100, first_bytes=FAST)
    assert breach(both(before, Span(requests=19, errors=19)), BOUNDS) == ""
    assert breach(both(before, Span(requests=200, errors=2)), BOUNDS) == ""
    said = "3 of 200 requests failed (1.5%), want at most 1%"
    assert breach(both(before, Span(requests=200, errors=3)), BOUNDS) == said
    slow = Span(requests=100, first_bytes={1000: 100})
    assert "the first byte's p95 went from 75 to 950 ms, want at most 100% more" in breach(both(before, slow), BOUNDS)
    assert breach(both(before, Span(requests=100, first_bytes={1000: 19})), BOUNDS) == ""
    assert breach(both(Span(), slow), BOUNDS) == "", "nothing to compare with"
    fast = Span(requests=100, first_bytes={100: 100})
    assert breach(both(before, fast), BOUNDS) == "", "95 ms are less than twice 75"


def watched(served: dict[str, int], *, in_flight: int = 0, **fields: Any) -> Watched:
    span = Span(requests=sum(served.values()), served=served)
    known = {
        "before": Span(requests=100, served={"p/us": 100}, first_bytes=FAST),
        "during": span,
        "settled": span,
        "in_flight": in_flight,
        "drained": {"p/us"},
        "drained_s": 10.0,
    }
    return Watched(**{**known, **fields})


def test_what_held_was_served_by_others() -> None:
    assert conclusion(watched({"p/eu": 100}), BOUNDS) == (Outcome.HELD, "")
    assert conclusion(watched({"p/eu": 99, "p/us": 1}), BOUNDS) == (Outcome.HELD, ""), "1 % may fail"
    assert conclusion(watched({"p/eu": 90, "p/us": 10}, in_flight=10), BOUNDS) == (Outcome.HELD, ""), (
        "streams end there"
    )
    nobody = watched({"p/eu": 100}, before=Span(requests=50), drained=())
    assert conclusion(nobody, BOUNDS) == (Outcome.HELD, ""), "a region without endpoints: nothing has to move"


@pytest.mark.parametrize("served", [{"p/us": 59}, {"p/us": 2, "p/eu": 98}])
def test_what_the_drained_region_answered_itself_is_lost_with_it(served: dict[str, int]) -> None:
    seen = watched(served)
    assert "were answered by the drained region itself" in breach(seen, BOUNDS), "at once, not at the end"
    assert conclusion(seen, BOUNDS)[0] is Outcome.GAVE_UP
    assert notes(seen)[-1].endswith("were answered by the region itself: nobody else did")


@pytest.mark.parametrize(
    ("seen", "bounds", "words"),
    [
        (watched({}), BOUNDS, "0 requests came while it was drained, want 20 at least"),
        (watched({"p/us": 19}), BOUNDS, "19 requests came"),
        (watched({"p/eu": 100}, drained_s=0.001), BOUNDS, "it was drained for 0.0 s only"),
        (watched({"p/eu": 100}, before=Span(requests=100, served={"p/eu": 100})), BOUNDS, "served nobody before"),
        (
            watched({"p/eu": 100}),
            Bounds(error_rate_bp=20_000, first_byte_increase_bp=1),
            "errors had no bound: got 200%",
        ),
    ],
)
def test_what_says_nothing_of_a_loss_has_not_held(seen: Watched, bounds: Bounds, words: str) -> None:
    outcome, reason = conclusion(seen, bounds)
    assert (outcome, words in reason) == (Outcome.INCONCLUSIVE, True), reason


def test_what_was_not_compared_is_noted() -> None:
    said = "the first byte's p95 was not compared: 0 requests, want 20 before and while drained"
    assert notes(watched({"p/eu": 100})) == (said,)


def test_rates() -> None:
    assert Span(seconds=30, requests=10).per_minute(10) == 20
    assert Span().per_minute(5) == 0
    assert (Span().error_rate_bp, Span(requests=3, errors=1).error_rate_bp) == (0, 3334)


@pytest.mark.parametrize(
    ("after", "back_s", "outcome", "reason"),
    [
        (None, None, Outcome.HELD, ""),
        (Span(seconds=62, requests=100, errors=1), 62, Outcome.HELD, ""),
        (Span(seconds=20, requests=19, errors=19), 20, Outcome.HELD, ""),
        (Span(seconds=20, requests=100), None, Outcome.HELD, ""),
        (
            Span(seconds=62, requests=100, errors=2),
            62,
            Outcome.GAVE_UP,
            "2 of 100 requests failed (2%) while its traffic came back, want at most 1%",
        ),
        (Span(seconds=LONGEST_RETURN_S), None, Outcome.GAVE_UP, "its traffic was not back 600 s after the drain"),
    ],
)
def test_the_way_back_is_a_part_of_the_drill(
    after: Span | None, back_s: float | None, outcome: Outcome, reason: str
) -> None:
    seen = Watched(after=after, back_s=back_s)
    assert returned(seen, BOUNDS, Outcome.HELD, "") == (outcome, reason)
    assert returned(seen, BOUNDS, Outcome.GAVE_UP, "before") == (Outcome.GAVE_UP, "before")
    assert any("was not back when nobody looked" in note for note in notes(seen)) is (after is not None and not back_s)
