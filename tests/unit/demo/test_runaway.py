"""The agent that runs away, against a simulated provider and against gateways that say what a test wants."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from fairlead.demo import runaway
from fairlead.demo.bill import Price
from fairlead.demo.provider import SimulatedProvider
from fairlead.demo.runaway import ANSWER_TOKENS, REFUSED, ROUTE, Runaway, RunawayError, most, nano, usage
from fairlead.demo.scene import Region


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runaway, "PAUSE_S", 0.01)


PREMIUM = Price(input=2_500_000_000, cached=1_250_000_000, output=10_000_000_000)


@contextmanager
def gateway(*replies: tuple[int, Any]) -> Iterator[Region]:
    """Answer requests with these statuses and bodies in turn, the last one again and again."""
    left = list(replies)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = left.pop(0) if len(left) > 1 else left[0]
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Region(name="a", port=server.server_address[1])
        finally:
            server.shutdown()


def refusal(code: str = "insufficient_quota") -> tuple[int, Any]:
    return 429, {"error": {"message": "The budget is spent.", "type": code, "param": None, "code": code}}


def answer(**changes: Any) -> tuple[int, Any]:
    message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "No."}}
    figures = {"prompt_tokens": 400, "completion_tokens": 900, "total_tokens": 1300}
    whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [message], "usage": figures}
    return 200, whole | changes


async def run_away(agent: Runaway) -> None:
    looping = asyncio.create_task(agent.loop())
    stopping = asyncio.create_task(agent.stopped())
    await asyncio.wait({looping, stopping}, return_when=asyncio.FIRST_COMPLETED)
    agent.end()
    stopping.cancel()
    await looping


def test_counts_what_its_answers_say_and_goes_on_when_refused() -> None:
    with gateway(answer(), answer(), refusal()) as region:
        agent = Runaway((region,), key="k")
        asyncio.run(run_away(agent))
    assert (agent.tokens.requests, agent.tokens.prompt, agent.tokens.completion) == (2, 800, 1800)
    assert agent.refused >= REFUSED
    assert agent.refusal == "The budget is spent."


def test_a_request_let_in_between_two_refusals_is_counted() -> None:
    with gateway(refusal(), answer(), refusal()) as region:
        agent = Runaway((region,), key="k")
        asyncio.run(run_away(agent))
    assert agent.tokens.requests == 1
    assert agent.refused >= REFUSED + 1


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        pytest.param(refusal("rate_limit_exceeded"), "rate_limit_exceeded", id="another limit is not the budget"),
        pytest.param((503, {"error": {"message": "away"}}), "failed", id="a fault is not a refusal"),
        pytest.param(answer(usage=None), "usage", id="an answer that nobody can price"),
    ],
)
def test_anything_else_fails_the_story(reply: tuple[int, Any], says: str) -> None:
    with gateway(reply) as region, pytest.raises(RunawayError, match=says):
        asyncio.run(run_away(Runaway((region,), key="k")))


def test_is_not_stopped_without_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runaway, "PATIENCE_S", 0.2)
    with pytest.raises(RunawayError, match="still runs"):
        asyncio.run(Runaway((), key="k").stopped())


def test_a_request_costs_cents_and_is_held_for_little_more() -> None:
    with SimulatedProvider(models=(ROUTE,), keys=("k",)).start() as provider:

        async def one(agent: Runaway) -> None:
            looping = asyncio.create_task(agent.loop())
            while not agent.tokens.requests:
                await asyncio.sleep(0.01)
            agent.end()
            await looping

        agent = Runaway((Region(name="a", port=provider.port),), key="k")
        asyncio.run(one(agent))
    cost = PREMIUM.of(agent.tokens) // agent.tokens.requests
    assert agent.tokens.completion == ANSWER_TOKENS * agent.tokens.requests
    assert 9_000_000 < cost < 11_000_000, "about 100 requests to a dollar"
    assert cost < most(PREMIUM) < 2 * cost


def budget(**figures: float) -> tuple[int, Any]:
    return 200, {"object": "usage", "budget": {"limit": 1.0, "spent": 0.99724875, "reserved": 0.0} | figures}


def test_usage_waits_until_nothing_is_reserved() -> None:
    with gateway(budget(reserved=0.01, spent=0.5), budget()) as region:
        assert nano(asyncio.run(usage(region, "k"))["spent"]) == 997_248_750


def test_usage_of_a_key_without_a_budget() -> None:
    nobodys = 200, {"object": "usage", "budget": None, "budgets": []}
    with gateway(nobodys) as region, pytest.raises(RunawayError, match="no budget"):
        asyncio.run(usage(region, "k"))


def test_usage_of_a_reservation_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runaway, "SETTLED_TIMEOUT_S", 0.1)
    with gateway(budget(reserved=0.01)) as region, pytest.raises(RunawayError, match="still reserved"):
        asyncio.run(usage(region, "k"))
