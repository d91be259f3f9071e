"""What the protocols of a route's providers mean for its plan: who can answer which API, and who is its last resort."""

import pytest

from builders import US, compiled, endpoint, model, provider, route, target
from fairlead.ir import Gateway, Need


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
    assert one.plans[0].speaks(Need.OPENAI)
    assert not one.plans[0].speaks(Need.ANTHROPIC)


def test_a_plan_of_anthropic_alone_answers_nothing_else() -> None:
    (one,) = gateway(route("chat", target("claude", "small"))).routes
    (plan,) = one.plans
    assert [(dialect.need, dialect.apart) for dialect in plan.dialects] == [(Need.ANTHROPIC, False)]
    assert not plan.speaks(Need.OPENAI)
    assert plan.apart(Need.ANTHROPIC) is None


def test_a_plan_of_both_has_a_last_resort_for_each() -> None:
    made = gateway(route("chat", target("claude", "small"), fallbacks=[target("p", "small")]))
    (plan,) = made.routes[0].plans
    assert [(dialect.need.value, dialect.last_resort, dialect.last_target) for dialect in plan.dialects] == [
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


def translating(name: str = "claude", **fields: object) -> dict[str, object]:
    return claude(name, chatCompletions="Translate", **fields)


def dialects(*documents: dict[str, object]) -> list[tuple[str, bool, int | None]]:
    made = compiled(provider("p"), *documents).gateways[US].ir
    (plan,) = made.routes[0].plans
    return [(one.need.value, one.apart, one.max_tokens) for one in plan.dialects]


def test_a_provider_that_wants_other_words_answers_chat_alone() -> None:
    alone = route("chat", target("claude", "small"))
    assert dialects(translating(), alone) == [("Anthropic", False, None), ("Chat", False, 4096)]
    made = compiled(translating(), alone).gateways[US].ir
    (plan,) = made.routes[0].plans
    assert [plan.speaks(need) for need in (Need.CHAT, Need.OPENAI, Need.ANTHROPIC)] == [True, False, True]
    assert {one.translates_chat for one in (*made.targets, *made.last_resorts)} == {True}


def test_chat_passes_over_the_rungs_that_want_no_other_words() -> None:
    three = route("chat", target("apart", "small"), fallbacks=[target("p", "small"), target("claude", "small")])
    assert dialects(claude("apart"), translating(), three) == [
        ("Anthropic", True, None),
        ("Chat", True, 4096),
        ("OpenAI", True, None),
    ]


def test_the_smallest_limit_of_models_stands_for_one_that_the_client_does_not_name() -> None:
    sizes = [model("small", maxOutputTokens=900), model("large", maxOutputTokens=64_000), model("open")]
    sized = provider(
        "claude",
        protocol="Anthropic",
        chatCompletions="Translate",
        endpoints=[endpoint("api", US, baseURL="https://api.anthropic.com")],
        models=sizes,
    )
    for some, most in ((("small", "large"), 900), (("large",), 64_000), (("large", "open"), 4096)):
        first, *others = (target("claude", name) for name in some)
        assert dialects(sized, route("chat", first, fallbacks=others))[1] == ("Chat", False, most)


def test_a_route_that_mixes_is_not_told_so_where_its_chat_meets_all() -> None:
    made = compiled(provider("p"), translating(), route("chat", fallbacks=[target("claude", "small")]))
    (report,) = (one for one in made.reports if one.key.kind == "ModelRoute")
    assert report.warnings == ()


def test_a_downgrade_of_chat_does_not_come_too_late_to_translate() -> None:
    less = route("less", fallbacks=[target("claude", "small")])
    made = compiled(provider("p"), translating(), route("chat", downgradeTo="less"), less)
    assert {one.name: one.downgrade_to for one in made.gateways[US].ir.routes}["team-web/chat"] is None
    said = [problem.message for report in made.reports for problem in report.problems]
    assert any("want chat/completions translated" in message for message in said)
