from typing import Any

import pytest

import builders
from builders import EU_WEST, HOME, US, decoded, embedding, endpoint, model, references, said, secret
from fairlead import ir
from fairlead.api.provider import ModelProvider
from fairlead.translate.diagnostics import Diagnostics, Standing
from fairlead.translate.providers import Provider, provider
from fairlead.translate.references import Secrets


def run(written: dict[str, Any], **around: Any) -> tuple[Provider | None, Diagnostics]:
    diagnostics = Diagnostics()
    found: ModelProvider = decoded(written)
    return provider(found, references(**around), diagnostics), diagnostics


def test_an_endpoint_serves_the_catalogue_by_its_wire_ids() -> None:
    found, diagnostics = run(
        builders.provider(
            "p",
            endpoints=[
                endpoint("b", US),
                endpoint("a", models=[{"name": "m", "id": "deployment"}, {"name": "vectors"}]),
            ],
            models=[model("m", id="vendor/M"), embedding("vectors"), model("n")],
        )
    )
    assert found is not None
    assert [one.name for one in found.endpoints] == ["a", "b"], "sorted: an order in the file means nothing"
    assert found.endpoints[0].wire_models == {"m": "deployment", "vectors": "vectors"}
    assert found.endpoints[1].wire_models == {"m": "vendor/M", "vectors": "vectors", "n": "n"}
    assert found.endpoints[0].region == ""
    assert found.kinds == {"m": ir.ModelKind.CHAT, "vectors": ir.ModelKind.EMBEDDING, "n": ir.ModelKind.CHAT}
    assert found.served == {"m", "vectors", "n"}
    assert said(diagnostics) == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://API.Example.com/v1/", ir.Upstream(host="api.example.com", port=443, tls=True, base_path="/v1")),
        ("https://a.example:8443", ir.Upstream(host="a.example", port=8443, tls=True, base_path="")),
        ("http://vllm.models.svc:8000/v1", ir.Upstream(host="vllm.models.svc", port=8000, tls=False, base_path="/v1")),
        ("http://127.0.0.1/openai/v1", ir.Upstream(host="127.0.0.1", port=80, tls=False, base_path="/openai/v1")),
        ("http://[::1]:9/v1", ir.Upstream(host="::1", port=9, tls=False, base_path="/v1")),
    ],
)
def test_base_url_is_taken_apart(url: str, expected: ir.Upstream) -> None:
    found, _ = run(builders.provider("p", endpoints=[{"name": "e", "baseURL": url}]))
    assert found is not None
    assert found.endpoints[0].upstream == expected


@pytest.mark.parametrize(
    ("written", "expected", "reason"),
    [
        ({"secretName": "s"}, ("s/apiKey", "Authorization", "Bearer "), "the default is a bearer token"),
        ({"secretName": "s", "key": "k", "header": "api-key"}, ("s/k/api-key", "api-key", ""), "the value as it is"),
        (
            {"secretName": "s", "key": "k", "header": "Authorization"},
            ("s/k/Authorization", "Authorization", ""),
            "another name than the default's: the same file goes out in another form",
        ),
    ],
)
def test_credential(written: dict[str, str], expected: tuple[str, str, str], reason: str) -> None:
    found, _ = run(
        builders.provider("p", endpoints=[endpoint("e", US, credential=written)]), home_secrets_readable=False
    )
    assert found is not None
    credential = found.endpoints[0].credential
    assert credential is not None
    assert (credential.name, credential.header, credential.prefix) == expected, reason


@pytest.mark.parametrize(
    ("spec", "around", "expected", "standing", "reason"),
    [
        (
            {"endpoints": [endpoint("a", "us-eest-1"), endpoint("b", US)]},
            {},
            [
                (
                    "RegionNotFound spec.endpoints[0].region: got `us-eest-1`, want a region of the installation"
                    " (`eu-central-1`, `eu-west-1`, `us-east-1`), did you mean `us-east-1`"
                )
            ],
            Standing.PARTLY,
            "the other endpoint serves",
        ),
        (
            {"endpoints": [endpoint("a", "mars")]},
            {},
            [
                (
                    "RegionNotFound spec.endpoints[0].region: got `mars`, want a region of the installation"
                    " (`eu-central-1`, `eu-west-1`, `us-east-1`)"
                )
            ],
            Standing.NOT_AT_ALL,
            "no endpoint is left",
        ),
        (
            {"endpoints": [endpoint("a", US, credential={"secretName": "gone"})]},
            {},
            [
                (
                    "SecretNotFound spec.endpoints[0].credential.secretName: got `gone`, want a Secret of namespace"
                    " `fairlead` with the key `apiKey`, create it, or the endpoint cannot answer"
                )
            ],
            Standing.WHOLE,
            "the target stays and fails closed",
        ),
        (
            {"endpoints": [endpoint("a", US, credential={"secretName": "s", "key": "apikey"})]},
            {"secrets": Secrets({secret("s", namespace=HOME): "1"})},
            [
                (
                    "SecretNotFound spec.endpoints[0].credential.key: got `apikey`, want a key of Secret `s`"
                    " (`apiKey`), did you mean `apiKey`, or the endpoint cannot answer"
                )
            ],
            Standing.WHOLE,
            "the Secret is there, its key is not",
        ),
        (
            {"endpoints": [endpoint("a", US, credential={"secretName": "s"})]},
            {"secrets": Secrets({}, [secret("s", namespace=HOME)])},
            [],
            Standing.WHOLE,
            "an unreadable Secret counts as there",
        ),
        (
            {"endpoints": [endpoint("a", US, credential={"secretName": "s"})]},
            {"home_secrets_readable": False},
            [],
            Standing.WHOLE,
            "on Kubernetes nobody reads it",
        ),
        (
            {"endpoints": [endpoint("a", US, models=[{"name": "small"}])], "models": [model("small"), model("rest")]},
            {},
            [
                "spec.models[1].name: got `rest`, which no endpoint serves, want it in `models` of an endpoint",
            ],
            Standing.WHOLE,
            "a model that nobody serves is worth a warning",
        ),
    ],
)
def test_references(
    spec: dict[str, Any], around: dict[str, Any], expected: list[str], standing: Standing, reason: str
) -> None:
    _, diagnostics = run(builders.provider("p", **spec), **around)
    assert said(diagnostics) == expected, reason
    assert diagnostics.standing is standing, reason


def test_counts_only_in_the_namespace_of_the_installation() -> None:
    found, diagnostics = run(builders.provider("p", namespace="team-web"))
    assert found is None
    assert said(diagnostics) == [
        (
            "NamespaceNotAllowed metadata.namespace: got `team-web`, want `fairlead`: gateways mount Secrets of the"
            " installation's namespace only, move the provider there"
        )
    ]


@pytest.mark.parametrize(
    ("chosen", "namespace", "expected"),
    [
        ({"from": "Same"}, HOME, True),
        ({"from": "Same"}, "team", False),
        ({"from": "All"}, "team", True),
        ({"from": "Selector", "selector": {"matchLabels": {"llm": "on"}}}, "team", True),
        ({"from": "Selector", "selector": {"matchLabels": {"llm": "on"}}}, HOME, False),
    ],
)
def test_permits(chosen: dict[str, Any], namespace: str, expected: bool) -> None:
    around = references(namespace_labels={"team": {"llm": "on"}})
    found = provider(decoded(builders.provider("p", allowedRoutes={"namespaces": chosen})), around, Diagnostics())
    assert found is not None
    assert found.permits(namespace, around) is expected


def test_breaker_and_bulkhead() -> None:
    found, _ = run(
        builders.provider(
            "p",
            endpoints=[endpoint("e", EU_WEST)],
            circuitBreaker={"consecutiveFailures": 3, "openFor": "90s", "maxInFlight": 64},
        )
    )
    assert found is not None
    assert found.breaker == ir.Breaker(consecutive_failures=3, open_for_ms=90_000)
    assert found.max_in_flight == 64
