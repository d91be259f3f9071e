"""The budget server's configuration: who falls under what, and who is stopped without a look at the counters."""

import json
from dataclasses import replace
from typing import Any

import pytest

from builders import budget, compiled, consumer, installation, model, provider, route, secret
from fairlead.budget.configuration import decode
from fairlead.budget.price import USD
from fairlead.runtime import stop
from golden_cases import layouts


def _configuration(*policies: dict[str, Any], **observed: Any) -> Any:
    objects = [provider("p"), route("chat"), consumer("a"), consumer("b"), *policies]
    secrets = {secret("a"): "1", secret("b"): "2"}
    return json.loads(compiled(*objects, secrets=secrets, **observed).configuration)


NONE, ONLY_A = {"usd": "0"}, {"names": ["a"]}


@pytest.mark.parametrize(
    ("policies", "stopped"),
    [
        pytest.param([budget("x")], [], id="dollars"),
        pytest.param([budget("x", limit=NONE)], ["team-web/a", "team-web/b"], id="no dollars for anybody"),
        pytest.param([budget("x", limit=NONE, consumers=ONLY_A)], ["team-web/a"], id="for one"),
        pytest.param([budget("x"), budget("y", limit=NONE, consumers=ONLY_A)], ["team-web/a"], id="among others"),
        pytest.param([budget("x", limit=NONE, routes=["chat"])], [], id="one route: others may have room"),
    ],
)
def test_who_is_stopped(policies: list[dict[str, Any]], stopped: list[str]) -> None:
    assert _configuration(*policies)["killed"] == stopped


def test_gateways_know_who_is_stopped() -> None:
    objects = [provider("p"), route("chat"), consumer("a"), consumer("b"), budget("x", limit=NONE, consumers=ONLY_A)]
    made = compiled(*objects, secrets={secret("a"): "1", secret("b"): "2"})
    for gateway in made.gateways.values():
        assert {one.name for one in gateway.ir.consumers if one.stopped} == {"team-web/a"}


@pytest.mark.parametrize(
    ("policies", "routes"),
    [
        pytest.param([], (), id="no policy"),
        pytest.param([budget("x", consumers={"names": ["b"]})], (), id="another consumer's"),
        pytest.param([budget("x")], None, id="all routes"),
        pytest.param([budget("x", routes=["chat"])], ("team-web/chat",), id="one route"),
        pytest.param([budget("x", routes=["chat"]), budget("y", consumers=ONLY_A)], None, id="one route and all"),
    ],
)
def test_gateways_know_whose_numbers_count_where(
    policies: list[dict[str, Any]], routes: tuple[str, ...] | None
) -> None:
    made = compiled(provider("p"), route("chat"), consumer("a"), consumer("b"), *policies, secrets={secret("a"): "1"})
    for gateway in made.gateways.values():
        assert {one.name: one.budgeted_routes for one in gateway.ir.consumers}["team-web/a"] == routes


def test_who_may_have_so_many_requests_in_flight() -> None:
    objects = [provider("p"), route("chat"), consumer("a", maxInFlight=3), consumer("b")]
    made = compiled(*objects, secrets={secret("a"): "1", secret("b"): "2"})
    assert decode(made.configuration).in_flight == {"team-web/a": 3}
    for gateway in made.gateways.values():
        assert {one.name: one.max_in_flight for one in gateway.ir.consumers} == {"team-web/a": 3, "team-web/b": None}
        assert gateway.ir.budget is not None
        assert gateway.ir.budget.asked, "without a budget, too"


def test_a_limit_in_flight_that_nobody_counts_is_told() -> None:
    nobody = {name: replace(one, budget=None) for name, one in layouts(["us-east-1"]).items()}
    made = compiled(consumer("a", maxInFlight=3), secrets={secret("a"): "1"}, layouts=nobody)
    (report,) = made.reports
    assert report.warnings == ("spec.maxInFlight: not enforced: gateways have no budget server to ask",)


def _revisions(*policies: dict[str, Any]) -> dict[str, str]:
    """What names the policies of each consumer; gateways and the budget server have the same."""
    objects = [provider("p"), route("chat"), consumer("a"), consumer("b"), *policies]
    made = compiled(*objects, secrets={secret("a"): "1", secret("b"): "2"})
    configuration = decode(made.configuration)
    for gateway in made.gateways.values():
        found = {one.name: one.budget_revision for one in gateway.ir.consumers}
        decided = {name: configuration.revision_of(name) for name in found if configuration.consumers[name]}
        assert {name: revision for name, revision in found.items() if revision} == decided
    return found


def test_a_revision_is_of_the_policies_that_match_a_consumer() -> None:
    first = _revisions(budget("x"), budget("y"))
    assert first["team-web/a"] == first["team-web/b"] != ""
    assert first == _revisions(budget("y"), budget("x"))
    assert first["team-web/a"] not in {*_revisions(budget("x")).values(), *_revisions().values()}
    assert first["team-web/a"] != _revisions(budget("x"), budget("y", limit={"usd": "7"}))["team-web/a"]


def test_another_s_policy_changes_no_revision() -> None:
    mine = _revisions(budget("x", consumers=ONLY_A))
    both = _revisions(budget("x", consumers=ONLY_A), budget("y", consumers={"names": ["b"]}))
    assert mine["team-web/a"] == both["team-web/a"] != ""
    assert mine["team-web/b"] == "" != both["team-web/b"]


def _terms(*objects: dict[str, Any]) -> str:
    """What names the terms that units of leases are sized by; gateways and the budget server have the same."""
    every = *objects, consumer("a"), budget("x")
    made = compiled(*every, secrets={secret("a"): "1"}, layouts=layouts(["us-east-1"]))
    (terms,) = {gateway.ir.budget.terms for gateway in made.gateways.values() if gateway.ir.budget is not None}
    assert terms == decode(made.configuration).terms
    assert f'"v":"{terms}"' in made.gateways["us-east-1"].files["xds/rds.json"].decode()
    return terms


LONG = {"input": "1", "output": "2", "longPrompts": {"aboveTokens": 9, "input": "2"}}
SIZED_OTHERWISE = [
    pytest.param([provider("p"), route("chat", maxOutputTokens=5)], id="a route's cap"),
    pytest.param(
        [provider("p"), provider("q"), route("chat", primary={"provider": "q", "model": "small"})], id="another model"
    ),
    pytest.param([provider("p", models=[model("small", maxOutputTokens=9)]), route("chat")], id="a model's cap"),
    pytest.param([provider("p", models=[model("small", contextWindow=900)]), route("chat")], id="a context window"),
    pytest.param(
        [provider("p", models=[model("small", usdPerMillionTokens={"input": "1", "output": "9"})]), route("chat")],
        id="a price",
    ),
    pytest.param([provider("p", models=[model("small", usdPerMillionTokens=LONG)]), route("chat")], id="long prompts"),
    pytest.param([provider("p"), route("chat"), consumer("b", maxInFlight=3)], id="a limit in flight"),
]


@pytest.mark.parametrize("objects", SIZED_OTHERWISE)
def test_whatever_sizes_requests_is_part_of_the_terms(objects: list[dict[str, Any]]) -> None:
    assert _terms(provider("p"), route("chat")) == _terms(route("chat"), provider("p"))
    assert _terms(*objects) != _terms(provider("p"), route("chat"))


def test_what_long_prompts_cost_is_as_the_price_where_nothing_else_is_written() -> None:
    every = provider("p", models=[model("small", usdPerMillionTokens=LONG)]), route("chat"), consumer("a"), budget("x")
    made = compiled(*every, secrets={secret("a"): "1"}, layouts=layouts(["us-east-1"]))
    (rung,) = decode(made.configuration).targets.values()
    longer = rung.price.long_prompts
    assert longer is not None
    assert (longer.above, longer.price.input, longer.price.output) == (9, 2 * USD, 2 * USD)
    assert longer.price.cached_input == 2 * USD, "as fresh input, since nobody names a price of cached tokens"


def test_a_policy_is_no_part_of_the_terms() -> None:
    assert _terms(provider("p"), route("chat")) == _terms(provider("p"), route("chat"), budget("y"))


def test_whom_a_person_stopped_is_there() -> None:
    assert _configuration(stop.policy("team-web", "b"), stop.policy("team-web", "gone"))["killed"] == ["team-web/b"]


def test_who_falls_under_what() -> None:
    consumers = _configuration(budget("y"), budget("x", consumers=ONLY_A))["consumers"]
    assert consumers == {"team-web/a": ["team-web/x", "team-web/y"], "team-web/b": ["team-web/y"]}


SHADOW = {"provider": "p", "model": "small", "sample": "5%"}
HOURLY = {"usd": "2.50", "window": {"every": "1h"}}


def _route(**limit: Any) -> dict[str, Any]:
    return route("chat", shadow={**SHADOW, **({"limit": limit} if limit else {})})


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"usd": "0"}, {"limit": 0}, id="no copy, ever"),
        pytest.param(
            HOURLY, {"limit": 2_500_000_000, "every": {"lengthMs": 3_600_000, "anchorMs": 0}}, id="by the hour"
        ),
    ],
)
def test_what_a_shadow_may_spend(limit: dict[str, Any], expected: dict[str, Any] | None) -> None:
    found = json.loads(compiled(provider("p"), _route(**limit)).configuration)
    assert found["routes"]["team-web/chat"]["shadow"].get("limit") == expected


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        pytest.param(HOURLY, {**HOURLY, "usd": "5"}, None, id="more dollars"),
        pytest.param(HOURLY, {}, None, id="no limit any more"),
        pytest.param({}, HOURLY, None, id="a limit at last"),
        pytest.param(HOURLY, {**HOURLY, "window": {"every": "60m"}}, None, id="the same window in other words"),
        pytest.param(HOURLY, {"usd": "2.50"}, "spec.shadow.limit.window: got another window", id="no window"),
        pytest.param(
            HOURLY, {**HOURLY, "window": {"every": "2h"}}, "spec.shadow.limit.window: got another window", id="longer"
        ),
    ],
)
def test_an_edit_that_would_forget_what_copies_cost_is_refused(
    before: dict[str, Any], now: dict[str, Any], said: str | None
) -> None:
    made = compiled(provider("p"), _route(**now), before=compiled(provider("p"), _route(**before)))
    (report,) = [one for one in made.reports if one.key.kind == "ModelRoute"]
    assert [str(one)[: len(said or "")] for one in report.problems] == ([] if said is None else [said])
    limit = json.loads(made.configuration)["routes"]["team-web/chat"]["shadow"].get("limit")
    kept = before if said else now
    assert (limit is None) == (not kept)
    assert limit is None or limit.get("every", {}).get("lengthMs") == 3_600_000


def test_a_baseline_is_the_target_whose_prices_count_and_lets_gateways_tell() -> None:
    made = compiled(
        provider("p"), route("chat", baseline={"provider": "p", "model": "small"}), consumer("a"), secrets={}
    )
    terms = decode(made.configuration).routes["team-web/chat"]
    assert terms.baseline in decode(made.configuration).targets
    assert all(gateway.ir.budget.asked for gateway in made.gateways.values())


def test_a_baseline_that_is_not_there_is_told_and_the_route_serves() -> None:
    made = compiled(provider("p"), route("chat", baseline={"provider": "p", "model": "none"}), secrets={})
    assert decode(made.configuration).routes["team-web/chat"].baseline is None
    (report,) = (one for one in made.reports if one.key.kind == "ModelRoute")
    assert any("spec.baseline.model" in condition.message for condition in report.conditions)


def test_feedback_is_of_its_route_and_lets_gateways_tell() -> None:
    made = compiled(provider("p"), route("chat", feedback="Accept"), route("plain"), consumer("a"), secrets={})
    routes = decode(made.configuration).routes
    assert {name: terms.feedback for name, terms in routes.items()} == {"team-web/chat": True, "team-web/plain": False}
    assert all(gateway.ir.budget.asked for gateway in made.gateways.values())


def test_without_feedback_nobody_is_asked() -> None:
    made = compiled(provider("p"), route("chat", feedback="Ignore"), consumer("a"), secrets={})
    assert "feedback" not in json.loads(made.configuration)["routes"]["team-web/chat"]
    assert not any(gateway.ir.budget.asked for gateway in made.gateways.values())


SHARED_ANSWERS = route("chat", cache={"ttl": "1h", "store": "Shared"})
WITH_BASELINE = route("chat", baseline={"provider": "p", "model": "small"})


@pytest.mark.parametrize("wanted", [SHARED_ANSWERS, WITH_BASELINE, route("chat", feedback="Accept")])
@pytest.mark.parametrize(
    ("more", "bounded"),
    [
        pytest.param([], False, id="nobody is bounded"),
        pytest.param([budget("x")], True, id="a policy"),
        pytest.param([consumer("b", maxInFlight=3)], True, id="a limit in flight"),
    ],
)
def test_closed_is_a_promise_about_budgets_and_limits_alone(
    wanted: dict[str, Any], more: list[dict[str, Any]], bounded: bool
) -> None:
    made = compiled(
        *(provider("p"), wanted, consumer("a"), *more),
        secrets={secret("a"): "1", secret("b"): "2"},
        installed=installation(budgets={"failurePolicy": "Closed"}),
    )
    assert decode(made.configuration).fail_closed == bounded
    for gateway in made.gateways.values():
        assert gateway.ir.budget is not None
        assert (gateway.ir.budget.asked, gateway.ir.budget.only_told) == (True, not bounded)


def test_feedback_that_nobody_takes_is_told() -> None:
    nobody = {name: replace(one, budget=None) for name, one in layouts(["us-east-1"]).items()}
    made = compiled(provider("p"), route("chat", feedback="Accept"), layouts=nobody)
    (report,) = (one for one in made.reports if one.key.kind == "ModelRoute")
    assert report.warnings == ("spec.feedback: not taken: gateways have no budget server to ask",)


def shares(cache: Any, **settings: Any) -> Any:
    return compiled(provider("p"), route("chat", cache=cache), consumer("a"), secrets={}, **settings)


def stored(made: Any) -> set[bool]:
    return {one.cache.stored for gateway in made.gateways.values() for one in gateway.ir.routes}


def test_shared_answers_have_their_bytes_and_let_gateways_tell() -> None:
    made = shares({"ttl": "1m", "store": "Shared"})
    assert decode(made.configuration).shared_answers_bytes == 33_554_432
    assert all(gateway.ir.budget.asked for gateway in made.gateways.values())
    assert stored(made) == {True}


def test_answers_that_workers_keep_alone_ask_nobody() -> None:
    made = shares({"ttl": "1m"})
    assert "sharedAnswersBytes" not in json.loads(made.configuration)
    assert not any(gateway.ir.budget.asked for gateway in made.gateways.values())
    assert stored(made) == {False}


def test_the_ledger_knows_nothing_of_kept_answers_where_nobody_tells_it() -> None:
    def counted(**spec: Any) -> set[bool]:
        made = compiled(provider("p"), route("chat", cache={"ttl": "1m"}, **spec), consumer("a"), secrets={})
        return {terms.cached for terms in decode(made.configuration).routes.values()}

    assert counted() == {False}
    assert counted(shadow=SHADOW) == {False}, "a server runs, and hears of copies alone"
    assert counted(feedback="Accept") == {True}


def test_a_store_that_nobody_runs_is_told_and_workers_keep_their_own() -> None:
    nobody = {name: replace(one, budget=None) for name, one in layouts(["us-east-1"]).items()}
    made = shares({"ttl": "1m", "store": "Shared"}, layouts=nobody)
    (report,) = (one for one in made.reports if one.key.kind == "ModelRoute")
    (warning,) = report.warnings
    assert warning.startswith("spec.cache.store: got `Shared`, want `Worker`: gateways have no budget server")
    assert stored(made) == {False}
    assert "sharedAnswersBytes" not in json.loads(made.configuration)
