"""Sends the trace's requests through the gateways, at the trace's own rhythm, faster."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from fairlead.demo.provider.reply import BYTES_PER_TOKEN
from fairlead.demo.scene import Region
from fairlead.demo.trace import Arrival, Service

ROUTES: Mapping[Service, str] = {Service.CONVERSATION: "assistant", Service.CODE: "autocomplete"}
"""The name that each service calls; conversations stream, completions of code do not."""
SHARES = (5, 3, 2)
"""How many of ten callers sit in the first, second and third region."""
TIMEOUT_S = 60
_FILLER = "word "
CONNECTIONS = 256


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What the callers saw."""

    answered: int = 0
    failures: list[str] = field(default_factory=list)
    first_bytes_ms: list[float] = field(default_factory=list)
    seconds: float = 0
    """How long it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request to send."""

    url: str
    body: bytes


def calls(arrivals: Sequence[Arrival], regions: Sequence[Region]) -> tuple[Call, ...]:
    """Make the requests: prompts of the trace's sizes, answers of the trace's sizes asked for in `metadata`."""
    homes = [region for region, share in zip(regions, SHARES, strict=True) for _ in range(share)]
    return tuple(
        Call(
            url=f"{homes[index % len(homes)].base_url}/chat/completions",
            body=body(
                ROUTES[arrival.service],
                arrival.prompt_tokens,
                stream=arrival.service is Service.CONVERSATION,
                metadata={"completion_tokens": str(arrival.completion_tokens)},
            ),
        )
        for index, arrival in enumerate(arrivals)
    )


def body(model: str, prompt_tokens: int, **more: Any) -> bytes:
    """Write a chat request whose prompt is filler of a size."""
    size = prompt_tokens * BYTES_PER_TOKEN
    content = (_FILLER * (size // len(_FILLER) + 1))[:size]
    return json.dumps({"model": model, "messages": [{"role": "user", "content": content}], **more}).encode()


async def replay(arrivals: Sequence[Arrival], regions: Sequence[Region], *, key: str, speed: float) -> Outcome:
    """Send every request when its time has come (`speed` times sooner) and wait for all answers."""
    outcome = Outcome()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    start = time.monotonic()
    async with (
        aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector) as session,
        asyncio.TaskGroup() as group,
    ):
        for arrival, call in zip(arrivals, calls(arrivals, regions), strict=True):
            await asyncio.sleep(max(0.0, start + arrival.at_s / speed - time.monotonic()))
            group.create_task(_send(session, call, outcome))
    outcome.seconds = time.monotonic() - start
    return outcome


async def _send(session: aiohttp.ClientSession, call: Call, outcome: Outcome) -> None:
    start = time.monotonic()
    try:
        async with session.post(call.url, data=call.body) as answer:
            outcome.first_bytes_ms.append((time.monotonic() - start) * 1000)
            text = await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        outcome.failures.append(repr(error))
        return
    if answer.status == 200 and (answer.content_type == "application/json" or text.endswith(b"data: [DONE]\n\n")):  # noqa: PLR2004 - HTTP
        outcome.answered += 1
    else:
        outcome.failures.append(f"{answer.status} {text[-200:].decode(errors='replace')}")
