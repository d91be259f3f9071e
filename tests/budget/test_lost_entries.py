"""Entries that a store loses, or that somebody damages, hold up nobody: what they said of the others stays true."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from budget.store_player import EXAMPLES, NOW, PAYERS, Player
from budget.test_stores import AMOUNTS, ENDS, POSTINGS, REQUESTS, UNITS
from fairlead.budget.lease import unit_name
from fairlead.budget.ledger import EXPIRES_AFTER_MS
from fairlead.budgetserver.damaged_keys import PREFIX
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.redisstore import RedisStore
from fairlead.budgetserver.sqlite import SqliteStore
from fairlead.budgetserver.store import Store

MOST_OPEN = 10_000
"""Nobody is refused for what is open: a lost entry is among that until it expires in Redis, and at once elsewhere."""
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("reserve"),
            REQUESTS,
            AMOUNTS,
            POSTINGS,
            st.none(),
            st.just(MOST_OPEN),
            st.none() | st.tuples(st.integers(4, 8), st.sampled_from([0, 1])),
        ),
        ENDS,
        st.tuples(st.just("lose"), REQUESTS),
        st.tuples(st.just("lose unit"), UNITS),
        st.tuples(st.just("lose lease"), REQUESTS),
    ),
    max_size=25,
)
DELETE = "DELETE FROM entry WHERE request = ?"
LEASED = ("reserve", 0, 10, ["rich"], None, MOST_OPEN, (4, 1))


def loses(store: Store) -> Callable[[str], Awaitable[object]]:
    """Return what takes an entry out of a store behind its back."""
    match store:
        case SqliteStore():
            return lambda name: store._batch.submit(lambda rows: rows.execute(DELETE, (name,)).rowcount)
        case RedisStore():
            return lambda name: store._redis.delete(f"{PREFIX}e:{name}")
    raise AssertionError(store)


async def play(player: Player, store: Store, lose: Callable[[str], Awaitable[object]], step: tuple[Any, ...]) -> Any:
    match step:
        case ("lose", request):
            await lose(player.request(request))
        case ("lose unit", (request, number)):
            await lose(unit_name(player.lease(request), number))
        case ("lose lease", request):
            for number in range(1, 9):
                await lose(unit_name(player.lease(request), number))
        case ("expire", ripe):  # all: what is lost is among as many as a store looks at in one step
            return list(await store.expire(NOW + (EXPIRES_AFTER_MS if ripe else 0), 1_000))
        case _:
            return await player.play(step)
    return None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@example(steps=[LEASED, ("lose unit", (0, 4)), ("reserve", 2, 1, ["rich"], None, MOST_OPEN, None)])
@example(steps=[LEASED, ("lose lease", 0), ("lose", 0)])
@example(steps=[LEASED, ("lose", 0), ("settle", 0, 3, ["rich"], False, 1, 1, False)])
@example(steps=[LEASED, ("lose", 0), ("lose lease", 0), LEASED, ("settle unit", (0, 1), 1, ["rich"], False, 1)])
def test_a_store_that_loses_entries_does_what_the_model_does(
    runner: asyncio.Runner, store: Store, steps: list[tuple[Any, ...]]
) -> None:
    lose = loses(store)

    async def run() -> None:
        number, memory = next(EXAMPLES), MemoryStore()
        real, model = Player(store, number), Player(memory, number)

        async def forget(name: str) -> None:
            memory._entries.pop(name, None)

        for step in steps:
            assert await play(real, store, lose, step) == await play(model, memory, forget, step), step
            assert await real.counters() == await model.counters(), step
        await store.expire(NOW + EXPIRES_AFTER_MS, 1_000)
        assert await real.opened() == [0, 0, 0]
        assert await open_at_all(store, real) == 0

    async def open_at_all(store: Store, player: Player) -> int:
        """What `opened` leaves out, too: units."""
        if isinstance(store, SqliteStore):
            return 0  # it counts rows
        fields = [f"{player.name(payer)}{end}" for payer in PAYERS for end in ("", "\n")]
        return sum(map(int, filter(None, await store._redis.hmget(f"{PREFIX}opens", fields))))

    runner.run(run())
