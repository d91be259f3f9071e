"""A consumer that is removed, and added again, while it sends: gateways let it in a moment longer, or earlier."""

import asyncio
from dataclasses import replace

from budget_world import World, configuration, policy
from fairlead.budgetserver.departed import KEPT_MS
from fairlead.budgetserver.ledgerview import overview
from fairlead.budgetserver.messages import OK, OVER_LIMIT

RULES = configuration(policy("t/p", 1_000))
WITHOUT = replace(RULES, consumers={})


def test_a_removed_consumer_is_paid_by_the_policies_that_it_had() -> None:
    world = World(RULES)
    world.check("r1")
    world.service.use(WITHOUT)
    world.report("r1")
    assert world.check("r2").overall_code == OK
    world.report("r2")
    world.report("r3", reservation="-")
    world.service.use(RULES)
    assert world.spent("t/p") == (210, 0), "reserved before, while it was away, and not at all"


def test_a_removed_consumer_cannot_pass_its_limit() -> None:
    world = World(configuration(policy("t/p", 100)))
    world.service.use(replace(world.service.configuration, consumers={}))
    assert world.check("r1").overall_code == OVER_LIMIT


def test_who_left_long_ago_is_forgotten_and_a_policy_that_went_pays_nothing() -> None:
    world = World(RULES)
    world.service.use(WITHOUT)
    world.service.use(replace(WITHOUT, policies=()))
    assert world.service.terms("t/a", ("t/chat",), world.now_ms).policies == ()
    world.service.use(WITHOUT)
    assert world.service.terms("t/a", ("t/chat",), world.now_ms).policies == RULES.policies
    world.now_ms += KEPT_MS + 1
    world.service.use(WITHOUT)
    assert world.service.terms("t/a", ("t/chat",), world.now_ms).policies == ()


def test_what_a_consumer_spent_before_it_was_known_is_told() -> None:
    world = World(WITHOUT)
    world.report("r1", reservation="-")
    world.service.use(RULES)
    (told,) = asyncio.run(overview(world.service))["unbudgeted"]
    assert (told["consumer"], told["spentUSD"]) == ("t/a", "0.00000007")
