from builders import (
    EU_WEST,
    HOME,
    US,
    budget,
    compiled,
    consumer,
    endpoint,
    installation,
    model,
    provider,
    route,
    target,
)

P = provider("p", endpoints=[endpoint("us", US), endpoint("eu", EU_WEST)], models=[model("small"), model("large")])


def test_there_is_a_gateway_for_each_region_that_runs_here() -> None:
    result = compiled(P, route("chat"), installed=installation(serve=[EU_WEST, US], limits={"requestBytes": 4096}))
    assert list(result.gateways) == [US, EU_WEST], "in the installation's order"
    assert {gateway.ir.limits.request_bytes for gateway in result.gateways.values()} == {4096}


def test_only_routes_that_enter_here_are_here() -> None:
    result = compiled(P, route("chat", regions=[US]), route("all"))
    assert {name: [one.name for one in gateway.ir.routes] for name, gateway in result.gateways.items()} == {
        US: ["team-web/all", "team-web/chat"],
        EU_WEST: ["team-web/all"],
        "eu-central-1": ["team-web/all"],
    }


def test_a_route_without_a_name_left_is_not_there() -> None:
    result = compiled(P, route("a", modelNames=["chat"]), route("chat"))
    assert [one.name for one in result.gateways[US].ir.routes] == ["team-web/a"]


def test_plans_of_a_wildcard_route_are_those_of_names_it_won() -> None:
    result = compiled(P, route("all", target("p"), modelNames=["*"]), route("small"))
    plans = {one.name: [plan.key for plan in one.plans] for one in result.gateways[US].ir.routes}
    assert plans == {"team-web/all": ["large"], "team-web/small": [""]}


def test_attempts_are_as_many_as_rungs_unless_fewer_are_asked_for() -> None:
    result = compiled(P, route("all"), route("two", maxAttempts=2), route("many", maxAttempts=16))
    assert {one.name: one.max_attempts for one in result.gateways[US].ir.routes} == {
        "team-web/all": 3,
        "team-web/two": 2,
        "team-web/many": 3,
    }


def test_anonymous_callers_are_a_consumer() -> None:
    gateway = compiled(P, route("chat", namespace=HOME), installed=installation(anonymous="Allow")).gateways[US].ir
    assert gateway.anonymous == "fairlead/anonymous"
    assert [(one.name, one.scopes, one.allowed_model_names) for one in gateway.consumers] == [
        ("fairlead/anonymous", (HOME,), None)
    ]


def test_callers_without_a_key_may_be_named_where_they_are_let_in() -> None:
    named = {"consumers": {"names": ["anonymous"]}}
    objects = (budget("b", namespace=HOME, limit={"usd": "0"}, **named), route("chat", namespace=HOME, **named))
    for anonymous, said in (("Allow", 0), ("Deny", 2)):
        reports = compiled(P, *objects, installed=installation(anonymous=anonymous)).reports
        problems = [str(problem) for one in reports for problem in one.problems]
        assert len([one for one in problems if "want a ModelConsumer" in one]) == said, problems


def test_an_object_says_what_anonymous_callers_may() -> None:
    written = consumer("anonymous", namespace=HOME, labels={"tier": "free"}, allowedModelNames=["chat"])
    gateway = compiled(P, written, installed=installation(anonymous="Allow")).gateways[US].ir
    assert [(one.name, one.allowed_model_names) for one in gateway.consumers] == [("fairlead/anonymous", ("chat",))]


def test_without_a_choice_callers_without_a_key_are_refused() -> None:
    assert compiled(P).gateways[US].ir.anonymous is None
    assert compiled(P, installed=installation(anonymous="Deny")).gateways[US].ir.anonymous is None


def test_a_shadow_without_an_endpoint_within_residency_is_left_out() -> None:
    q = provider("q", endpoints=[endpoint("eu", EU_WEST)], models=[model("next")])
    written = route("chat", residency="Region", shadow={**target("q", "next"), "sample": "5%"})
    result = compiled(P, q, written)
    shadows = {region: gateway.ir.routes[0].shadow for region, gateway in result.gateways.items() if gateway.ir.routes}
    assert shadows[US] is None
    assert shadows[EU_WEST] is not None
    assert (shadows[EU_WEST].target, shadows[EU_WEST].sample) == ("q/eu/next", 500)
