"""Asking budget servers: one that decides is enough, and a short absence is no news."""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from fairlead.budget.spend import SpendSnapshot
from fairlead.controller.budget_server import CALM_S, COMPONENT, EAGER_S, Budgets
from fairlead.errors import BudgetServerError
from fairlead.manifests import COMPONENT_LABEL
from fairlead.status import Availability

UP, DOWN = (
    SpendSnapshot(configuration="b", store_up=True, accounts=()),
    SpendSnapshot(configuration="b", store_up=False, accounts=()),
)


class Servers:
    """Budget servers by address; one that is not there does not answer."""

    def __init__(self, **servers: SpendSnapshot) -> None:
        self.servers = servers
        self.asked: list[str] = []

    async def spend(self, address: str, port: int) -> SpendSnapshot:
        assert port == 8083
        self.asked.append(address)
        if address not in self.servers:
            raise BudgetServerError(f"{address}: nobody there")
        return self.servers[address]


def _pod(address: str, *, ready: bool = True, component: str = COMPONENT, ends: bool = False) -> Mapping[str, Any]:
    metadata = {"name": address, "labels": {COMPONENT_LABEL: component}, **({"deletionTimestamp": "x"} if ends else {})}
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {"kind": "Pod", "metadata": metadata, "status": {"podIP": address, "conditions": conditions}}


PODS = (_pod("one"), _pod("two"))


def _ask(budgets: Budgets, *pods: Mapping[str, Any], times: int = 1) -> list[bool]:
    return [asyncio.run(budgets.ask(pods)) for _ in range(times)]


def _budgets(servers: Servers) -> Budgets:
    return Budgets(servers, structlog.get_logger())


def test_one_that_decides_is_enough() -> None:
    servers = Servers(two=DOWN, three=UP)
    budgets = _budgets(servers)
    assert _ask(budgets, *PODS, _pod("three")) == [True]
    assert servers.asked == ["one", "two", "three"]
    assert budgets.reading is not None
    assert budgets.reading.availability is Availability.ANSWERS
    assert _ask(budgets, *PODS, _pod("three")) == [False]


def test_only_pods_that_take_requests_are_asked() -> None:
    servers = Servers()
    _ask(_budgets(servers), _pod("a", ready=False), _pod("b", component="gateway"), _pod("c", ends=True), _pod("d"))
    assert servers.asked == ["d"]


def test_a_short_absence_is_no_news_and_a_long_one_keeps_what_was_spent() -> None:
    servers = Servers(one=UP)
    budgets = _budgets(servers)
    _ask(budgets, *PODS)
    servers.servers.clear()
    assert _ask(budgets, *PODS, times=4) == [False, False, True, False]
    assert budgets.reading is not None
    assert budgets.reading.availability is Availability.NO_SERVER
    assert budgets.reading.spend == UP
    servers.servers["one"] = DOWN
    assert _ask(budgets, *PODS) == [True]
    assert budgets.reading.availability is Availability.NO_STORE
    servers.servers["two"] = UP
    assert _ask(budgets, *PODS) == [True]
    assert budgets.reading.availability is Availability.ANSWERS


def test_it_asks_again_soon_while_something_is_awaited() -> None:
    budgets = _budgets(Servers(one=UP))
    assert budgets.pause_s == EAGER_S, "nothing is known yet"
    _ask(budgets, *PODS)
    assert budgets.pause_s == EAGER_S, "its configuration is not the one that was written"
    budgets.expected = UP.configuration
    assert budgets.pause_s == CALM_S
    _ask(budgets)
    assert budgets.pause_s == EAGER_S, "nobody answered"
