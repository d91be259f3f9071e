from typing import Any

import builders
from fairlead.api.provider import ModelProviderSpec
from fairlead.compiler import DeclaredEndpoint
from fairlead.health.endpoint import Endpoint

SECRET = {"credential": {"secretName": "keys", "key": "us"}}


def _declared(*manifests: dict[str, Any], **values: Any) -> dict[str, DeclaredEndpoint]:
    return {one.name: one for one in builders.compiled(*manifests, **values).endpoints}


def _provider(**endpoint: Any) -> dict[str, Any]:
    return builders.provider("p", endpoints=[builders.endpoint("us", builders.US, **endpoint)])


def test_what_is_written_of_probes_is_what_health_judges_by() -> None:
    check = {
        "credential": "Send",
        "path": "/health",
        "interval": "5s",
        "timeout": "500ms",
        "unhealthyThreshold": 4,
        "healthyThreshold": 3,
    }
    written = builders.provider("p", endpoints=[builders.endpoint("us", builders.US, **SECRET)], healthCheck=check)
    found = _declared(written, builders.route("chat"))["p/us"]
    assert found.health == Endpoint(
        name="p/us",
        provider="p",
        region="us-east-1",
        interval_ms=5000,
        timeout_ms=500,
        unhealthy_threshold=4,
        healthy_threshold=3,
        probed=True,
        models=1,
        identity=found.health.identity,
    )
    assert (found.path, found.sends_credential) == ("/v1/health", True)
    assert (found.upstream.host, found.endpoint) == ("us.example.com", "us")


def test_an_endpoint_that_no_route_uses_is_listed_as_such() -> None:
    found = _declared(_provider(), builders.provider("q"), builders.route("chat"))
    assert {name: one.health.used for name, one in found.items()} == {"p/us": True, "q/us": False}


def test_models_that_routes_use_are_counted_once_for_all_gateways() -> None:
    models = [builders.model("small"), builders.model("large"), builders.model("idle")]
    found = _declared(
        builders.provider("p", models=models),
        builders.route("chat"),
        builders.route("more", builders.target("p", "large")),
    )
    assert found["p/us"].health.models == 2


def test_without_probes_or_a_credential_none_is_sent() -> None:
    silent = builders.provider("p", healthCheck={"type": "None", "credential": "Send"})
    found = _declared(silent, builders.route("chat"))["p/us"]
    assert (found.health.probed, found.sends_credential) == (False, False)


def test_an_anycast_endpoint_has_no_region() -> None:
    anycast = builders.provider("p", endpoints=[builders.endpoint("any")])
    assert _declared(anycast, builders.route("chat"))["p/any"].health.region == ""


def test_another_address_or_credential_is_another_endpoint() -> None:
    written: list[dict[str, Any]] = [
        {},
        {"baseURL": "https://us.example.com/openai/v1"},
        {"baseURL": "https://other.example.com/v1"},
        SECRET,
        {"credential": {"secretName": "keys", "key": "us", "header": "api-key"}},
    ]
    found = [_declared(_provider(**fields), builders.route("chat"))["p/us"].health.identity for fields in written]
    assert len(set(found)) == len(written)


def test_capacity_is_what_is_written() -> None:
    found = _declared(_provider(capacity={"requestsPerMinute": 600}), builders.route("chat"))["p/us"].capacity
    assert (found.requests, found.tokens) == (600, None)


def test_probes_are_on_by_default() -> None:
    spec = ModelProviderSpec.model_validate(builders.provider("p")["spec"])
    assert spec.health_check.type == "HTTP"
