"""One tenant's flood, and another one who asks meanwhile."""

import asyncio
import contextlib
from collections import Counter

import aiohttp

from budget.conftest import KEY


async def flood(port: int, *, each: int = 10, others: int = 20) -> tuple[Counter[int], Counter[int]]:
    """Ask over 300 connections with one key, so often each, and meanwhile with another's."""
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    body = {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}
    found: Counter[int] = Counter()
    theirs: Counter[int] = Counter()

    async def ask(session: aiohttp.ClientSession, key: str, seen: Counter[int]) -> None:
        # A client that is late with its body finds the connection of a refusal closed, and asks again on another.
        for last in (False, False, True):
            with contextlib.nullcontext() if last else contextlib.suppress(aiohttp.ServerDisconnectedError):
                async with session.post(url, json=body, headers={"authorization": f"Bearer {key}"}) as answer:
                    await answer.read()
                    seen[answer.status] += 1
                    return

    async def insist(session: aiohttp.ClientSession) -> None:
        for _ in range(each):
            await ask(session, KEY, found)

    timeout = aiohttp.ClientTimeout(total=60)
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout)
    async with session, asyncio.TaskGroup() as group:
        for _ in range(300):
            group.create_task(insist(session))
        for _ in range(others):
            await ask(session, "sk-other", theirs)
    return found, theirs
