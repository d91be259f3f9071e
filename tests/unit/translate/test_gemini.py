"""What a provider of Gemini means for a gateway: where it is, and what it has of OpenAI's API."""

from typing import Any

import pytest

from builders import US, compiled, endpoint, provider, route, target
from fairlead.ir import UNSAID, Gateway, Need

HOST = "https://generativelanguage.googleapis.com"


def gemini(url: str = HOST, **fields: Any) -> dict[str, Any]:
    one = endpoint("api", US, baseURL=url, credential={"secretName": "gemini"})
    return provider("gemini", protocol="Gemini", endpoints=[one], **fields)


def gateway(*documents: dict[str, Any]) -> Gateway:
    return compiled(provider("p"), *documents).gateways[US].ir


ALONE = route("chat", target("gemini", "small"))
FIRST = route("chat", target("gemini", "small"), fallbacks=[target("p", "small")])


@pytest.mark.parametrize("url", [HOST, f"{HOST}/", f"{HOST}/v1beta", f"{HOST}/v1beta/openai", f"{HOST}/v1beta/openai/"])
def test_a_base_url_may_be_any_that_its_pages_show(url: str) -> None:
    made = gateway(gemini(url), ALONE)
    assert {one.upstream.base_path for one in made.targets} == {"/v1beta/openai"}
    (credential,) = made.credentials
    assert (credential.header, credential.prefix) == ("Authorization", "Bearer ")
    assert {one.translates_messages for one in made.targets} == {True}


def test_alone_it_answers_chat() -> None:
    (plan,) = gateway(gemini(), ALONE).routes[0].plans
    assert [(one.need, one.apart, one.max_tokens) for one in plan.dialects] == [(Need.CHAT, False, None)]
    assert {need: plan.speaks(need) for need in Need if need not in UNSAID} == {
        Need.ANTHROPIC: False,
        Need.CHAT: True,
        Need.OPENAI: False,
        Need.RESPONSES: False,
    }
    assert plan.worded is None


def test_all_else_passes_over_it() -> None:
    (plan,) = gateway(gemini(), FIRST).routes[0].plans
    assert [(one.need, one.apart, one.last_target) for one in plan.dialects] == [
        (Need.CHAT, False, "gemini/api/small"),
        (Need.OPENAI, True, "p/us/small"),
    ]
    for need in (Need.OPENAI, Need.RESPONSES):
        found = plan.apart(need)
        assert found
        assert found.need is Need.OPENAI


def test_no_warning_and_a_downgrade_answers_chat() -> None:
    less = route("less", target("gemini", "small"))
    made = compiled(provider("p", messages="Translate"), gemini(), route("chat", downgradeTo="less"), less)
    assert not [warning for report in made.reports for warning in report.warnings]
    routes = {one.name: one for one in made.gateways[US].ir.routes}
    assert routes["team-web/chat"].downgrade_to == "team-web/less"


def test_messages_cannot_be_forwarded() -> None:
    said = [str(one) for report in compiled(gemini(messages="Forward"), ALONE).reports for one in report.problems]
    assert any("got messages to be forwarded to an API that has no path for them" in one for one in said)
