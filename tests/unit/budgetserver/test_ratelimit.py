"""Checks and reports from end to end, on the memory store, with a clock of the test's own."""

import asyncio
import json
from dataclasses import replace

import pytest

from budget_world import HOUR, SMALL, World, asked, configuration, ended, policy
from fairlead.budget.attempt import Attempt
from fairlead.budget.belief import Claim
from fairlead.budget.ledger import Admission, Counter, Hold, Settlement
from fairlead.budget.policy import Action, Scope, Stage
from fairlead.budget.reconciliation import Count, UsageCounterKey
from fairlead.budget.window import Every
from fairlead.budgetserver import descriptor
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.messages import OK, OVER_LIMIT, Response
from fairlead.budgetserver.store import Settled, StoreError


def test_reserve_then_commit() -> None:
    world = World(configuration(policy("t/p", 1_000)))
    assert world.check("r1").overall_code == OK
    assert world.spent("t/p") == (0, 150), "a token per byte and the request's own limit, at the dearest rung"
    world.report("r1")
    assert world.spent("t/p") == (70, 0)
    assert world.sample("fairlead_spend_usd_total", consumer="t/a", route="t/chat", budgeted="true") == pytest.approx(
        7e-8
    )


def test_the_price_is_that_of_the_target_that_answered() -> None:
    world = World(configuration(policy("t/p", 1_000)))
    world.check("r1")
    world.report("r1", target="p/e/small")
    assert world.spent("t/p") == (7, 0)


def test_on_a_cascade_all_models_are_reserved_and_each_is_paid() -> None:
    rules = configuration(policy("t/p", 1_000))
    chat = replace(rules.routes["t/chat"], cascade=True, plans={"": ("p/e/big", "q/e/big", "p/e/small")})
    targets = {**rules.targets, "q/e/big": SMALL}
    world = World(replace(rules, routes={**rules.routes, "t/chat": chat}, targets=targets))
    assert world.check("r1").overall_code == OK
    assert world.spent("t/p") == (0, 150 + 15), "the dearest place of each model"
    asyncio.run(world.service.check(asked("r2")._replace(stream=True)))
    assert world.spent("t/p") == (0, 150 + 15 + 150), "a stream meets one of them"
    judged = descriptor.Judged(
        attempt=Attempt(target="p/e/small", status=200, elapsed_ms=10),
        claim=Claim(said=True, input=100, output=200),
        metered=True,
    )
    asyncio.run(world.service.report(ended("r1")._replace(judged=(judged, judged))))
    assert world.spent("t/p") == (70 + 30 + 30, 150)
    booked = asyncio.run(world.store.read_usage_counters(world.now_ms)).booked
    assert booked[UsageCounterKey(gateway="eu-1", consumer="t/a", route="t/chat", target="p/e/small")] == Count(
        requests=2, input=200, output=400
    )
    asyncio.run(world.service.report(ended("r1")._replace(judged=(judged, judged))))
    assert world.spent("t/p") == (70 + 30 + 30, 150), "once, however often it comes"


def test_no_room() -> None:
    world = World(configuration(policy("t/p", 299, window=Every(length_ms=HOUR))))
    assert world.check("r1").overall_code == OK
    rejected = world.check("r2")
    assert rejected.overall_code == OVER_LIMIT
    assert json.loads(rejected.raw_body)["error"]["code"] == "insufficient_quota"
    assert world.spent("t/p") == (0, 150)
    world.report("r2", status="429", flags="RL", attempts="0", target="-", usage="-", input="-")
    assert world.spent("t/p") == (0, 150), "our own 429 books nothing"


def test_a_new_window_starts_at_zero_and_late_reports_land_in_theirs() -> None:
    world = World(configuration(policy("t/p", 1_000, window=Every(length_ms=HOUR))))
    world.check("r1")
    world.now_ms += HOUR
    assert world.spent("t/p") == (0, 0)
    world.report("r1")
    assert world.spent("t/p") == (0, 0)
    world.now_ms -= HOUR
    assert world.spent("t/p") == (70, 0), "a clock that steps back finds the window as it was"


def test_every_policy_must_have_room() -> None:
    world = World(configuration(policy("t/p", 1_000), policy("t/q", 100, scope=Scope.SHARED)))
    assert world.check("r1").overall_code == OVER_LIMIT
    assert world.spent("t/p") == (0, 0)


def test_who_is_refused_for_good_is_remembered() -> None:
    world = World(
        configuration(policy("t/p", 200), policy("t/q", 10, scope=Scope.SHARED, routes=frozenset({"t/small"})))
    )
    assert world.check("r1").overall_code == OK
    assert world.check("r2").overall_code == OVER_LIMIT
    assert world.service.refusals.of("t/p", 0) == frozenset(), "once r1 is settled there may be room"
    world.report("r1")
    assert world.check("r3").overall_code == OVER_LIMIT
    assert world.service.refusals.of("t/p", 0) == {"t/a"}
    assert world.check("r4", consumer="t/b", route="t/small").overall_code == OVER_LIMIT
    assert world.service.refusals.of("t/q", 0) == {"*"}


def test_a_shared_limit_is_shared() -> None:
    world = World(configuration(policy("t/p", 200, scope=Scope.SHARED)))
    assert world.check("r1", consumer="t/a").overall_code == OK
    assert world.check("r2", consumer="t/b").overall_code == OVER_LIMIT
    world = World(configuration(policy("t/p", 200)))
    assert world.check("r1", consumer="t/a").overall_code == OK
    assert world.check("r2", consumer="t/b").overall_code == OK


def test_a_policy_of_other_routes_does_not_count() -> None:
    world = World(configuration(policy("t/p", 0, routes=frozenset({"t/small"}))))
    assert world.check("r1", route="t/chat").overall_code == OK
    assert world.check("r2", route="t/small").overall_code == OVER_LIMIT


def test_downgrade() -> None:
    stages = (Stage(at=5_000, action=Action.DOWNGRADE),)
    world = World(configuration(policy("t/p", 400, stages=stages), policy("t/q", 1_000, routes=frozenset({"t/small"}))))
    first = world.check("r1")
    assert not first.request_headers_to_add
    world.report("r1", input="200", output="0")
    second = world.check("r2")
    assert [header.value for header in second.request_headers_to_add] == ["t/small"]
    assert world.spent("t/p") == (200, 15)
    assert world.spent("t/q") == (0, 15), "the policy of the route that answers counts too"
    world.report("r2", route="t/small", target="p/e/small", input="10", output="0")
    assert world.spent("t/p") == (201, 0)
    assert world.spent("t/q") == (1, 0)
    assert world.sample("fairlead_budget_checks_total", verdict="downgraded") == 1
    assert world.sample("fairlead_budget_stage_reached_total", policy="t/p", action="Downgrade") == 1


def test_what_goes_on_from_an_answer_is_never_downgraded_and_closes_nothing_smaller() -> None:
    stages = (Stage(at=5_000, action=Action.DOWNGRADE),)
    world = World(configuration(policy("t/p", 400, stages=stages)))
    world.check("r1")
    world.report("r1", input="200", output="0")
    goes_on = Response.FromString(asyncio.run(world.service.check(asked("r2")._replace(goes_on=True))))
    assert goes_on.overall_code == OK
    assert not goes_on.request_headers_to_add
    assert world.spent("t/p") == (200, 150)
    answer = Response.FromString(asyncio.run(world.service.check(asked("r3", body=300)._replace(goes_on=True))))
    assert answer.overall_code == OVER_LIMIT
    assert "closed" not in answer.dynamic_metadata.fields
    assert "closed" in world.check("r4", body=900, route="t/other").dynamic_metadata.fields


def test_killed_consumers_are_stopped_without_asking_the_store() -> None:
    world = World(configuration(killed=frozenset({"t/a"}), consumers={"t/a": ()}))
    assert world.check("r1").overall_code == OVER_LIMIT


def test_a_consumer_without_policies_goes_on_and_is_counted() -> None:
    world = World(configuration(consumers={"t/a": ()}))
    assert world.check("r1").overall_code == OK
    world.report("r1", reservation="-")
    assert world.sample("fairlead_budget_checks_total", verdict="unbudgeted") == 1
    assert world.sample("fairlead_spend_usd_total", consumer="t/a", route="t/chat", budgeted="false") == pytest.approx(
        7e-8
    )


def test_where_nobody_has_a_limit_no_check_is_missed() -> None:
    world = World(configuration())
    world.report("r1", reservation="-")
    kinds = ("metered", "unchecked")
    assert [world.sample("fairlead_budget_reports_total", kind=kind) for kind in kinds] == [1, 0]


def test_a_report_without_a_check_is_booked_all_the_same() -> None:
    world = World(configuration(policy("t/p", 1_000)))
    world.report("r1", reservation="-")
    assert world.spent("t/p") == (70, 0)
    assert world.sample("fairlead_budget_reports_total", kind="unchecked") == 1
    world.check("r1")
    assert world.spent("t/p") == (70, 0), "the check that was overtaken holds nothing"


def test_a_client_that_left_is_estimated_at_most_at_the_reservation() -> None:
    world = World(configuration(policy("t/p", 1_000)))
    world.check("r1")
    world.report("r1", flags="DC", sent="99999", usage="-", input="-", output="-", stream="true")
    assert world.spent("t/p") == (150, 0)
    assert world.sample("fairlead_budget_reports_total", kind="estimated") == 1


def test_a_body_of_unknown_size_is_taken_for_the_largest() -> None:
    world = World(configuration(policy("t/p", 10_000)))
    asyncio.run(world.service.check(asked("r1", body="-")))
    assert world.spent("t/p") == (0, 5_050)


def test_spend_survives_another_book() -> None:
    world = World(configuration(policy("t/p", 1_000)))
    world.report("r1", reservation="-")
    world.service.use(configuration())
    world.service.use(configuration(policy("t/p", 70)))
    assert world.check("r2").overall_code == OVER_LIMIT
    assert world.spent("t/p") == (70, 0)


def test_requests_that_reached_no_route_are_ignored() -> None:
    world = World(configuration(policy("t/p", 1_000)))
    world.report("r1", route="-", reservation="-", status="404", attempts="0", usage="-", input="-")
    assert world.sample("fairlead_budget_reports_total", kind="ignored") == 1


def test_a_request_of_the_gateways_own_is_nobodys_and_booked_nowhere() -> None:
    # A probe with a credential, say, which is an attempt and has a usage of its own
    world = World(configuration(policy("t/p", 1_000)))
    world.report("r1", route="probe", reservation="-")
    assert world.sample("fairlead_budget_reports_total", kind="ignored") == 1
    assert world.spent("t/p") == (0, 0)


def test_stages_are_told_once() -> None:
    world = World(configuration(policy("t/p", 1_000, stages=(Stage(at=1_000, action=Action.NOTIFY),))))
    for number in range(4):
        world.report(f"r{number}", reservation="-")
    assert world.sample("fairlead_budget_stage_reached_total", policy="t/p", action="Notify") == 1


class Shaky(MemoryStore):
    """A memory store that can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.up = True
        self.asked = 0

    async def reserve(self, hold: Hold) -> Admission:
        self.asked += 1
        if not self.up:
            raise StoreError("away")
        return await super().reserve(hold)

    async def settle(self, settlement: Settlement, metered: tuple[UsageCounterKey, Count] | None) -> Settled:
        if not self.up:
            raise StoreError("away")
        return await super().settle(settlement, metered)

    async def ping(self) -> None:
        if not self.up:
            raise StoreError("away")


def test_while_the_store_is_away_checks_fail_at_once_and_reports_wait() -> None:
    store = Shaky()
    world = World(configuration(policy("t/p", 1_000)), store)
    store.up = False
    for number in range(5):
        with pytest.raises(StoreError):
            world.check(f"r{number}")
    assert store.asked == 3, "then it is not waited for"
    assert not world.service.store_up
    world.report("r1", reservation="-")
    world.report("r2", reservation="-")
    assert len(world.service.backlog) == 2
    with pytest.raises(StoreError):
        asyncio.run(world.service.ping())
    store.up = True
    asyncio.run(world.service.ping())
    assert world.service.store_up
    assert asyncio.run(world.service.backlog.drain())
    assert world.spent("t/p") == (140, 0)
    assert world.check("r3").overall_code == OK


def test_counters_of_no_names_need_no_store() -> None:
    world = World(configuration())
    assert list(asyncio.run(world.service.counters([]))) == []
    assert asyncio.run(world.service.standings("t/unknown")) == ()
    assert Counter() == Counter()


def test_who_has_too_many_requests_under_way_is_told_so_and_not_that_money_is_spent() -> None:
    class Crowded(MemoryStore):
        async def reserve(self, hold: Hold) -> Admission:
            return await super().reserve(replace(hold, most_open=1))

    world = World(configuration(policy("t/p", 1_000)), Crowded())
    assert world.check("r1").overall_code == OK
    refused = world.check("r2")
    assert refused.overall_code == OVER_LIMIT
    error = json.loads(refused.raw_body)["error"]
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert {header.key: header.value for header in refused.response_headers_to_add}["retry-after"] == "5"
    assert not dict(refused.dynamic_metadata), "nothing for gateways to remember"
    assert world.check("r3", consumer="t/b").overall_code == OK, "others go on"
    world.report("r1")
    assert world.check("r4").overall_code == OK
    assert world.sample("fairlead_budget_checks_total", verdict="crowded") == 1
