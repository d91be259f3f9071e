"""A consumer's limit in flight, from check to report, on the memory store."""

import asyncio
import json
from dataclasses import replace

import pytest

from budget_world import World, configuration, policy
from fairlead.budget.ledger import EXPIRES_AFTER_MS, Admission, Counter, Hold
from fairlead.budgetserver import descriptor, ledgerview
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.messages import OK, OVER_LIMIT, Response
from fairlead.budgetserver.store import StoreError


def limited(world: World, most: int, consumer: str = "t/a") -> World:
    world.service.use(replace(world.service.configuration, in_flight={consumer: most}))
    return world


@pytest.mark.parametrize("budgeted", [True, False])
def test_a_limit_in_flight_holds_with_a_budget_and_without(*, budgeted: bool) -> None:
    world = limited(World(configuration(*([policy("t/p", 10_000)] if budgeted else []))), 2)
    assert [world.check(f"r{number}").overall_code for number in range(3)] == [OK, OK, OVER_LIMIT]
    refused = world.check("r3")
    error = json.loads(refused.raw_body)["error"]
    assert (error["type"], error["code"], error["param"]) == ("requests", "too_many_in_flight", None)
    assert "`t/a` may have 2 requests in flight" in error["message"]
    assert {header.key: header.value for header in refused.response_headers_to_add}["retry-after"] == "1"
    assert dict(refused.dynamic_metadata) == {"refused": "too_many_in_flight"}
    assert world.check("r4", consumer="t/b").overall_code == OK, "others go on"
    assert world.check("r0").overall_code == OK, "asked again, it is one of the two"
    world.report("r0")
    assert world.check("r5").overall_code == OK, "an end makes room at once"
    assert world.check("r6").overall_code == OVER_LIMIT
    assert world.sample("fairlead_budget_checks_total", verdict="too_many_in_flight") == 3
    assert world.sample("fairlead_budget_checks_total", verdict="crowded") == 0
    assert world.sample("fairlead_budget_in_flight_refused_total", consumer="t/a") == 3


def test_units_that_nobody_uses_are_not_in_flight() -> None:
    world = World(configuration(policy("t/p", 10**9)))
    asyncio.run(world.service.check(descriptor.check("t/a r0 chat 100 t/chat 50 1 - false 8,100,50,1 -")))
    limited(world, 2)
    assert asyncio.run(world.service.in_flight(["t/a"])) == [1]
    assert [world.check(f"r{number}").overall_code for number in (1, 2)] == [OK, OVER_LIMIT]


def test_what_a_consumer_without_a_policy_holds_is_booked_as_before() -> None:
    world = limited(World(configuration(consumers={"t/a": ()})), 5)
    granted = world.check("r1")
    assert not list(granted.response_headers_to_add), "nothing is left of no budget"
    assert dict(granted.dynamic_metadata) == {"reservation": "r1"}
    world.report("r1")
    world.report("r2", reservation="-")
    ((consumer, counter),) = asyncio.run(ledgerview.unmatched(world.service))
    assert (consumer, counter) == ("t/a", Counter(spent=140)), "with a hold as without"
    assert world.sample("fairlead_spend_usd_total", consumer="t/a", route="t/chat", budgeted="false") == pytest.approx(
        1.4e-7
    )


def test_a_hold_whose_report_never_comes_makes_room_when_it_expires() -> None:
    world = limited(World(configuration()), 1)
    assert world.check("r1").overall_code == OK
    assert world.check("r2").overall_code == OVER_LIMIT
    world.now_ms += EXPIRES_AFTER_MS
    assert len(asyncio.run(world.store.expire(world.now_ms, 10))) == 1
    assert world.check("r3").overall_code == OK


def test_nobody_is_judged_while_the_store_is_away() -> None:
    class Away(MemoryStore):
        async def reserve(self, hold: Hold) -> Admission:
            raise StoreError(hold.payer)

    world = limited(World(configuration(), Away()), 1)
    with pytest.raises(StoreError):  # the gateway does what `failurePolicy` says
        world.check("r1")
    assert world.check("r2", consumer="t/c").overall_code == OK, "who has neither limit nor budget needs no store"


def test_copies_for_a_shadow_are_no_requests_of_the_consumer() -> None:
    world = limited(World(configuration()), 1)
    copy = descriptor.shadow_check("t/a r0 chat 100 t/chat p/e/big 50 1")
    assert Response.FromString(asyncio.run(world.service.check(copy))).overall_code == OK
    assert world.check("r1").overall_code == OK


def test_who_is_in_flight_is_shown() -> None:
    world = limited(World(configuration(policy("t/p", 10_000))), 2)
    world.check("r1")
    world.check("r2", consumer="t/b")
    shown = asyncio.run(ledgerview.overview(world.service))["in_flight"]
    assert shown == [{"consumer": "t/a", "in_flight": 1, "most": 2}]
    asyncio.run(ledgerview.refresh(world.service, world.metrics))
    assert world.sample("fairlead_budget_in_flight", consumer="t/a") == 1
    assert world.sample("fairlead_budget_in_flight_limit", consumer="t/a") == 2
    assert world.sample("fairlead_budget_in_flight", consumer="t/b") is None
    world.service.use(configuration())
    asyncio.run(ledgerview.refresh(world.service, world.metrics))
    assert world.sample("fairlead_budget_in_flight", consumer="t/a") is None, "the limit is gone"
