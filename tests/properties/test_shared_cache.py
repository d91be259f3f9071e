"""Workers that share answers: nobody gets another's, and what comes from the store is not believed."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cache_lua import Asked, CacheFilter
from fairlead.budgetserver import shared_answer
from fairlead.budgetserver.answer_stores import MemoryAnswers
from properties.test_cached_answers import ENDS_ALIKE, STRANGER, alike, answer, owner

MANY = 1 << 24
NOW = 1_800_000_000_000
USAGE = "1 30 40 10 0 0 0 0"
Answered = tuple[int, Mapping[str, str], bytes]


class Store:
    """The budget server's part, without the HTTP: its own reading, its own store."""

    def __init__(self) -> None:
        self.now_ms = NOW
        self.asked = 0
        self._kept = MemoryAnswers()

    def __call__(self, path: str, headers: Mapping[str, str], body: bytes) -> Answered:
        self.asked += 1
        if path.endswith("/keep"):
            asyncio.run(self._kept.keep(shared_answer.read_offer(headers, body), self.now_ms, MANY))
            return 204, {}, b""
        found = asyncio.run(self._kept.find(body, self.now_ms))
        if not isinstance(found, shared_answer.SharedAnswer):
            return 404, {}, b""
        return 200, shared_answer.headers_of(found), found.body


def shared(known: list[Asked]) -> list[Asked]:
    return [replace(one, stored=True) for one in known]


@example(ENDS_ALIKE, Random(1))
@given(alike(), st.randoms(use_true_random=False))
def test_a_shared_answer_was_made_for_the_same_request_of_the_same_owner(known: list[Asked], random: Random) -> None:
    store = Store()
    workers = [CacheFilter(anonymous=STRANGER, call=store) for _ in range(2)]
    kept: dict[tuple[object, ...], bytes] = {}
    for number, asked in enumerate(random.sample(shared(known) * 3, 3 * len(known))):
        whose = owner(asked)
        outcome, got = random.choice(workers).ask(asked, now_ms=NOW + number, answer=answer(number))
        if whose is None:
            assert (outcome, got) == ("bypass", answer(number))
            continue
        same = (whose, replace(asked, consumer=""))
        assert (outcome, got) == (("hit", kept[same]) if same in kept else ("miss", answer(number)))
        kept.setdefault(same, answer(number))


ASKED = Asked(consumer="team/a", body=b"{}", stored=True)


def test_a_shared_answer_is_this_workers_then_and_has_its_age() -> None:
    store = Store()
    one, two = CacheFilter(call=store), CacheFilter(call=store)
    assert one.ask(ASKED, now_ms=NOW, answer=answer(1), usage=USAGE) == ("miss", answer(1))
    assert one.looked == "absent"
    assert two.ask(ASKED, now_ms=NOW + 1, answer=answer(2)) == ("hit", answer(1))
    assert two.looked == "shared"
    before = store.asked
    assert two.ask(ASKED, now_ms=NOW + 59_999, answer=answer(2)) == ("hit", answer(1))
    assert (two.looked, store.asked) == ("worker", before)
    store.now_ms = NOW + 60_000
    assert two.ask(ASKED, now_ms=NOW + 60_000, answer=answer(2)) == ("miss", answer(2)), "counted from when it was made"


def test_what_the_client_says_holds_for_the_store_too() -> None:
    store = Store()
    one, two = CacheFilter(call=store), CacheFilter(call=store)

    def said(control: str) -> Asked:
        return replace(ASKED, headers=(("cache-control", control),))

    assert one.ask(said("no-store"), now_ms=NOW, answer=answer(1))[0] == "bypass"
    assert store.asked == 0, "neither read nor left"
    assert one.ask(ASKED, now_ms=NOW, answer=answer(2))[0] == "miss"
    assert two.ask(said("no-cache"), now_ms=NOW + 1, answer=answer(3)) == ("miss", answer(3))
    assert two.looked is None
    third = CacheFilter(call=store)
    assert third.ask(said("max-age=5"), now_ms=NOW + 5_002, answer=answer(4)) == ("miss", answer(4))
    assert third.looked == "old"
    assert CacheFilter(call=store).ask(said("max-age=5"), now_ms=NOW + 5_002, answer=answer(5))[0] == "hit"


def test_a_route_of_its_own_workers_asks_nobody() -> None:
    store = Store()
    filter_ = CacheFilter(call=store)
    assert filter_.ask(replace(ASKED, stored=False), now_ms=NOW, answer=answer(1))[0] == "miss"
    assert (store.asked, filter_.looked) == (0, None)


def told(body: bytes, **fields: str) -> Answered:
    headers = {"x-fl-at": str(NOW), "x-fl-kind": "application/json", "x-fl-target": "p/e/m", "x-fl-usage": USAGE}
    return (
        200,
        {**headers, "x-fl-bytes": str(len(body)), **{f"x-fl-{name}": value for name, value in fields.items()}},
        body,
    )


GOOD = answer(7)
LIES: dict[str, Answered | None] = {
    "no cluster": None,
    "shorter than it says": (*told(GOOD)[:2], GOOD[:-1]),
    "longer than it says": (*told(GOOD)[:2], GOOD + b" "),
    "no JSON": told(b"words"),
    "half of an answer": told(GOOD[:-1]),
    "an error": told(b'{"error":{"message":"no"}}'),
    "a call": told(b'{"choices":[{"message":{"tool_calls":[{"id":"x"}]},"finish_reason":"stop"}]}'),
    "cut off": told(b'{"choices":[{"finish_reason":"length"}]}'),
    "a stream without its end": told(b"data: {}\n\n", kind="text/event-stream"),
    "nothing": told(b""),
    "too long": told(b'{"a":"' + b"x" * (1 << 20) + b'"}'),
    "too old": told(GOOD, at=str(NOW - 60_000)),
    "made at no time": told(GOOD, at="soon"),
    "made at a time that is no number": told(GOOD, at="9" * 400),
    "no usage": told(GOOD, usage="words"),
    "usage and more words": told(GOOD, usage=f"{USAGE} - 7 7"),
    "no target": told(GOOD, target="a b"),
    "no kind": told(GOOD, kind=""),
    "a kind of two lines": told(GOOD, kind="a\r\nset-cookie: b"),
    "another success": (206, *told(GOOD)[1:]),
    "no headers": (200, {}, GOOD),
    "not now": (503, {}, b""),
    "too late": (504, {}, b""),
}
WHY = {"no cluster": "unavailable", "another success": "unavailable", "not now": "unavailable", "too late": "timeout"}


@pytest.mark.parametrize("what", LIES)
def test_what_is_no_answer_is_a_miss(what: str) -> None:
    filter_ = CacheFilter(call=lambda *_: LIES[what])
    assert filter_.ask(ASKED, now_ms=NOW, answer=answer(1)) == ("miss", answer(1))
    assert filter_.looked == WHY.get(what, "damaged")


def test_what_is_one_is_a_hit_also_from_a_clock_that_is_ahead() -> None:
    for given_ in (
        told(GOOD),
        told(GOOD, at=str(NOW + 5_000)),
        told(GOOD, usage="-"),
        told(GOOD, usage="2 - 4 0 0 0 0 0"),
        told(GOOD, usage=f"{USAGE} - 7"),
    ):
        assert CacheFilter(call=lambda *_, one=given_: one).ask(ASKED, now_ms=NOW, answer=answer(1)) == ("hit", GOOD)


def test_who_does_not_answer_is_not_asked_again_and_again() -> None:
    calls: list[str] = []
    well = False

    def call(path: str, _headers: Mapping[str, str], _body: bytes) -> Any:
        calls.append(path)
        return (404, {}, b"") if well else (504, {}, b"")

    filter_ = CacheFilter(call=call)

    def ask(number: int, now_ms: int) -> str | None:
        asked = replace(ASKED, body=str(number).encode())
        assert filter_.ask(asked, now_ms=now_ms, answer=b"no JSON")[0] == "miss"
        return filter_.looked

    assert [ask(number, NOW) for number in range(7)] == ["timeout"] * 5 + ["open"] * 2
    assert len(calls) == 5
    assert [ask(number, NOW + 5_000) for number in range(7, 9)] == ["timeout", "open"], "one after a pause"
    well = True
    assert [ask(number, NOW + 10_000) for number in range(9, 11)] == ["absent", "absent"]
    assert len(calls) == 8


BUSY: dict[str, Answered] = {
    "the server has its hands full": (429, {}, b""),
    "so many are under way at this gateway": (503, {"x-envoy-overloaded": "true"}, b"overflow"),
}


@pytest.mark.parametrize("who", BUSY)
def test_who_has_its_hands_full_has_not_failed(who: str) -> None:
    """A burst would have workers ask nobody for five seconds, just when hits are worth most."""
    answers = [(504, {}, b"")] * 4 + [BUSY[who]] * 20 + [(504, {}, b"")] + [(404, {}, b"")] * 2
    filter_ = CacheFilter(call=lambda *_: answers.pop(0))
    found = []
    for number in range(26):
        asked = replace(ASKED, body=str(number).encode())
        assert filter_.ask(asked, now_ms=NOW, answer=b"no JSON")[0] == "miss"
        found.append(filter_.looked)
    assert found == ["timeout"] * 4 + ["busy"] * 20 + ["timeout", "open"], "nor has it answered"


def test_while_nobody_answers_nothing_is_left_either() -> None:
    paths: list[str] = []

    def call(path: str, _headers: Mapping[str, str], _body: bytes) -> None:
        paths.append(path)

    filter_ = CacheFilter(call=call)
    for number in range(8):
        filter_.ask(replace(ASKED, body=str(number).encode()), now_ms=NOW, answer=answer(number))
    assert sum(path.endswith("/find") for path in paths) == 5
    assert sum(path.endswith("/keep") for path in paths) == 4, "none from the fifth failure on"
