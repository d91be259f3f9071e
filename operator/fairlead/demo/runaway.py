"""An agent that loops on its key, and what it and its gateways say of its money. Amounts in nano-dollars."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import openai

from fairlead.demo.bill import NANO, Price, Tokens
from fairlead.demo.load import client
from fairlead.demo.scene import Region

ROUTE = "agent"
"""The model name that it calls."""
QUESTION: Any = [{"role": "user", "content": "Try again. " * 145}]
"""About 400 tokens: what an agent sends once more when it did not like the answer."""
ANSWER_TOKENS = 900
REFUSED = 10
"""Refusals in a row after which it counts as stopped for good."""
PATIENCE_S = 60
"""How long it may take to be stopped."""
PAUSE_S = 0.1
"""Between two requests that are refused: it does not give up, and a client's library would pause as well."""
SETTLED_TIMEOUT_S = 45
"""More than the 20 s within which a lost report is found in the gateway's own counters."""
POLL_S = 0.1
QUOTA = "insufficient_quota"


class RunawayError(Exception):
    """The agent saw something else than answers, then refusals for want of money."""


class Runaway:
    """Asks all gateways in turn, one request after the other, without end."""

    def __init__(self, regions: Sequence[Region], *, key: str) -> None:
        self._regions, self._key = regions, key
        self.tokens = Tokens()
        """Of its answers, by the usage figures in the answers themselves."""
        self.refused = 0
        """Requests that were answered with 429 and `insufficient_quota`."""
        self.refusal = ""
        """What the first of them said."""
        self.seconds = 0.0
        """When that was, counted from its first request."""
        self._in_a_row = 0
        self._stopped = asyncio.Event()
        self._ending = False

    async def loop(self) -> None:
        """Ask until `end`, however often it is refused; raise `RunawayError` at any other failure."""
        began = time.monotonic()
        async with AsyncExitStack() as stack:
            gateways = [await stack.enter_async_context(client(region, self._key)) for region in self._regions]
            while not self._ending:
                gateway = gateways[(self.tokens.requests + self.refused) % len(gateways)]
                try:
                    answer = await gateway.chat.completions.create(
                        model=ROUTE,
                        messages=QUESTION,
                        max_tokens=ANSWER_TOKENS,
                        metadata={"completion_tokens": str(ANSWER_TOKENS)},
                    )
                except openai.RateLimitError as error:
                    self._refuse(error, time.monotonic() - began)
                    await asyncio.sleep(PAUSE_S)
                except openai.OpenAIError as error:
                    raise RunawayError(f"the agent's request failed: {error}") from error
                else:
                    self._take(answer.usage)

    async def stopped(self) -> None:
        """Wait until it is refused every time; raise `RunawayError` if that takes a minute."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._stopped.wait()
        except TimeoutError:
            raise RunawayError(
                f"the agent still runs after {PATIENCE_S} s and {self.tokens.requests} answers"
            ) from None

    def end(self) -> None:
        """Let the request that runs be the last: one that is cut off is booked by an estimate."""
        self._ending = True

    def _take(self, usage: Any) -> None:
        if usage is None:
            raise RunawayError("an answer to the agent had no usage figures, want them")
        details = usage.prompt_tokens_details
        cached = (details.cached_tokens or 0) if details else 0
        self.tokens.add(
            Tokens(requests=1, prompt=usage.prompt_tokens, cached=cached, completion=usage.completion_tokens)
        )
        self._in_a_row = 0

    def _refuse(self, error: openai.RateLimitError, after_s: float) -> None:
        if error.code != QUOTA:
            raise RunawayError(f"the agent was refused with code {error.code}, want `{QUOTA}`: {error}")
        body = error.body if isinstance(error.body, Mapping) else {}
        if not self.refused:
            self.seconds, self.refusal = after_s, str(body.get("message", error))
        self.refused += 1
        self._in_a_row += 1
        if self._in_a_row >= REFUSED:
            self._stopped.set()


async def usage(region: Region, key: str) -> Mapping[str, Any]:
    """Ask `GET /v1/usage` with a key until nothing is reserved; raise `RunawayError` if something stays so."""
    deadline = time.monotonic() + SETTLED_TIMEOUT_S
    async with client(region, key) as asking:
        while True:
            document: Any = await asking.get("/usage", cast_to=object)
            budget = document["budget"]
            if budget is None:
                raise RunawayError("got no budget from `GET /v1/usage`, want the agent's")
            if not budget["reserved"]:
                found: Mapping[str, Any] = budget
                return found
            if time.monotonic() > deadline:
                raise RunawayError(
                    f"${budget['reserved']} are still reserved {SETTLED_TIMEOUT_S} s after the last answer"
                )
            await asyncio.sleep(POLL_S)


def most(price: Price) -> int:
    """Return what one of its requests is held for: a token for each byte of its body, and the whole answer.

    The body's own syntax is counted generously.
    """
    body_bytes = len(QUESTION[0]["content"]) + 256
    return price.of(Tokens(prompt=body_bytes, completion=ANSWER_TOKENS))


def nano(usd: float) -> int:
    """Return the integer that a number of `GET /v1/usage` stands for."""
    return round(usd * NANO)
