"""No answer crosses callers: whatever they ask, nobody gets what was not made for the very same request of his own."""

import json
from collections import OrderedDict
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from cache_lua import Asked, CacheFilter
from fairlead.envoy import cache

STRANGER = "fairlead/stranger"
# Whatever ends one part of a key must not be able to begin the next.
ONES = st.sampled_from(("", "1", "11", "1:", "1:1"))
NAMES = st.sampled_from(("team/a", "team/b", "team/a1", "tea/m/a", "other/a", STRANGER))
HEADERS = st.tuples(*(st.none() | ONES for _ in cache.HEADERS)).map(
    lambda values: tuple((name, value) for name, value in zip(cache.HEADERS, values, strict=True) if value is not None)
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "consumer": NAMES,
    "shared": st.booleans(),
    "body": ONES.map(str.encode),
    "model": ONES,
    "headers": HEADERS,
    "unasked": st.booleans(),
    "stream": st.booleans(),
    "made_by": st.sampled_from(("team/chat stable d1", "team/chat candidate d1", "team/chat stable d11")),
    "path": st.sampled_from(("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages")),
}
BASES = st.fixed_dictionaries(FIELDS)


@st.composite
def alike(draw: st.DrawFn) -> list[Asked]:
    """Requests that differ in little: each in two things at most, of which two may look like each other's."""
    base = draw(BASES)
    changes = draw(st.lists(st.lists(st.sampled_from(sorted(FIELDS)), max_size=2), min_size=2, max_size=8))
    return [Asked(**{**base, **{name: draw(FIELDS[name]) for name in names}}) for names in changes]


def answer(number: int, padding: int = 0) -> bytes:
    return json.dumps({"number": number, "padding": "x" * padding}).encode()


def owner(asked: Asked) -> str | None:
    if asked.shared:
        return asked.consumer.partition("/")[0]
    return None if asked.consumer == STRANGER else asked.consumer


LAST = cache.HEADERS[-1]
ENDS_ALIKE = [
    Asked(consumer="team/a", headers=((LAST, "1"),), body=b"11"),
    Asked(consumer="team/a", headers=((LAST, "11"),), body=b"1"),
]


@example(ENDS_ALIKE, Random(1))
@given(alike(), st.randoms(use_true_random=False))
def test_a_hit_was_made_for_the_same_request_of_the_same_owner(known: list[Asked], random: Random) -> None:
    filter_ = CacheFilter(anonymous=STRANGER)
    kept: dict[tuple[object, ...], bytes] = {}
    for number, asked in enumerate(random.sample(known * 2, 2 * len(known))):
        whose = owner(asked)
        outcome, got = filter_.ask(asked, now_ms=number, answer=answer(number))
        if whose is None:
            assert (outcome, got) == ("bypass", answer(number))
            continue
        same = (whose, replace(asked, consumer=""))
        assert (outcome, got) == (("hit", kept[same]) if same in kept else ("miss", answer(number)))
        kept.setdefault(same, answer(number))


OVERHEAD = 512
MOST, LARGEST = 8_000, 4_000
STEPS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from((10, 2_000, 2_500, 3_000, 3_200, 5_000)),
        st.sampled_from((0, 0, 0, 1, 300, 700, 1_000)),
        st.sampled_from(("", "", "", "no-cache")),
    ),
    min_size=10,
    max_size=60,
)


@given(STEPS)
def test_the_most_recently_used_stay_within_the_bytes_and_their_time(
    steps: list[tuple[int, int, int, str]],
) -> None:
    """`steps`: who asks, how long the answer is, how much later, and what the client says."""
    filter_ = CacheFilter(most_bytes=MOST, largest=LARGEST)
    kept: OrderedDict[int, tuple[bytes, int, int]] = OrderedDict()
    now_ms = 0
    for number, (who, length, later, control) in enumerate(steps):
        now_ms += later
        asked = Asked(consumer="team/a", body=str(who).encode(), ttl_ms=1_000)
        headers = (("cache-control", control),) if control else ()
        outcome, got = filter_.ask(
            replace(asked, headers=headers), now_ms=now_ms, answer=answer(number, padding=length)
        )
        held = kept.get(who)
        if held is not None and held[1] <= now_ms and not control:
            del kept[who]
            held = None
        if held is not None and not control:
            kept.move_to_end(who)
            assert (outcome, got) == ("hit", held[0])
            continue
        assert outcome == "miss"
        size = len(got) + KEY_BYTES + OVERHEAD
        if size > LARGEST:
            continue
        kept.pop(who, None)
        while kept and sum(one[2] for one in kept.values()) + size > MOST:
            kept.popitem(last=False)
        kept[who] = (got, now_ms + 1_000, size)


KEY_BYTES = len("".join(f"{len(part)}:{part}" for part in ("c:team/a", "team/chat stable d1", "chat")))
KEY_BYTES += len("20:/v1/chat/completions" + "2:ja" + "0:" * len(cache.HEADERS) + "1:0")


def test_the_time_is_what_the_route_says_now() -> None:
    filter_ = CacheFilter()
    asked = Asked(consumer="team/a", body=b"{}", ttl_ms=60_000)
    shorter, longer = replace(asked, ttl_ms=1_000), replace(asked, ttl_ms=90_000)
    assert filter_.ask(asked, now_ms=0, answer=answer(1)) == ("miss", answer(1))
    assert filter_.ask(shorter, now_ms=999, answer=answer(2)) == ("hit", answer(1))
    assert filter_.ask(longer, now_ms=89_999, answer=answer(2)) == ("hit", answer(1))
    assert filter_.ask(shorter, now_ms=90_000, answer=answer(2)) == ("miss", answer(2))
