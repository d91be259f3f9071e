"""What a provider of Amazon Bedrock means for a gateway: regions, credentials, who has what, what does not go there."""

from typing import Any

import pytest

from builders import US, compiled, endpoint, model, provider, route, target
from fairlead.api.bedrock import region_of
from fairlead.ir import UNSAID, Converse, Gateway, Need, Protocol, other_words

HOST = "https://bedrock-runtime.us-east-1.amazonaws.com"


def bedrock(url: str = HOST, *, name: str = "bedrock", region: str | None = None, **fields: Any) -> dict[str, Any]:
    written = {} if region is None else {"awsRegion": region}
    one = endpoint("api", US, baseURL=url, credential={"secretName": "aws", "key": "credentials"}, **written)
    return provider(name, **{"protocol": "Bedrock", "endpoints": [one], **fields})


def gateway(*documents: dict[str, Any]) -> Gateway:
    return compiled(provider("p"), *documents).gateways[US].ir


ALONE = route("chat", target("bedrock", "small"))
FIRST = route("chat", target("bedrock", "small"), fallbacks=[target("p", "small")])


def said(*documents: dict[str, Any]) -> list[str]:
    made = compiled(provider("p"), *documents)
    return [str(one) for report in made.reports for one in (*report.problems, *report.warnings)]


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (HOST, "us-east-1"),
        (f"{HOST}/", "us-east-1"),
        (f"{HOST}:443", "us-east-1"),
        ("https://BEDROCK-RUNTIME.us-east-1.amazonaws.com", "us-east-1"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("https://bedrock-runtime.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("https://bedrock-runtime.eu-west-1.api.aws", "eu-west-1"),
        ("https://vpce-0a1b-9z.bedrock-runtime.eu-central-1.vpce.amazonaws.com", "eu-central-1"),
        ("https://bedrock.us-east-1.amazonaws.com", None),
        ("https://bedrock-runtime.us-east-1.amazonaws.com.example.com", None),
        ("https://bedrock-runtime.amazonaws.com", None),
        ("https://example.com", None),
        ("http://127.0.0.1:4566", None),
    ],
)
def test_a_host_of_awss_own_names_its_region(url: str, region: str | None) -> None:
    assert region_of(url) == region


def test_requests_are_signed_for_the_hosts_region_or_the_one_that_is_said() -> None:
    assert {one.aws_region for one in gateway(bedrock(), ALONE).targets} == {"us-east-1"}
    made = gateway(bedrock("https://bedrock.example.com", region="eu-west-1"), ALONE)
    assert {one.aws_region for one in (*made.targets, *made.last_resorts)} == {"eu-west-1"}
    assert {one.aws_region for one in gateway(route("chat")).targets} == {""}


def test_its_credential_is_a_file_that_signs() -> None:
    (credential,) = gateway(bedrock(), ALONE).credentials
    assert (credential.name, credential.header, credential.prefix) == (
        "aws/credentials",
        "Authorization",
        "AWS4-HMAC-SHA256 ",
    )


def test_alone_it_answers_messages_and_chat_in_other_words() -> None:
    made = gateway(bedrock(), ALONE)
    (plan,) = made.routes[0].plans
    assert plan.converse == Converse(chat=True, claude=False)
    assert (plan.translated, plan.worded) == (False, None)
    assert {need: plan.speaks(need) for need in Need if need not in UNSAID} == {
        Need.ANTHROPIC: False,
        Need.CHAT: True,
        Need.OPENAI: False,
        Need.RESPONSES: False,
    }
    (one,) = made.targets
    assert one.protocol is Protocol.BEDROCK
    words = {path: other_words(path, one) for path in ("chat/completions", "messages", "responses", "completions")}
    assert words == {"chat/completions": "converse", "messages": "converse", "responses": "", "completions": ""}


def test_all_else_passes_over_it() -> None:
    (plan,) = gateway(bedrock(), FIRST).routes[0].plans
    assert [(one.need, one.apart, one.last_target) for one in plan.dialects] == [
        (Need.CHAT, False, "bedrock/api/small"),
        (Need.OPENAI, True, "p/us/small"),
    ]


@pytest.mark.parametrize(
    ("name", "id_", "claude"),
    [
        ("claude", "arn:aws:bedrock:us-east-1:123456789012:inference-profile/x", True),
        ("sonnet", "us.anthropic.claude-sonnet-4-20250514-v1:0", True),
        ("nova", "amazon.nova-pro-v1:0", False),
    ],
)
def test_claude_is_told_by_its_names(name: str, id_: str, *, claude: bool) -> None:
    one = bedrock(models=[model(name, id=id_)])
    (plan,) = gateway(one, route("chat", target("bedrock", name))).routes[0].plans
    assert plan.converse == Converse(chat=True, claude=claude)


def test_what_one_of_two_other_words_cannot_say_has_ladders_without_the_rungs_that_want_it() -> None:
    anthropic = provider("c", protocol="Anthropic", chatCompletions="Translate")
    openai = provider("o", messages="Translate")
    rungs = [target("c", "small"), target("o", "small"), target("p", "small")]
    made = gateway(bedrock(), anthropic, openai, route("chat", target("bedrock", "small"), fallbacks=rungs))
    (plan,) = made.routes[0].plans
    declared, targets = made.ladders_by_name[plan.arms[0].ladder].rungs, made.targets_by_name
    met = {
        need: [rung.partition("/")[0] for rung in declared if need.met_by(targets[rung])]
        for need in UNSAID
        if plan.apart(need)
    }
    assert met == {
        Need.CHAT_NOT_CONVERSE: ["c", "o", "p"],
        Need.CHAT_NOT_TRANSLATED: ["bedrock", "o", "p"],
        Need.MESSAGES_NOT_CONVERSE: ["c", "o", "p"],
        Need.MESSAGES_NOT_TRANSLATED: ["bedrock", "c"],
    }


def test_chat_may_pass_over_it() -> None:
    made = gateway(bedrock(chatCompletions="PassOver"), FIRST)
    (plan,) = made.routes[0].plans
    assert plan.converse == Converse(chat=False, claude=False)
    assert [(one.need, one.apart) for one in plan.dialects] == [(Need.OPENAI, True)]
    assert other_words("chat/completions", made.targets[0]) == ""


def test_copies_do_not_go_there() -> None:
    wanted = "got `bedrock`, which speaks Bedrock's API, want one that takes copies as they came"
    copied = route("chat", shadow={**target("bedrock", "small"), "sample": "5%"})
    assert any(f"spec.shadow.provider: {wanted}" in one for one in said(bedrock(), copied))
    assert gateway(bedrock(), copied).routes[0].shadow is None
    steps = {"steps": [{"shadow": "5%", "hold": "1h"}, {"traffic": "5%"}]}
    rolling = route("chat", target("bedrock", "small"), rollout=steps)
    assert any("spec.rollout.steps[0].shadow: got copies for `bedrock`" in one for one in said(bedrock(), rolling))


def test_a_downgrade_does_not_lead_there_from_other_words() -> None:
    other = bedrock(name="gemini", protocol="Gemini", endpoints=[endpoint("api", US, baseURL="https://g.example.com")])
    less = route("less", target("bedrock", "small"))
    chat = route("chat", target("gemini", "small"), downgradeTo="less")
    assert any(
        "got `less`, whose providers want chat/completions translated" in one
        for one in said(bedrock(), other, less, chat)
    )
    both = route("chat", target("gemini", "small"), fallbacks=[target("c", "small")], downgradeTo="less")
    claude = provider("c", protocol="Anthropic", chatCompletions="Translate")
    assert any(
        "got `less`, whose providers speak Bedrock's API, want a route like this one" in one
        for one in said(bedrock(), other, claude, less, both)
    )
    same = route("chat", target("bedrock", "small"), fallbacks=[target("c", "small")], downgradeTo="less")
    assert not any("downgradeTo" in one for one in said(bedrock(), claude, less, same))
