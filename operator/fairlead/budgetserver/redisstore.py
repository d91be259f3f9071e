"""A store in Redis or Valkey: several budget servers share it.

Each step is one Lua script, so it is atomic over all policies of a request; scripts say in their first lines what they
take and give. All that they take is one text with an argument per line, since each argument of a command costs the
client as much as the rest of it. Time always comes from the caller: windows are cut by the servers' clocks, and a
counter carries its window's start in its name. All keys carry one hash tag, so they stay together in a cluster. The
server must not evict (`maxmemory-policy noeviction`): a counter that is evicted is spend that is forgotten.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha1
from importlib import resources
from typing import Any, NamedTuple, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from fairlead.budget.ledger import (
    REMEMBERED_MS,
    Admission,
    Counter,
    Hold,
    Phase,
    Posting,
    Settlement,
)
from fairlead.budgetserver import redis_fields, redis_words
from fairlead.budgetserver.batch import Batch
from fairlead.budgetserver.damaged_keys import (
    PREFIX,
    UNKNOWN,
    Touched,
    UnreadableFieldsError,
    aside,
    decoded,
    is_damage,
    suspects,
    told,
)
from fairlead.budgetserver.store import (
    FORGET_GATEWAY_MS,
    Expired,
    Metered,
    RefusedError,
    Settled,
    StoreError,
    UsageCounters,
    UsageCounterUpdate,
)

T = TypeVar("T")

_LANES = 1
"""Round trips under way at a time. One makes the largest batches, and a batch costs more than what is in it."""
_ATTEMPTS = 4
"""What cannot be read may be a key, some of its fields, and their names."""
_OLDEST = 200
"""Open entries that are looked at when one that is due cannot be read: as many as expire in one step."""
_REFUSED = "REFUSED"
"""How the scripts begin the error for numbers that no counter holds."""


class Command(NamedTuple):
    """A script, what it takes, and what it may meet."""

    script: str
    arguments: tuple[Any, ...]
    touched: Touched = Touched()


def _script(name: str) -> str:
    folder = resources.files("fairlead.budgetserver").joinpath("lua")
    return "".join(folder.joinpath(f"{part}.lua").read_text(encoding="utf-8") for part in ("money", name))


_SCRIPTS = {name: _script(name) for name in ("reserve", "settle", "give_back", "expire", "reconcile", "keep", "mend")}
_DIGESTS = {name: sha1(text.encode(), usedforsecurity=False).hexdigest() for name, text in _SCRIPTS.items()}


class RedisStore:
    """Scripts over hashes: counters, entries, open reservations by due time and by payer, usage counters, booked."""

    def __init__(self, url: str, *, timeout_s: float, warn: Callable[[str], None] = lambda _: None) -> None:
        """`warn` is told of values that cannot be read: they count as none, which nobody may overlook."""
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_LANES + 2,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            decode_responses=True,
            encoding_errors="replace",
            retry=Retry(NoBackoff(), 1),
        )
        self._redis = Redis.from_pool(pool)
        self._warn = warn
        self._batch: Batch[Command] = Batch(self._execute, lanes=_LANES, timeout_s=timeout_s)

    async def reserve(self, hold: Hold) -> Admission:
        """See `Store`."""
        plans = (hold.plan, *((hold.downgrade,) if hold.downgrade is not None else ()))
        touched = Touched((hold.request,), tuple(name for plan in plans for name in _names(plan.postings)))
        return redis_words.admission(await self._batch.submit(Command("reserve", redis_words.hold(hold), touched)))

    async def settle(self, settlement: Settlement, metered: Metered) -> Settled:
        """See `Store`."""
        return redis_words.settled(await self._batch.submit(_settling(settlement, metered)))

    async def settle_all(self, settlements: Sequence[tuple[Settlement, Metered]]) -> Sequence[Settled | StoreError]:
        """See `Store`."""
        replies = await self._batch.submit_all([_settling(*one) for one in settlements])
        return [reply if isinstance(reply, StoreError) else redis_words.settled(reply) for reply in replies]

    async def give_back(self, units: Sequence[str], now_ms: int) -> int:  # noqa: ARG002 - the server counts by itself
        """See `Store`."""
        released: int = await self._batch.submit(
            Command("give_back", (REMEMBERED_MS, *units), Touched(requests=tuple(units)))
        )
        return released

    async def expire(self, now_ms: int, limit: int) -> Sequence[Expired]:
        """See `Store`."""
        return redis_words.expired(await self._batch.submit(Command("expire", redis_words.due(now_ms, limit))))

    async def counters(self, names: Sequence[str]) -> Sequence[Counter]:
        """See `Store`."""

        async def read() -> Sequence[Sequence[str | None]]:
            async with self._redis.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.hmget(f"{PREFIX}c:{name}", ["s", "r", "g"])
                found: Sequence[Sequence[str | None]] = await pipe.execute()
                return found

        def decode(rows: Sequence[Sequence[str | None]]) -> Sequence[Counter]:
            return [Counter(spent=int(s or 0), reserved=int(r or 0), estimated=int(g or 0)) for s, r, g in rows]

        return await self._read(read, decode, Touched(counters=tuple(names)))

    async def opened(self, payers: Sequence[str]) -> Sequence[int]:
        """See `Store`."""
        if not payers:
            return ()

        async def read() -> Sequence[Any]:
            return await self._redis.hmget(
                f"{PREFIX}opens", [field for payer in payers for field in (payer, f"{payer}\n")]
            )

        def decode(found: Sequence[Any]) -> Sequence[int]:
            return [int(found[at] or 0) - int(found[at + 1] or 0) for at in range(0, len(found), 2)]

        return await self._read(read, decode, Touched())

    async def keep(self, postings: Sequence[Posting], now_ms: int) -> None:  # noqa: ARG002 - the server counts by itself
        """See `Store`."""
        words = tuple(redis_words.kept(postings))
        await self._batch.submit(Command("keep", words, Touched(counters=_names(postings))))

    async def read_usage_counters(self, now_ms: int) -> UsageCounters:
        """See `Store`."""

        async def read() -> Any:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.set(f"{PREFIX}since", now_ms, nx=True)
                pipe.get(f"{PREFIX}since")
                pipe.get(f"{PREFIX}version")
                for table in ("meters", "gateways", "booked"):
                    pipe.hgetall(f"{PREFIX}{table}")
                return await pipe.execute()

        def decode(found: Any) -> UsageCounters:
            _, since, version, usage_counters, gateways, booked = found
            return UsageCounters(
                version=int(version or 0),
                since_ms=int(since),
                usage_counters=decoded(f"{PREFIX}meters", usage_counters, redis_fields.meter),
                known_gateways=decoded(f"{PREFIX}gateways", gateways, lambda name, moment: (name, int(moment))),
                booked=redis_fields.counts(decoded(f"{PREFIX}booked", booked, redis_fields.part)),
            )

        return await self._read(read, decode, Touched())

    async def write_usage_counters(self, update: UsageCounterUpdate) -> bool:
        """See `Store`."""
        arguments: list[Any] = [update.version, update.now_ms, len(update.usage_counters)]
        for key, counter in update.usage_counters.items():
            arguments += [redis_fields.field(key), json.dumps(asdict(counter))]
        arguments += [len(update.gateways), *update.gateways]
        for booking in update.bookings:
            arguments += [booking.payer, booking.requests, booking.cost, booking.at_ms, len(booking.postings)]
            arguments += redis_words.kept(booking.postings)
        touched = Touched(counters=tuple(name for one in update.bookings for name in _names(one.postings)))
        written: bool = await self._batch.submit(Command("reconcile", tuple(arguments), touched)) == 1
        if written:
            await self._forget_gateways(update.now_ms)
        return written

    async def ping(self) -> None:
        """See `Store`."""
        await self._batch.submit(Command("expire", redis_words.due(0, 1)))

    async def close(self) -> None:
        """See `Store`."""
        await self._batch.close()
        await self._redis.aclose()

    async def evicts(self) -> bool:
        """Say whether the server may drop keys when its memory is full; False when it does not tell."""
        try:
            info: Mapping[str, Any] = await self._redis.info("memory")
        except (RedisError, OSError) as error:
            raise StoreError(f"redis: {error}") from error
        return str(info.get("maxmemory_policy", "noeviction")) != "noeviction"

    async def _forget_gateways(self, now_ms: int) -> None:
        async def forget() -> None:
            seen: Any = await self._redis.hgetall(f"{PREFIX}gateways")
            old = now_ms - FORGET_GATEWAY_MS
            gone = {name for name, moment in seen.items() if moment.isdecimal() and int(moment) < old}
            if not gone:
                return
            for table in ("meters", "booked"):
                fields: Any = await self._redis.hkeys(f"{PREFIX}{table}")
                dead = [field for field in fields if field.split("|", 1)[0] in gone]
                if dead:
                    await self._redis.hdel(f"{PREFIX}{table}", *dead)
            await self._redis.hdel(f"{PREFIX}gateways", *gone)

        await self._guard(forget)

    async def _guard(self, call: Any) -> Any:
        try:
            return await call()
        except (RedisError, OSError) as error:
            raise StoreError(f"redis: {error}") from error

    async def _read(self, read: Callable[[], Awaitable[Any]], decode: Callable[[Any], T], touched: Touched) -> T:
        """Read, and once more when something that stood there could not be read and was set aside."""
        for _ in range(_ATTEMPTS):
            try:
                return decode(await read())
            except (RedisError, OSError) as error:
                if not is_damage(error):
                    raise StoreError(f"redis: {error}") from error
                await self._mend(suspects([touched]))
            except UnreadableFieldsError as error:
                await self._move_fields(error.key, error.fields)
            except ValueError:
                await self._mend(suspects([touched]))
        raise RefusedError("redis: what stands there cannot be read, and cannot be set aside")

    async def _move_fields(self, key: str, fields: Mapping[str, str]) -> None:
        """Set aside fields that nobody can make sense of; all of the hash where their names are no text."""

        async def move() -> int:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hset(aside(key), items=[word for pair in fields.items() for word in pair])
                pipe.hdel(key, *fields)
                return int((await pipe.execute())[1])

        if await self._guard(move):
            self._warn(told([f"{key} {field}" for field in fields]))
        else:
            await self._mend([key, UNKNOWN])

    async def _mend(self, arguments: Sequence[str]) -> None:
        """Set aside what cannot be read, and tell it."""
        command = Command("mend", tuple(arguments))
        (moved,) = await self._guard(lambda: self._run([command]))
        if isinstance(moved, NoScriptError):
            await self._guard(self._load)
            (moved,) = await self._guard(lambda: self._run([command]))
        if isinstance(moved, RedisError):
            raise StoreError(f"redis: {moved}")
        if f"{PREFIX}open" in moved:
            await self._guard(self._reopen)
        if moved:
            self._warn(told(moved))

    async def _reopen(self) -> None:
        """List anew which entries are open: else none of them would ever expire."""
        async for key in self._redis.scan_iter(match=f"{PREFIX}e:*", count=1_000, _type="hash"):
            phase, due = map(str, await self._redis.hmget(key, ["p", "t"]))
            if phase == Phase.OPEN.value and due.isdecimal():
                await self._redis.zadd(f"{PREFIX}open", {key.removeprefix(f"{PREFIX}e:"): int(due)}, nx=True)

    async def _execute(self, commands: Sequence[Command]) -> Sequence[Any]:
        results = await self._guard(lambda: self._run(commands))
        if any(isinstance(result, NoScriptError) for result in results):
            await self._guard(self._load)
            await self._again(commands, results, lambda result: isinstance(result, NoScriptError))
        if any(map(is_damage, results)):
            met = [command.touched for command, result in zip(commands, results, strict=True) if is_damage(result)]
            if any(command.script in {"expire", "settle", "give_back"} for command in commands):
                met.append(await self._guard(lambda: self._entries(met)))
            await self._mend(suspects(met))
            await self._again(commands, results, is_damage)
        return [_failure(found) if isinstance(found, RedisError) else found for found in results]

    async def _again(self, commands: Sequence[Command], results: list[Any], failed: Callable[[Any], bool]) -> None:
        missed = [index for index, result in enumerate(results) if failed(result)]
        again = await self._guard(lambda: self._run([commands[index] for index in missed]))
        for index, result in zip(missed, again, strict=True):
            results[index] = result

    async def _entries(self, met: Sequence[Touched]) -> Touched:
        """Return the oldest open entries, and the counters of these and of those that were met."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zrange(f"{PREFIX}open", 0, _OLDEST)
            (due,) = await pipe.execute(raise_on_error=False)
            requests = [*(request for one in met for request in one.requests), *(due if isinstance(due, list) else ())]
            for request in requests:
                pipe.hget(f"{PREFIX}e:{request}", "k")
            names = await pipe.execute(raise_on_error=False)
        counters = [name for text in names if isinstance(text, str) for name in text.split("\n") if name]
        return Touched(tuple(requests), tuple(counters))

    async def _run(self, commands: Sequence[Command]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.evalsha(_DIGESTS[command.script], 1, PREFIX, "\n".join(map(str, command.arguments)))
            results: list[Any] = await pipe.execute(raise_on_error=False)
            return results

    async def _load(self) -> None:
        for text in _SCRIPTS.values():
            await self._redis.script_load(text)


def _failure(error: RedisError) -> StoreError:
    """Tell a script's own refusal, made before it wrote anything, from a server that does not do its work."""
    text = str(error)
    refused = text.startswith(_REFUSED) or is_damage(error)
    return RefusedError(f"redis: {text}") if refused else StoreError(f"redis: {text}")


def _names(postings: Sequence[Posting]) -> tuple[str, ...]:
    return tuple(posting.counter for posting in postings)


def _settling(settlement: Settlement, metered: Metered) -> Command:
    touched = Touched((settlement.request,), _names(settlement.postings))
    return Command("settle", redis_words.settlement(settlement, metered), touched)
