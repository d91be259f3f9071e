"""Arms: who goes to which side, and what happens to them when it fails."""

import math
from collections import Counter
from collections.abc import Callable

import pytest
from serving import Rung, Served, Serving, Share, answered, route

from fairlead.ir import Side, Stickiness

pytestmark = pytest.mark.envoy

Start = Callable[..., Rung]
Serve = Callable[..., Serving]

CROWD = tuple(f"team/consumer-{number}" for number in range(200))


def canary(name: str, stable: Rung, candidate: Rung, weight: int, stickiness: Stickiness) -> Served:
    """Make a route whose candidate has the stable ladder below it."""
    arms = (
        Share(weight=10_000 - weight, rungs=(stable,)),
        Share(weight=weight, rungs=(candidate, stable), side=Side.CANDIDATE),
    )
    return route(name, arms=arms, stickiness=stickiness)


def sides(gateway: Serving, model: str) -> dict[str, str]:
    """Ask once for each consumer; which provider answered whom."""
    answers = {consumer: answered(gateway.ask(model, consumer=consumer)) for consumer in CROWD}
    assert {status for status, _, _ in answers.values()} == {200}
    return {consumer: provider for consumer, (_, provider, _) in answers.items()}


def test_a_consumer_stays_on_its_side(start_rung: Start, serve: Serve) -> None:
    alpha, beta = start_rung("alpha"), start_rung("beta")
    gateway = serve(
        canary("chat", alpha, beta, 1000, Stickiness.CONSUMER),
        canary("wider", alpha, beta, 3000, Stickiness.CONSUMER),
        canary("none", alpha, beta, 0, Stickiness.CONSUMER),
        canary("all", alpha, beta, 10_000, Stickiness.CONSUMER),
        consumers=CROWD,
    )
    first = sides(gateway, "chat")
    assert 8 <= Counter(first.values())["beta"] <= 35  # a tenth of 200, by a hash that is the same in every run
    assert sides(gateway, "chat") == first
    wider = sides(gateway, "wider")
    assert 40 <= Counter(wider.values())["beta"] <= 80
    # Whoever had the candidate keeps it when its share grows.
    assert {each for each, side in first.items() if side == "beta"} <= {
        each for each, side in wider.items() if side == "beta"
    }
    assert set(sides(gateway, "none").values()) == {"alpha"}
    assert set(sides(gateway, "all").values()) == {"beta"}


def test_nobody_changes_sides_while_an_endpoint_of_a_side_comes_back(start_rung: Start, serve: Serve) -> None:
    alpha, beta, gamma = (start_rung(name) for name in ("alpha", "beta", "gamma"))

    def returning(name: str, share: int) -> Served:
        """`alpha` is back with so much of the stable side's 70 %, in basis points of all."""
        arms = (
            Share(weight=share, rungs=(alpha, gamma)),
            Share(weight=7000 - share, rungs=(gamma, alpha)),
            Share(weight=3000, rungs=(beta, alpha, gamma), side=Side.CANDIDATE),
        )
        return route(name, arms=arms, stickiness=Stickiness.CONSUMER)

    steps = {"tenth": 700, "half": 3500, "whole": 6999}
    gateway = serve(*(returning(name, share) for name, share in steps.items()), consumers=CROWD)
    seen = {name: sides(gateway, name) for name in steps}
    candidates = [{one for one, provider in found.items() if provider == "beta"} for found in seen.values()]
    assert 40 <= len(candidates[0]) <= 80
    assert candidates[0] == candidates[1] == candidates[2]
    back = [Counter(found.values())["alpha"] for found in seen.values()]
    assert 2 <= back[0] <= 40
    assert 40 <= back[1] <= 110
    # A share is of requests: one caller who has them all must not be all or nothing of it.
    one, other = next(name for name in CROWD if name not in candidates[0]), next(iter(candidates[0]))
    assert set(Counter(answered(gateway.ask("half", consumer=one))[1] for _ in range(40))) == {"alpha", "gamma"}
    assert {answered(gateway.ask("half", consumer=other))[1] for _ in range(10)} == {"beta"}


def test_a_failing_candidate_leaves_its_consumers_to_the_stable_ladder(start_rung: Start, serve: Serve) -> None:
    alpha, beta = start_rung("alpha"), start_rung("beta")
    gateway = serve(canary("chat", alpha, beta, 3000, Stickiness.CONSUMER), consumers=CROWD)
    before = sides(gateway, "chat")
    beta.sim.control.fault(status=500)
    for consumer in CROWD[:50]:
        attempts = "2" if before[consumer] == "beta" else "1"
        assert answered(gateway.ask("chat", consumer=consumer)) == (200, "alpha", attempts)


def test_an_arm_has_the_share_that_its_step_says(start_rung: Start, serve: Serve) -> None:
    alpha, beta = start_rung("alpha"), start_rung("beta")
    asked = {100: 2500, 1000: 600, 5000: 300, 10_000: 100}
    gateway = serve(*(canary(f"at-{weight}", alpha, beta, weight, Stickiness.REQUEST) for weight in asked))
    for weight, requests in asked.items():
        seen = Counter(answered(gateway.ask(f"at-{weight}"))[1] for _ in range(requests))
        mean, share = requests * weight / 10_000, weight / 10_000
        assert abs(seen["beta"] - mean) <= 4.5 * math.sqrt(mean * (1 - share)), "fails once in 100,000 runs by chance"
        assert seen["alpha"] + seen["beta"] == requests


def test_a_spread_is_drawn_for_each_request_by_its_weights(start_rung: Start, serve: Serve) -> None:
    alpha, beta, gamma = (start_rung(name) for name in ("alpha", "beta", "gamma"))
    arms = (
        Share(weight=6000, rungs=(alpha, beta)),
        Share(weight=4000, rungs=(beta, alpha)),
        Share(weight=0, rungs=(gamma, alpha)),
    )
    gateway = serve(route("chat", arms=arms))
    seen = Counter(answered(gateway.ask("chat"))[1] for _ in range(300))
    assert 130 <= seen["alpha"] <= 230
    assert seen["alpha"] + seen["beta"] == 300


def test_a_request_keeps_its_arm_when_it_is_tried_again(start_rung: Start, serve: Serve) -> None:
    alpha, beta, gamma, delta = (start_rung(name) for name in ("alpha", "beta", "gamma", "delta"))
    arms = (Share(weight=5000, rungs=(alpha, gamma)), Share(weight=5000, rungs=(beta, delta)))
    gateway = serve(route("chat", arms=arms))
    for rung in (alpha, beta):
        rung.sim.control.fault(status=500)
    for _ in range(50):
        assert answered(gateway.ask("chat"))[::2] == (200, "2")

    def requests(rung: Rung) -> list[str | None]:
        return [record.header("x-request-id") for record in rung.records]

    assert requests(alpha) == requests(gamma)
    assert requests(beta) == requests(delta)
    assert len(requests(alpha)) > 5
    assert len(requests(beta)) > 5


def test_plans_of_a_wildcard_have_arms_of_their_own(start_rung: Start, serve: Serve) -> None:
    alpha, beta, gamma = (start_rung(name) for name in ("alpha", "beta", "gamma"))
    gateway = serve(
        route(
            "any",
            plans_by_key={
                "one": [Share(weight=10_000, rungs=(gamma,))],
                "two": [Share(weight=5000, rungs=(alpha,)), Share(weight=5000, rungs=(beta,))],
                "v2.5": [Share(weight=9000, rungs=(alpha,)), Share(weight=1000, rungs=(beta,), side=Side.CANDIDATE)],
            },
        ),
        consumers=CROWD,
    )
    assert answered(gateway.ask("one", consumer=CROWD[0])) == (200, "gamma", "1")
    assert len({answered(gateway.ask("two", consumer=CROWD[0]))[1] for _ in range(50)}) == 2
    first = sides(gateway, "v2.5")
    assert 8 <= Counter(first.values())["beta"] <= 35
    assert sides(gateway, "v2.5") == first


def test_a_route_has_a_plan_of_its_own_and_others_by_keys_that_are_no_models(start_rung: Start, serve: Serve) -> None:
    alpha, beta, gamma = (start_rung(name) for name in ("alpha", "beta", "gamma"))
    gateway = serve(
        route(
            "chat",
            plans_by_key={
                "": [Share(weight=10_000, rungs=(alpha, gamma))],
                "rule/pictures": [Share(weight=10_000, rungs=(beta, gamma))],
                "candidate": [Share(weight=5000, rungs=(gamma,)), Share(weight=5000, rungs=(gamma, alpha))],
            },
        )
    )
    assert answered(gateway.ask("chat")) == (200, "alpha", "1")
    assert answered(gateway.ask("rule/pictures")) == (200, "beta", "1")
    assert answered(gateway.ask("candidate")) == (200, "gamma", "1")
    alpha.sim.control.fault(status=503)
    beta.sim.control.fault(status=503)
    assert answered(gateway.ask("chat")) == (200, "gamma", "2")
    assert answered(gateway.ask("rule/pictures")) == (200, "gamma", "2")
