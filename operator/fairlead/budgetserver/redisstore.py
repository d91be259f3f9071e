"""A store in Redis or Valkey: several budget servers share it.

Each step is one Lua script, so it is atomic over all policies of a request; scripts say in their first lines what they
take and give. All that they take is one text with an argument per line, since each argument of a command costs the
client as much as the rest of it. Time always comes from the caller: windows are cut by the servers' clocks, and a
counter carries its window's start in its name. All keys carry one hash tag, so they stay together in a cluster. The
server must not evict (`maxmemory-policy noeviction`): a counter that is evicted is spend that is forgotten.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha1
from importlib import resources
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from fairlead.budget.ledger import (
    CORRECTABLE_MS,
    EXPIRES_AFTER_MS,
    Admission,
    Counter,
    Hold,
    Plan,
    Posting,
    Settlement,
    Verdict,
)
from fairlead.budget.reconciliation import NOTHING, Count, UsageCounter, UsageCounterKey
from fairlead.budgetserver.batch import Batch
from fairlead.budgetserver.store import (
    FORGET_GATEWAY_MS,
    Expired,
    RefusedError,
    Settled,
    StoreError,
    UsageCounters,
    UsageCounterUpdate,
)

PREFIX = "{fairlead}:"
_NONE = "-"
_FORGET_OPEN_MS = 30 * 24 * 60 * 60 * 1000
"""An open entry outlives any outage of all budget servers that somebody would leave so."""
_LANES = 1
"""Round trips under way at a time. One makes the largest batches, and a batch costs more than what is in it."""
_FIELDS = 3
_REFUSED = "REFUSED"
"""How the scripts begin the error for numbers that no counter holds."""
_SUFFIXES = {"n": "requests", "i": "input", "o": "output", "c": "cached"}

Command = tuple[str, tuple[Any, ...]]


def _script(name: str) -> str:
    folder = resources.files("fairlead.budgetserver").joinpath("lua")
    return "".join(folder.joinpath(f"{part}.lua").read_text(encoding="utf-8") for part in ("money", name))


_SCRIPTS = {name: _script(name) for name in ("reserve", "settle", "expire", "reconcile", "keep")}
_DIGESTS = {name: sha1(text.encode(), usedforsecurity=False).hexdigest() for name, text in _SCRIPTS.items()}


class RedisStore:
    """Scripts over hashes: counters, entries, open reservations by due time and by payer, usage counters, booked."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_LANES + 2,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            decode_responses=True,
            retry=Retry(NoBackoff(), 1),
        )
        self._redis = Redis.from_pool(pool)
        self._batch: Batch[Command] = Batch(self._execute, lanes=_LANES, timeout_s=timeout_s)

    async def reserve(self, hold: Hold) -> Admission:
        """See `Store`."""
        arguments = [hold.request, hold.payer, hold.now_ms, EXPIRES_AFTER_MS, _FORGET_OPEN_MS, hold.most_open]
        for plan in (hold.plan, hold.downgrade):
            if plan is not None:
                arguments += _plan(plan)
        verdict, downgraded, *numbers = await self._batch.submit(("reserve", tuple(arguments)))
        return Admission(
            verdict=Verdict(verdict),
            downgraded=downgraded == "1",
            counters=tuple(
                Counter(spent=int(numbers[at]), reserved=int(numbers[at + 1]), estimated=int(numbers[at + 2]))
                for at in range(0, len(numbers), _FIELDS)
            ),
        )

    async def settle(self, settlement: Settlement, metered: tuple[UsageCounterKey, Count] | None) -> Settled:
        """See `Store`."""
        key, count = (_field(metered[0]), metered[1]) if metered else (_NONE, NOTHING)
        arguments = [
            settlement.request,
            settlement.payer,
            settlement.cost,
            int(settlement.estimated),
            settlement.remembered_ms,
            settlement.now_ms,
            int(settlement.reserved),
            key,
            count.requests,
            count.input,
            count.output,
            count.cached,
        ]
        for posting in settlement.postings:
            arguments += [posting.counter, _NONE if posting.keep_ms is None else posting.keep_ms]
        reply = await self._batch.submit(("settle", tuple(arguments)))
        if not reply:
            return Settled(cost=0, counters={})
        spent = {reply[at]: int(reply[at + 1]) for at in range(1, len(reply), 2)}
        return Settled(cost=int(reply[0]), counters=spent)

    async def expire(self, now_ms: int, limit: int) -> Sequence[Expired]:
        """See `Store`."""
        reply = await self._batch.submit(("expire", (now_ms, limit, EXPIRES_AFTER_MS, CORRECTABLE_MS)))
        return [Expired(payer=reply[at], booked=int(reply[at + 1])) for at in range(0, len(reply), 2)]

    async def counters(self, names: Sequence[str]) -> Sequence[Counter]:
        """See `Store`."""

        async def read() -> Sequence[Sequence[str | None]]:
            async with self._redis.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.hmget(f"{PREFIX}c:{name}", ["s", "r", "g"])
                found: Sequence[Sequence[str | None]] = await pipe.execute()
                return found

        rows = await self._guard(read)
        return [Counter(spent=int(s or 0), reserved=int(r or 0), estimated=int(g or 0)) for s, r, g in rows]

    async def keep(self, postings: Sequence[Posting], now_ms: int) -> None:  # noqa: ARG002 - the server counts by itself
        """See `Store`."""
        arguments: list[Any] = []
        for posting in postings:
            arguments += [posting.counter, _NONE if posting.keep_ms is None else posting.keep_ms]
        await self._batch.submit(("keep", tuple(arguments)))

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

        _, since, version, usage_counters, gateways, booked = await self._guard(read)
        return UsageCounters(
            version=int(version or 0),
            since_ms=int(since),
            usage_counters={_key(field): _usage_counter(state) for field, state in usage_counters.items()},
            known_gateways={name: int(moment) for name, moment in gateways.items()},
            booked=_booked(booked),
        )

    async def write_usage_counters(self, update: UsageCounterUpdate) -> bool:
        """See `Store`."""
        arguments: list[Any] = [update.version, update.now_ms, len(update.usage_counters)]
        for key, counter in update.usage_counters.items():
            arguments += [_field(key), json.dumps(asdict(counter))]
        arguments += [len(update.gateways), *update.gateways]
        for booking in update.bookings:
            arguments += [booking.payer, booking.requests, booking.cost, booking.at_ms, len(booking.postings)]
            for posting in booking.postings:
                arguments += [posting.counter, _NONE if posting.keep_ms is None else posting.keep_ms]
        written: bool = await self._batch.submit(("reconcile", tuple(arguments))) == 1
        if written:
            await self._forget_gateways(update.now_ms)
        return written

    async def ping(self) -> None:
        """See `Store`."""
        await self._batch.submit(("expire", (0, 1, EXPIRES_AFTER_MS, CORRECTABLE_MS)))

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
            gone = {name for name, moment in seen.items() if int(moment) < now_ms - FORGET_GATEWAY_MS}
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

    async def _execute(self, commands: Sequence[Command]) -> Sequence[Any]:
        results = await self._guard(lambda: self._run(commands))
        if any(isinstance(result, NoScriptError) for result in results):
            await self._guard(self._load)
            missed = [index for index, result in enumerate(results) if isinstance(result, NoScriptError)]
            again = await self._guard(lambda: self._run([commands[index] for index in missed]))
            for index, result in zip(missed, again, strict=True):
                results[index] = result
        return [_failure(found) if isinstance(found, RedisError) else found for found in results]

    async def _run(self, commands: Sequence[Command]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for name, arguments in commands:
                pipe.evalsha(_DIGESTS[name], 1, PREFIX, "\n".join(map(str, arguments)))
            results: list[Any] = await pipe.execute(raise_on_error=False)
            return results

    async def _load(self) -> None:
        for text in _SCRIPTS.values():
            await self._redis.script_load(text)


def _failure(error: RedisError) -> StoreError:
    """Tell a script's own refusal, made before it wrote anything, from a server that does not do its work."""
    text = str(error)
    return RefusedError(f"redis: {text}") if text.startswith(_REFUSED) else StoreError(f"redis: {text}")


def _plan(plan: Plan) -> list[Any]:
    arguments: list[Any] = [plan.amount, len(plan.postings)]
    for posting in plan.postings:
        arguments.append(posting.counter)
        arguments += [
            _NONE if number is None else number for number in (posting.cap, posting.downgrade_at, posting.keep_ms)
        ]
    return arguments


def _field(key: UsageCounterKey) -> str:
    """Spell a key as a field's name; no name of a gateway, consumer, route or target contains a bar."""
    return f"{key.gateway}|{key.consumer}|{key.route}|{key.target}|"


def _key(field: str) -> UsageCounterKey:
    gateway, consumer, route, target, _ = field.split("|")
    return UsageCounterKey(gateway=gateway, consumer=consumer, route=route, target=target)


def _usage_counter(state: str) -> UsageCounter:
    return UsageCounter(**{name: Count(**count) for name, count in json.loads(state).items()})


def _booked(fields: Mapping[str, str]) -> dict[UsageCounterKey, Count]:
    numbers: dict[UsageCounterKey, dict[str, int]] = {}
    for field, number in fields.items():
        numbers.setdefault(_key(field), {})[_SUFFIXES[field[-1]]] = int(number)
    return {key: Count(**count) for key, count in numbers.items()}
