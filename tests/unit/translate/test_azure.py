"""What a provider of Azure OpenAI means for a gateway: paths, headers, who has responses, where it is probed."""

from typing import Any

import pytest

from builders import US, compiled, embedding, endpoint, model, provider, route, target
from fairlead.api.decode import decode
from fairlead.api.protocol import Protocol, api_root, with_version
from fairlead.compiler import Compiled
from fairlead.ir import UNSAID, Gateway, Need

OLD, FIRST = "2024-10-21", "2025-03-01-preview"
NAME = "https://name.openai.azure.com"


def azure(name: str = "azure", version: str | None = OLD, url: str = f"{NAME}/openai", **fields: Any) -> dict[str, Any]:
    written = {} if version is None else {"apiVersion": version}
    one = endpoint("api", US, baseURL=url, credential={"secretName": "azure"}, **written)
    return provider(name, **{"protocol": "AzureOpenAI", "endpoints": [one], **fields})


def gateway(*documents: dict[str, Any]) -> Gateway:
    return compiled(*documents).gateways[US].ir


def problems(made: Compiled) -> list[str]:
    return [str(one) for report in made.reports for one in report.problems]


@pytest.mark.parametrize(
    "url", [NAME, f"{NAME}/", f"{NAME}/openai", f"{NAME}/openai/", f"{NAME}/openai/v1", f"{NAME}/openai/v1/"]
)
@pytest.mark.parametrize(("version", "root"), [(OLD, "/openai"), (None, "/openai/v1")])
def test_a_base_url_may_be_any_that_azure_shows(url: str, version: str | None, root: str) -> None:
    assert api_root(url, Protocol.AZURE_OPENAI, version) == f"{NAME}{root}"
    assert {
        one.upstream.base_path
        for one in gateway(azure(url=url, version=version), route("chat", target("azure", "small"))).targets
    } == {root}


def test_its_key_goes_into_its_own_header() -> None:
    (credential,) = gateway(azure(), route("chat", target("azure", "small"))).credentials
    assert (credential.header, credential.prefix, credential.name) == ("api-key", "", "azure/apiKey/api-key")


def plan(*documents: dict[str, Any]) -> Any:
    (one,) = gateway(*documents).routes
    return one.plans[0]


@pytest.mark.parametrize("version", [None, FIRST, "2025-04-01-preview", "2026-01-01"])
def test_who_has_responses_is_as_openai(version: str | None) -> None:
    one = plan(
        azure(version=version), provider("p"), route("chat", target("azure", "small"), fallbacks=[target("p", "small")])
    )
    assert (one.dialects, one.refused) == ((), None)
    assert [one.speaks(need) for need in sorted(set(Need) - set(UNSAID))] == [False, True, True, True]


def test_who_has_none_refuses_them() -> None:
    one = plan(azure(), route("chat", target("azure", "small")))
    assert one.refused is Need.RESPONSES
    assert {need: one.speaks(need) for need in Need if need not in UNSAID} == {
        Need.ANTHROPIC: False,
        Need.CHAT: True,
        Need.OPENAI: True,
        Need.RESPONSES: False,
    }
    assert one.apart(Need.RESPONSES) is None


def test_responses_pass_over_who_has_none() -> None:
    one = plan(azure(), provider("p"), route("chat", target("azure", "small"), fallbacks=[target("p", "small")]))
    assert one.refused is None
    assert [(found.need.value, found.apart, found.last_target) for found in one.dialects] == [
        ("OpenAI", False, "azure/api/small"),
        ("Responses", True, "p/us/small"),
    ]
    assert one.apart(Need.OPENAI) is None
    assert one.apart(Need.CHAT) is None


def test_a_side_of_its_own_without_responses_refuses_them() -> None:
    spread = azure(
        endpoints=[
            endpoint("a", US, baseURL=f"{NAME}/openai", apiVersion=OLD),
            endpoint("b", US, baseURL=f"{NAME}/openai"),
        ]
    )
    one = plan(spread, route("chat", target("azure", "small")))
    assert len(one.arms) == 2
    assert [found.need for found in one.dialects if found.apart] == [Need.RESPONSES], "either arm has the other's rung"


def test_vectors_ask_nobody_for_responses() -> None:
    one = plan(azure(models=[embedding("ada")]), route("ada", target("azure", "ada")))
    assert (one.dialects, one.refused) == ((), None)


def test_no_warning_of_a_route_that_mixes_it_with_openai() -> None:
    made = compiled(azure(), provider("p"), route("chat", target("azure", "small"), fallbacks=[target("p", "small")]))
    assert not [warning for report in made.reports for warning in report.warnings]


def test_messages_are_translated_unless_it_says_otherwise() -> None:
    assert {one.translates_messages for one in gateway(azure(), route("chat", target("azure", "small"))).targets} == {
        True
    }
    assert any(
        "spec.messages: got messages to be forwarded to an API" in one
        for one in problems(compiled(azure(messages="Forward")))
    )
    assert {one.translates_messages for one in gateway(provider("p"), route("chat")).targets} == {False}


@pytest.mark.parametrize(("version", "path"), [(OLD, f"/openai/models?api-version={OLD}"), (None, "/openai/v1/models")])
def test_it_is_asked_for_its_models(version: str | None, path: str) -> None:
    made = compiled(azure(version=version, healthCheck={"credential": "Send"}), route("chat", target("azure", "small")))
    (one,) = made.endpoints
    assert one.path == path
    (probe,) = made.gateways[US].ir.keyed_probes
    assert probe.path == "/v1/models"


def test_a_path_with_a_query_keeps_it() -> None:
    assert with_version("/models?limit=1", OLD) == f"/models?limit=1&api-version={OLD}"
    assert with_version("/models", None) == "/models"


def test_two_versions_are_two_makers_and_two_identities() -> None:
    first, second = (
        compiled(azure(version=version), route("chat", target("azure", "small"))) for version in (OLD, FIRST)
    )
    for made in ("targets", "last_resorts"):
        assert getattr(first.gateways[US].ir, made)[0].makes != getattr(second.gateways[US].ir, made)[0].makes
    assert first.endpoints[0].health.identity != second.endpoints[0].health.identity


@pytest.mark.parametrize(
    ("models", "own", "place"),
    [
        ([model("a/b")], None, "spec.models[0].name"),
        ([model("m", id="a b")], None, "spec.models[0].id"),
        ([model("m", id="..")], None, "spec.models[0].id"),
        ([model("m")], [{"name": "m", "id": "a/../b"}], "spec.endpoints[0].models[0].id"),
        ([model("a/b")], [{"name": "a/b", "id": "fine"}], None),
        ([model("a/b"), model("c")], [{"name": "c"}], None),
    ],
)
def test_what_no_deployment_is_called_is_refused(models: list[Any], own: list[Any] | None, place: str | None) -> None:
    one = endpoint("api", US, baseURL=NAME, apiVersion=OLD, **({} if own is None else {"models": own}))
    found = decode(azure(models=models, endpoints=[one]), default_namespace="fairlead")
    said = [str(problem) for problem in found.problems]
    assert [problem.partition(":")[0] for problem in said] == ([] if place is None else [place]), said
