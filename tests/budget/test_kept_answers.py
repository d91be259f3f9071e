"""Kept answers: nobody pays for them, and what they would have cost is counted, once, on all stores."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from running_up import RunningUp, Site, route, say, until

from budget.client import COST, budget, chat, spent
from budget.conftest import IN_TIME
from fairlead.budget import cached, spend
from fairlead.budget.configuration import BudgetConfiguration, RouteTerms, decode, encode
from fairlead.budget.estimate import Rung
from fairlead.budget.price import Price
from fairlead.budgetserver import descriptor
from fairlead.budgetserver.answer import exact
from fairlead.budgetserver.ledgerview import overview, told
from fairlead.budgetserver.messages import Request
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.store import Store
from fairlead.status import cache_state

Start = Callable[..., RunningUp]
NOW = 1_800_000_000_000
COUNTED = "1 30 40 10 0 0 0 0"
"""30 tokens in, 10 of them cached, 40 out."""
SAVED, THERE = 20 + 10 + 40, 200 + 50 + 800
"""What that costs in nano-dollars at the target, and at the baseline."""


def rung(fresh: int, held: int, output: int) -> Rung:
    price = Price(input=fresh * 10**6, output=output * 10**6, cached_input=held * 10**6)
    return Rung(price=price, max_output_tokens=None, context_window=None, generates=True)


def configuration() -> BudgetConfiguration:
    def terms(*, baseline: str | None = None, keeps: bool = True) -> RouteTerms:
        plans = {"": ("p/e/m",)}
        return RouteTerms(max_output_tokens=50, downgrade_to=None, plans=plans, baseline=baseline, cached=keeps)

    return BudgetConfiguration(
        fail_closed=False,
        request_bytes=1_000,
        policies=(),
        consumers={"t/a": ()},
        killed=frozenset(),
        routes={
            "t/chat": terms(),
            "t/compared": terms(baseline="big/e/best"),
            "t/plain": terms(keeps=False),
            "t/quiet": terms(),
        },
        targets={"p/e/m": rung(1, 1, 1), "big/e/best": rung(10, 5, 20)},
    )


def report(request: str, outcome: str, *, route: str = "t/chat", kept: str = COUNTED, sent: int = 0) -> Request:
    hit = outcome == "hit"
    known = f"t/a {request} chat 100 {route} none {'-' if hit else 'p/e/m'} false"
    words = f"{known} 200 - {0 if hit else 1} {sent} eu-1 ; 50 1 ; {'-' if hit else COUNTED}"
    message = Request(domain="fairlead")
    group = f"hit p/e/m {kept}" if hit else f"{outcome} - -"
    message.descriptors.add().entries.add(key="report", value=f"{words} ; {group}")
    return message


def account(route: str, requests: int, hits: int, nano: int, estimated: int = 0) -> dict[str, Any]:
    return {
        "route": route,
        **cached.told(requests=requests, hits=hits, saved=nano, estimated=estimated),
        "since": "2027-01-01T00:00:00Z",
    }


def test_a_hit_costs_nothing_and_saves_what_its_answer_took(stores: Callable[[], Store]) -> None:
    async def play() -> tuple[dict[str, Any], spend.SpendSnapshot, Metrics]:
        store, metrics = stores(), Metrics()
        try:
            rules = decode(encode(configuration()))
            service = RateLimitService(store=store, configuration=rules, clock=lambda: NOW, metrics=metrics)
            for one in (
                *(report("r1", "miss"), report("r2", "hit"), report("r2", "hit"), report("r3", "bypass")),
                *(report("r4", "hit", kept="-", sent=100), report("r5", "-", route="t/plain")),
                *(report("r6", "miss", route="t/compared"), report("r7", "hit", route="t/compared")),
            ):
                found = descriptor.read(one)
                assert isinstance(found, descriptor.Report)
                await service.report(found)
            return await overview(service), spend.decode(await told(service, "d")), metrics
        finally:
            await store.close()

    shown, snapshot, metrics = asyncio.run(play())
    guessed = 50 + 50  # a body of 100 bytes is taken for 50 tokens, and so are as many of an answer
    assert shown["caches"] == [
        account("t/chat", 4, 2, SAVED + guessed, guessed),
        account("t/compared", 2, 1, SAVED),
        account("t/quiet", 0, 0, 0),
    ]
    # Three requests asked a provider; nothing else costs anybody anything.
    assert [(one["consumer"], one["spentUSD"]) for one in shown["unbudgeted"]] == [("t/a", exact(4 * SAVED))]
    # At the baseline the hit would have been paid, too.
    (saving,) = shown["savings"]
    assert (saving["spentUSD"], saving["baselineUSD"]) == (f"{SAVED / 10**9:.8f}", f"{2 * THERE / 10**9:.7f}")
    assert [(one.route, one.requests, one.hits, one.saved) for one in snapshot.caches] == [
        ("t/chat", 4, 2, SAVED + guessed),
        ("t/compared", 2, 1, SAVED),
        ("t/quiet", 0, 0, 0),
    ]
    metrics.flush()
    value = metrics.registry.get_sample_value("fairlead_cache_saved_usd_total", {"route": "t/chat"})
    assert value == pytest.approx((SAVED + guessed) / 10**9)


def test_what_is_saved_is_told_to_people() -> None:
    (_, line) = cached.lines([account("t/chat", 7, 2, 1_500_000_000, 500_000_000)])
    assert "$1.50 saved ($0.50 of it estimated): 2 of 7 requests (28%), since 2027-01-01T00:00:00Z" in line
    (_, line) = cached.lines([account("t/chat", 0, 0, 0)])
    assert "$0.00 saved: 0 of 0 requests (0%)" in line
    assert cached.lines([]) == []


def test_a_status_tells_it_once_a_minute() -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def snapshot(hits: int) -> spend.SpendSnapshot:
        one = cached.CacheAccount(
            route="t/chat", requests=9, hits=hits, saved=hits, estimated=0, since_ms=1_793_491_200_000
        )
        return spend.SpendSnapshot(configuration="c", store_up=True, accounts=(), caches=(one,))

    first = cache_state(snapshot(1), "t/chat", None, now=now)
    assert first == {
        "requests": 9,
        "hits": 1,
        "savedUSD": "0.000000001",
        "estimatedUSD": "0.00",
        "since": "2026-11-01T00:00:00Z",
        "observedAt": "2026-11-21T12:00:00Z",
    }
    soon, late = now + timedelta(seconds=59), now + timedelta(seconds=60)
    assert cache_state(snapshot(2), "t/chat", first, now=soon) is first
    assert (cache_state(snapshot(2), "t/chat", first, now=late) or {})["hits"] == 2
    assert cache_state(snapshot(1), "t/chat", first, now=late) is first, "nothing is news"
    assert cache_state(snapshot(1), "t/other", None, now=now) is None


def told_of(site: Site) -> tuple[int, int, str]:
    """What `fairlead budgets` says of the one route that keeps answers: requests, hits, dollars saved."""
    said = say("budgets", "-c", site.config, "--state", site.state, "-o", "json")
    (one,) = json.loads(said.stdout)["caches"]
    return one["requests"], one["hits"], one["savedUSD"]


@pytest.mark.envoy
def test_who_has_no_money_left_gets_no_answer_that_was_kept(site: Site, start: Start) -> None:
    """A hit is checked, costs nothing, and gives back what was reserved for it."""
    site.write_config(budgets=IN_TIME)
    site.write("budget.yaml", budget(usd="1"))
    site.write("route.yaml", route("chat", "sparrow", maxOutputTokens=100, cache={"ttl": "1h"}))
    start(site, "--workers", "1").serving()
    (port,) = site.ports
    first = chat(port)
    assert first.headers["x-fairlead-cache"] == "miss"
    until(lambda: spent(port) == COST)
    second = chat(port)
    assert (second.headers["x-fairlead-cache"], second.body) == ("hit", first.body)
    assert "x-fairlead-budget-remaining" in second.headers, "it was checked"
    until(lambda: told_of(site) == (2, 1, f"{COST / 10**9:.6f}"))
    until(lambda: spent(port) == COST)
    site.write("budget.yaml", budget(usd="0"))
    until(lambda: chat(port).status == 429)
    assert "x-fairlead-cache" not in chat(port).headers
