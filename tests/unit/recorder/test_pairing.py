"""Parts meet by route and request; who waits too long, or one too many, is given up."""

from fairlead.recorder.pairing import Pairs, Part


def pairs(**limits: int) -> Pairs:
    return Pairs(**{"patience_ms": 1000, "most": 3, "most_bytes": 100, **limits})


def test_a_pair_is_whole_with_its_third_part_in_whatever_order() -> None:
    some = pairs()
    assert some.take("n/r", "1", Part.CANDIDATE, {"text": "b"}, size=1, now_ms=0) is None
    assert some.take("n/r", "1", Part.CANDIDATE, {"text": "again"}, size=1, now_ms=0) is None
    assert some.take("n/other", "1", Part.STABLE, {"text": "another's"}, size=1, now_ms=0) is None
    assert some.take("n/r", "1", Part.STABLE, {"text": "a"}, size=1, now_ms=0) is None
    assert some.take("n/r", "1", Part.QUESTION, {"messages": []}, size=1, now_ms=0) == {
        "route": "n/r",
        "request": "1",
        "question": {"messages": []},
        "stable": {"text": "a"},
        "candidate": {"text": "b"},
    }
    assert len(some) == 1


def test_nobody_waits_for_ever() -> None:
    some = pairs()
    some.take("n/r", "1", Part.STABLE, {}, size=1, now_ms=0)
    some.take("n/r", "2", Part.STABLE, {}, size=1, now_ms=600)
    some.expire(1000)
    assert (len(some), some.given_up) == (1, 1)
    assert some.take("n/r", "1", Part.QUESTION, {}, size=1, now_ms=1001) is None


def test_the_oldest_make_room() -> None:
    some = pairs()
    for number in range(5):
        some.take("n/r", str(number), Part.STABLE, {}, size=1, now_ms=0)
    assert (len(some), some.given_up) == (3, 2)
    some.take("n/r", "large", Part.STABLE, {}, size=99, now_ms=0)
    assert (len(some), some.given_up) == (2, 4)
    some.take("n/r", "huge", Part.STABLE, {}, size=101, now_ms=0)
    assert (len(some), some.given_up) == (0, 7)
