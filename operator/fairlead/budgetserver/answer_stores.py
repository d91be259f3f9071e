"""Where shared answers lie: by their whole keys, for their time, all together within a number of bytes.

No ledger: it has keys of its own, and whoever fails here costs a request to a provider and nothing else. An answer that
cannot be read is none.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

from fairlead.budgetserver import shared_answer
from fairlead.budgetserver.shared_answer import Offer, SharedAnswer
from fairlead.budgetserver.store import StoreError

OVERHEAD = 256
"""Bytes that an answer takes beside its key and its body, about."""
SHORTEST_SECRET = 16
"""Bytes of the installation's key; whoever makes one takes twice as many."""
PREFIX = "{fairlead}:a"
_CONNECTIONS = 8


class Damaged:
    """Something stands there that is no answer to this request, or none any more."""


DAMAGED = Damaged()


class AnswerStore(Protocol):
    """A place for answers. Every method may raise `StoreError`."""

    async def find(self, key: bytes, now_ms: int) -> SharedAnswer | Damaged | None:
        """Return the answer to a request, by its whole key."""

    async def keep(self, offer: Offer, now_ms: int, most_bytes: int) -> int | None:
        """Keep an answer; others make room. Return how many bytes all have, or None where it has no room."""

    async def ping(self) -> None:
        """Return where it answers."""

    async def close(self) -> None:
        """Let go of connections."""


class MemoryAnswers:
    """The memory of one process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, tuple[SharedAnswer, int, int]] = OrderedDict()
        """By key: answer, when it ends, how many bytes it has; the least recently used first."""
        self._bytes = 0

    async def find(self, key: bytes, now_ms: int) -> SharedAnswer | Damaged | None:
        """See `AnswerStore`."""
        found = self._kept.get(key)
        if found is None:
            return None
        if found[1] <= now_ms:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return found[0]

    async def keep(self, offer: Offer, now_ms: int, most_bytes: int) -> int | None:
        """See `AnswerStore`."""
        size = len(offer.key) + len(offer.answer.body) + OVERHEAD
        if size > most_bytes:
            return None
        if offer.key in self._kept:
            self._drop(offer.key)
        while self._kept and self._bytes + size > most_bytes:
            self._drop(next(iter(self._kept)))
        self._kept[offer.key] = offer.answer, now_ms + offer.ttl_ms, size
        self._bytes += size
        return self._bytes

    async def ping(self) -> None:
        """See `AnswerStore`."""

    async def close(self) -> None:
        """See `AnswerStore`."""

    def _drop(self, key: bytes) -> None:
        self._bytes -= self._kept.pop(key)[2]


class RedisAnswers:
    """A Redis or Valkey that several budget servers share. What stands there is sealed."""

    def __init__(self, url: str, *, secret: bytes, timeout_s: float) -> None:
        # Both cost a start much, and `fairlead up` without Redis needs neither.
        from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415

        from fairlead.budgetserver.seal import Seal  # noqa: PLC0415

        self._redis = Redis.from_pool(
            BlockingConnectionPool.from_url(
                url,
                max_connections=_CONNECTIONS,
                timeout=timeout_s,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                retry=Retry(NoBackoff(), 0),
            )
        )
        self._timeout_s = timeout_s
        self._seal = Seal(secret)
        self._prefix = f"{PREFIX}:{self._seal.installation}"
        self._share = self._redis.register_script(
            resources.files("fairlead.budgetserver").joinpath("lua", "share.lua").read_text(encoding="utf-8")
        )

    async def find(self, key: bytes, now_ms: int) -> SharedAnswer | Damaged | None:  # noqa: ARG002 - its keys end by themselves
        """See `AnswerStore`."""
        name = self._seal.name(key)
        found = await self._call(lambda: self._redis.get(f"{self._prefix}:{name}"))
        if found is None:
            return None
        content = self._seal.open(name, found)
        return DAMAGED if content is None else shared_answer.decode(key, content) or DAMAGED

    async def keep(self, offer: Offer, now_ms: int, most_bytes: int) -> int | None:
        """See `AnswerStore`."""
        name = self._seal.name(offer.key)
        sealed = self._seal.close(name, shared_answer.encode(offer.key, offer.answer))
        arguments: list[str | bytes | int] = [name, sealed, offer.ttl_ms, now_ms, most_bytes, len(sealed) + OVERHEAD]
        total = int(await self._call(lambda: self._share(keys=[self._prefix], args=arguments)))
        return None if total < 0 else total

    async def ping(self) -> None:
        """See `AnswerStore`."""
        await self._call(self._redis.ping)

    async def close(self) -> None:
        """See `AnswerStore`."""
        await self._redis.aclose()

    async def _call(self, step: Callable[[], Any]) -> Any:
        from redis.exceptions import RedisError  # noqa: PLC0415 - as above

        try:
            async with asyncio.timeout(self._timeout_s):
                return await step()
        except (RedisError, OSError) as error:
            raise StoreError(f"redis: {str(error) or 'no answer in time'}") from error


def open_answers(address: str, *, secret: bytes, timeout_s: float) -> AnswerStore:
    """Return the place for answers beside a store that `open_store` takes: Redis, or else this process's memory."""
    if address.partition(":")[0] in {"sqlite", "memory"}:
        return MemoryAnswers()
    return RedisAnswers(address, secret=secret, timeout_s=timeout_s)


def secret_of(path: Path | None) -> bytes | None:
    """Read the installation's key; None where there is none that can be read, or one that can be guessed."""
    try:
        secret = b"" if path is None else path.read_bytes().strip()
    except OSError:
        return None
    return secret if len(secret) >= SHORTEST_SECRET else None
