"""What the protocols of a route's providers mean for its plan: who can answer which API, and who is its last resort."""

import pytest

from builders import US, compiled, endpoint, model, provider, route, target
from fairlead.ir import Gateway, Protocol


def claude(name: str = "claude", url: str = "https://api.anthropic.com", **fields: object) -> dict[str, object]:
    return provider(
        name,
        protocol="Anthropic",
        endpoints=[endpoint("api", US, baseURL=url, credential={"secretName": "claude"})],
        models=[model("small")],
        **fields,
    )


def gateway(*routes: dict[str, object]) -> Gateway:
    return compiled(provider("p"), claude(), *routes).gateways[US].ir


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://api.anthropic.com", "/v1"),
        ("https://api.anthropic.com/", "/v1"),
        ("https://api.anthropic.com/v1", "/v1"),
        ("https://api.anthropic.com/v1/", "/v1"),
        ("https://api.deepseek.com/anthropic", "/anthropic/v1"),
    ],
)
def test_a_base_url_may_have_v1_or_not(url: str, base: str) -> None:
    made = compiled(claude(url=url), route("chat", target("claude", "small"))).gateways[US].ir
    assert {one.upstream.base_path for one in made.targets} == {base}


def test_its_key_goes_into_its_own_header() -> None:
    (credential,) = gateway(route("chat", target("claude", "small"))).credentials
    assert (credential.header, credential.prefix, credential.name) == ("x-api-key", "", "claude/apiKey/x-api-key")


def test_a_plan_of_openai_alone_says_nothing() -> None:
    (one,) = gateway(route("chat")).routes
    assert one.plans[0].dialects == ()
    assert one.plans[0].speaks(Protocol.OPENAI)
    assert not one.plans[0].speaks(Protocol.ANTHROPIC)


def test_a_plan_of_anthropic_alone_answers_nothing_else() -> None:
    (one,) = gateway(route("chat", target("claude", "small"))).routes
    (plan,) = one.plans
    assert [(dialect.protocol, dialect.apart) for dialect in plan.dialects] == [(Protocol.ANTHROPIC, False)]
    assert not plan.speaks(Protocol.OPENAI)
    assert plan.apart(Protocol.ANTHROPIC) is None


def test_a_plan_of_both_has_a_last_resort_for_each() -> None:
    made = gateway(route("chat", target("claude", "small"), fallbacks=[target("p", "small")]))
    (plan,) = made.routes[0].plans
    assert [(dialect.protocol.value, dialect.last_resort, dialect.last_target) for dialect in plan.dialects] == [
        ("Anthropic", "claude/api", "claude/api/small"),
        ("OpenAI", "p/us", "p/us/small"),
    ]
    assert plan.last_target == "claude/api/small"
    assert {last.name for last in made.last_resorts} == {"claude/api", "p/us"}


def test_a_route_that_mixes_is_told_which_requests_meet_whom() -> None:
    made = compiled(provider("p"), claude(), route("chat", fallbacks=[target("claude", "small")]))
    (report,) = (one for one in made.reports if one.key.kind == "ModelRoute")
    (warning,) = report.warnings
    assert "only requests to `/v1/messages` meet models of `claude`" in warning


def test_a_downgrade_answers_the_same_requests() -> None:
    less = route("less", target("claude", "small"))
    made = compiled(provider("p"), claude(), route("chat", downgradeTo="less"), less)
    assert {one.name: one.downgrade_to for one in made.gateways[US].ir.routes}["team-web/chat"] is None
    said = [problem.message for report in made.reports for problem in report.problems]
    assert any("whose models speak Anthropic's API alone" in message for message in said)
    other = compiled(provider("p"), claude(), route("chat", target("claude", "small"), downgradeTo="less"), less)
    assert {one.name: one.downgrade_to for one in other.gateways[US].ir.routes}["team-web/chat"] == "team-web/less"


def test_a_downgrade_does_not_come_too_late_to_translate() -> None:
    other = provider("other", messages="Translate")
    less = route("less", target("other", "small"))
    made = compiled(provider("p"), other, route("chat", downgradeTo="less"), less)
    assert {one.name: one.downgrade_to for one in made.gateways[US].ir.routes}["team-web/chat"] is None
    said = [problem.message for report in made.reports for problem in report.problems]
    assert any("want messages translated" in message for message in said)
    both = compiled(other, route("chat", target("other", "small"), downgradeTo="less"), less)
    routes = {one.name: one for one in both.gateways[US].ir.routes}
    assert routes["team-web/chat"].downgrade_to == "team-web/less"
    assert [plan.translated for plan in routes["team-web/chat"].plans] == [True]
