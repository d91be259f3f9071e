"""Answers that gateways leave for each other: in every place alike, within its bytes and its time, for nobody else."""

import asyncio
import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running_up import until

from budget.client import metric
from budget.redis_server import RedisServer
from budget.server import Server
from fairlead.api import quantity
from fairlead.budget.configuration import BudgetConfiguration, encode
from fairlead.budgetserver import shared_answer
from fairlead.budgetserver.answer_stores import (
    DAMAGED,
    OVERHEAD,
    PREFIX,
    AnswerStore,
    MemoryAnswers,
    RedisAnswers,
    secret_of,
)
from fairlead.budgetserver.seal import Seal
from fairlead.budgetserver.shared_answer import LARGEST, Offer, SharedAnswer, SharedAnswerError
from fairlead.budgetserver.shared_answers import MOST_AT_ONCE
from fairlead.budgetserver.store import StoreError
from fairlead.envoy.cache import MOST_UNDER_WAY

NOW = 1_800_000_000_000
MINUTE = 60_000
SECRET = b"a key of the installation"
MANY = 1 << 24
Open = Callable[[], AnswerStore]


def answer(text: str = "yes", **fields: Any) -> SharedAnswer:
    one = SharedAnswer(
        made_ms=NOW, kind="application/json", target="p/e/m", usage="1 30 40 10 0 0 0 0", body=text.encode()
    )
    return replace(one, **fields)


def offer(key: str, text: str = "yes", ttl_ms: int = MINUTE) -> Offer:
    return Offer(key=key.encode(), answer=answer(text), ttl_ms=ttl_ms)


def redis_answers(server: RedisServer, secret: bytes = SECRET) -> RedisAnswers:
    return RedisAnswers(server.url, secret=secret, timeout_s=10)


@pytest.fixture(params=["memory", "redis"])
def place(request: pytest.FixtureRequest) -> Open:
    """Open the same place, each time anew."""
    if request.param == "memory":
        memory = MemoryAnswers()
        return lambda: memory
    server: RedisServer = request.getfixturevalue("redis_server")
    server.command("FLUSHALL")
    return lambda: redis_answers(server)


def played(open_: Open, step: Callable[[AnswerStore], Any]) -> Any:
    async def play() -> Any:
        store = open_()
        try:
            return await step(store)
        finally:
            await store.close()

    return asyncio.run(play())


def test_what_one_left_another_finds_by_the_whole_key_for_its_time(place: Open) -> None:
    async def leave(store: AnswerStore) -> None:
        assert await store.keep(offer("key", "first"), NOW, MANY)
        assert await store.keep(offer("key", "second"), NOW, MANY)
        assert await store.keep(offer("soon", ttl_ms=1), NOW, MANY)

    async def find(store: AnswerStore) -> None:
        assert await store.find(b"key", NOW + 1) == answer("second")
        for other in (b"", b"ke", b"key1", b"KEY", b"soon1"):
            assert await store.find(other, NOW) is None
        while await store.find(b"soon", NOW + 1) is not None:
            await asyncio.sleep(0.01)  # a server's own clock

    played(place, leave)
    played(place, find)


def test_all_together_stay_within_their_bytes(place: Open) -> None:
    async def step(store: AnswerStore) -> None:
        most = 20_000
        for number in range(40):
            total = await store.keep(offer(f"key {number}", "x" * 1_000, ttl_ms=MINUTE + number * 1_000), NOW, most)
            assert total is not None
            assert total <= most
        found = [await store.find(f"key {number}".encode(), NOW) is not None for number in range(40)]
        kept = sum(found)
        assert 10 <= kept <= most // (1_000 + OVERHEAD)
        assert found == [False] * (40 - kept) + [True] * kept, "the oldest made room"
        assert await store.keep(offer("large", "x" * most), NOW, most) is None
        assert await store.keep(offer("key 39"), NOW, 1) is None, "a smaller bound holds for what comes"

    played(place, step)


def test_redis_forgets_what_it_counted_by(redis_server: RedisServer) -> None:
    redis_server.command("FLUSHALL")
    played(lambda: redis_answers(redis_server), lambda store: store.keep(offer("key"), NOW, MANY))
    keys = redis_server.command("KEYS", "*").split()
    names = [key.decode() for key in keys if key.startswith(b"{fairlead}")]
    assert len(names) == 4
    for name in names:
        assert 0 < int(redis_server.command("PTTL", name)[1:]) <= 2 * MINUTE


def test_what_ended_is_counted_no_more(redis_server: RedisServer) -> None:
    redis_server.command("FLUSHALL")

    async def step(store: AnswerStore) -> None:
        one = await store.keep(offer("one", "x" * 900), NOW, 2_000)
        assert await store.keep(offer("two", "x" * 900), NOW + MINUTE, 2_000) == one
        assert await store.keep(offer("two", "x" * 900), NOW + MINUTE, 2_000) == one, "the same again"

    played(lambda: redis_answers(redis_server), step)


PLACES = ("due", "size", "bytes")


@pytest.mark.parametrize("which", PLACES)
@pytest.mark.parametrize("damage", [("SET", "words"), ("HSET", "a", "b"), ("ZADD", "1", "a"), ("RPUSH", "a")])
def test_damaged_books_are_made_anew(redis_server: RedisServer, which: str, damage: tuple[str, ...]) -> None:
    redis_server.command("FLUSHALL")
    place = f"{PREFIX}:{Seal(SECRET).installation}|{which}"

    async def step(store: AnswerStore) -> None:
        assert await store.keep(offer("before"), NOW, MANY)
        redis_server.command("DEL", place)
        redis_server.command(damage[0], place, *damage[1:])
        assert await store.keep(offer("key"), NOW, MANY)
        assert await store.find(b"key", NOW) == answer()

    played(lambda: redis_answers(redis_server), step)


@pytest.mark.parametrize("lie", ["inf", "-inf", "nan", "1e308", "-1", "-1e9", "1.5", "0x10", "9" * 15, "20001", "gone"])
@pytest.mark.parametrize("whose", ["bytes", "size"])
def test_a_number_of_somebody_elses_is_counted_anew(redis_server: RedisServer, whose: str, lie: str) -> None:
    """Else nothing would be shared any more, or there would be no bound."""
    redis_server.command("FLUSHALL")
    place, most = f"{PREFIX}:{Seal(SECRET).installation}", 20_000

    async def step(store: AnswerStore) -> None:
        one = await store.keep(offer("one", "x" * 900, ttl_ms=MINUTE), NOW, most)
        assert one is not None
        await store.keep(offer("two", "x" * 900, ttl_ms=2 * MINUTE), NOW, most)
        if whose == "bytes":
            redis_server.command(*(("DEL", f"{place}|bytes") if lie == "gone" else ("SET", f"{place}|bytes", lie)))
            assert await store.keep(offer("six", "x" * 900, ttl_ms=3 * MINUTE), NOW, most) == 3 * one
        else:
            redis_server.command("HSET", f"{place}|size", Seal(SECRET).name(b"one"), lie)
        for number in range(40):
            last = await store.keep(offer(f"{number:03}", "x" * 900, ttl_ms=(4 + number) * MINUTE), NOW, most)
            assert last is not None
            assert last <= most
        assert last == most // one * one
        assert len(entries(redis_server)) == most // one

    played(lambda: redis_answers(redis_server), step)


def entries(server: RedisServer) -> list[str]:
    keys = server.command("KEYS", f"{PREFIX}:*:*").split()
    return [key.decode() for key in keys if key.startswith(b"{")]


@pytest.mark.parametrize(
    "poison",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x01", id="half a form"),
        pytest.param(b"words", id="words"),
        pytest.param(shared_answer.encode(b"key", answer("a lie")), id="not sealed"),
        pytest.param(
            Seal(b"another's key of the same length").close("key", shared_answer.encode(b"key", answer("a lie"))),
            id="sealed by another key",
        ),
    ],
)
def test_what_was_written_by_somebody_else_is_no_answer(redis_server: RedisServer, poison: bytes) -> None:
    redis_server.command("FLUSHALL")

    async def step(store: AnswerStore) -> None:
        assert isinstance(store, RedisAnswers)
        assert await store.keep(offer("key"), NOW, MANY)
        (name,) = entries(redis_server)
        await store._redis.set(name, poison)
        assert await store.find(b"key", NOW) is DAMAGED

    played(lambda: redis_answers(redis_server), step)


def test_an_answer_that_was_moved_or_changed_in_a_bit_is_none(redis_server: RedisServer) -> None:
    redis_server.command("FLUSHALL")

    async def step(store: AnswerStore) -> None:
        assert isinstance(store, RedisAnswers)
        assert await store.keep(offer("one", "of one"), NOW, MANY)
        (one,) = entries(redis_server)
        assert await store.keep(offer("two", "of two"), NOW, MANY)
        (two,) = set(entries(redis_server)) - {one}
        sealed = await store._redis.get(one)
        assert isinstance(sealed, bytes)
        await store._redis.set(two, sealed)
        assert await store.find(b"two", NOW) is DAMAGED
        for at in range(0, len(sealed), 7):
            changed = bytearray(sealed)
            changed[at] ^= 1
            await store._redis.set(one, bytes(changed))
            assert await store.find(b"one", NOW) is DAMAGED
        await store._redis.lpush("list", "x")
        await store._redis.rename("list", one)
        with pytest.raises(StoreError):
            await store.find(b"one", NOW)

    played(lambda: redis_answers(redis_server), step)


def test_redis_learns_neither_who_asked_nor_what(redis_server: RedisServer) -> None:
    redis_server.command("FLUSHALL")
    played(lambda: redis_answers(redis_server), lambda store: store.keep(offer("t/alice asks this"), NOW, MANY))
    (name,) = entries(redis_server)
    content = redis_server.command("GET", name)
    for told in (b"alice", b"yes", b"p/e/m", b"json"):
        assert told not in content
    assert "alice" not in name


def test_installations_on_one_redis_do_not_meet(redis_server: RedisServer) -> None:
    redis_server.command("FLUSHALL")
    ours, theirs = (lambda: redis_answers(redis_server)), (lambda: redis_answers(redis_server, b"their key, not ours"))
    played(ours, lambda store: store.keep(offer("key", "ours"), NOW, MANY))
    assert played(theirs, lambda store: store.find(b"key", NOW)) is None
    played(theirs, lambda store: store.keep(offer("key", "theirs"), NOW, 1_000))
    assert played(ours, lambda store: store.find(b"key", NOW)) == answer("ours")


def test_a_key_that_can_be_guessed_is_none(tmp_path: Path) -> None:
    file = tmp_path / "key"
    assert secret_of(None) is None
    assert secret_of(file) is None
    for content, read in ((b"", None), (b"short\n", None), (b"0123456789abcdef\n", b"0123456789abcdef")):
        file.write_bytes(content)
        assert secret_of(file) == read


TEXTS = st.sampled_from((b"", b"1", b"11", b"\n", b'{"key":1}', b"key", b"\xff\x00"))


@given(TEXTS, TEXTS, TEXTS)
def test_what_was_written_for_one_key_is_read_for_no_other(key: bytes, other: bytes, body: bytes) -> None:
    written = shared_answer.encode(key, answer(body=body))
    found = shared_answer.decode(other, written)
    assert found == (answer(body=body) if key == other and body else None)


@given(st.binary(max_size=200))
def test_whatever_stands_there_is_an_answer_or_none(content: bytes) -> None:
    assert shared_answer.decode(b"key", content) is None


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(("key", "body", "made", "kind", "target", "usage")),
        st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2) | st.just(3),
    )
)
def test_no_line_of_another_form_is_believed(line: dict[str, Any]) -> None:
    shared_answer.decode(b"key", json.dumps(line).encode() + b"\nkeyyes")


GOOD = {
    shared_answer.MADE: str(NOW),
    shared_answer.KIND: "application/json",
    shared_answer.TARGET: "p/e/m",
    shared_answer.USAGE: "-",
    shared_answer.KEY_BYTES: "3",
    shared_answer.TTL: "1000",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (shared_answer.MADE, ""),
        (shared_answer.MADE, "1e3"),
        (shared_answer.MADE, "9" * 16),
        (shared_answer.KEY_BYTES, "0"),
        (shared_answer.KEY_BYTES, "6"),
        (shared_answer.KEY_BYTES, "-3"),
        (shared_answer.TTL, "0"),
        (shared_answer.TTL, "9" * 15),
        (shared_answer.KIND, ""),
        (shared_answer.KIND, "x" * 129),
        (shared_answer.TARGET, "a b"),
        (shared_answer.USAGE, "words"),
    ],
)
def test_what_no_gateway_says_is_refused(name: str, value: str) -> None:
    assert shared_answer.read_offer(GOOD, b"keyyes").answer.body == b"yes"
    with pytest.raises(SharedAnswerError):
        shared_answer.read_offer({**GOOD, name: value}, b"keyyes")


def test_whatever_a_route_may_ask_for_is_kept() -> None:
    longest = str(quantity.milliseconds("8784h"))
    assert shared_answer.read_offer({**GOOD, shared_answer.TTL: longest}, b"keyyes").ttl_ms == int(longest)


def configuration(most: int = MANY) -> BudgetConfiguration:
    return BudgetConfiguration(
        fail_closed=False,
        request_bytes=1_000,
        policies=(),
        consumers={},
        killed=frozenset(),
        routes={},
        targets={},
        shared_answers_bytes=most,
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    file = tmp_path / "book.json"
    file.write_bytes(encode(configuration()))
    with Server(file, "memory:") as running:
        yield running


def post(port: int, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", f"/v1/answers/{path}", body, headers)
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def test_a_server_takes_answers_and_gives_them_again(server: Server) -> None:
    assert post(server.usage, "find", b"key")[0] == 404
    assert post(server.usage, "keep", b"keyyes", **GOOD)[0] == 204
    status, headers, body = post(server.usage, "find", b"key")
    assert (status, body, headers["x-fl-bytes"], headers["x-fl-target"]) == (200, b"yes", "3", "p/e/m")
    assert post(server.usage, "keep", b"keyyes", **{**GOOD, shared_answer.MADE: "soon"})[0] == 400
    large = b"key" + b"x" * (LARGEST - 3)
    assert post(server.usage, "keep", large, **GOOD)[0] == 204
    assert post(server.usage, "find", b"key")[2] == large[3:]
    assert post(server.usage, "keep", large + b"x", **GOOD)[0] == 400
    assert post(server.http, "find", b"key")[0] == 404, "an address that more than gateways reach"
    text = server.metrics()
    for line in (
        'fairlead_shared_answers_sought_total{outcome="found"} 2.0',
        'fairlead_shared_answers_sought_total{outcome="absent"} 1.0',
        'fairlead_shared_answers_left_total{outcome="kept"} 2.0',
        'fairlead_shared_answers_left_total{outcome="malformed"} 2.0',
    ):
        assert line in text
    assert metric(text, "fairlead_shared_answers_bytes") == LARGEST + OVERHEAD


def test_so_many_at_a_time_and_no_more(server: Server) -> None:
    """Whoever sends half of an answer takes a place, and not for ever."""
    assert MOST_AT_ONCE >= MOST_UNDER_WAY, "one gateway alone would find it busy"
    slow = []
    try:
        for _ in range(MOST_AT_ONCE):
            connection = http.client.HTTPConnection("127.0.0.1", server.usage, timeout=20)
            connection.putrequest("POST", "/v1/answers/find")
            connection.putheader("content-length", "10")
            connection.endheaders(b"key")
            slow.append(connection)
        until(lambda: post(server.usage, "find", b"key")[0] == 429)
        until(lambda: post(server.usage, "find", b"key")[0] == 404)
        assert {connection.getresponse().status for connection in slow} == {408}
    finally:
        for connection in slow:
            connection.close()
