import pytest

from fairlead.api.base_url import split_base_url
from fairlead.api.health_check import HealthCheck
from fairlead.api.provider import CircuitBreaker, Endpoint, ModelProviderSpec
from fairlead.api.schema import of_part
from fairlead.api.validation import judge


def test_defaults() -> None:
    spec = ModelProviderSpec.model_validate(
        {
            "endpoints": [{"name": "us", "baseURL": "https://us.example.com/v1", "credential": {"secretName": "s"}}],
            "models": [{"name": "m", "usdPerMillionTokens": {"input": "1", "output": "2"}}],
        }
    )
    assert spec.protocol == "OpenAI"
    assert spec.allowed_routes.namespaces.from_ == "Same"
    assert spec.circuit_breaker == CircuitBreaker(consecutive_failures=5, open_for="60s", max_in_flight=None)
    assert spec.health_check == HealthCheck(
        type="HTTP",
        credential="Omit",
        path="/models",
        interval="10s",
        timeout="2s",
        unhealthy_threshold=2,
        healthy_threshold=2,
    )
    (endpoint,), (model,) = spec.endpoints, spec.models
    assert endpoint.credential is not None
    assert (endpoint.credential.key, endpoint.credential.header) == ("apiKey", None)
    assert (endpoint.region, endpoint.models, endpoint.capacity) == (None, None, None)
    assert (model.type, model.id, model.context_window, model.max_output_tokens) == ("Chat", None, None, None)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://US.Example.com/v1", (True, "us.example.com", 443, "/v1")),
        ("https://us.example.com:8443/openai/v1/", (True, "us.example.com", 8443, "/openai/v1")),
        ("http://vllm.models.svc:8000/v1", (False, "vllm.models.svc", 8000, "/v1")),
        ("http://localhost", (False, "localhost", 80, "")),
        ("http://[::1]:8000/", (False, "::1", 8000, "")),
    ],
)
def test_split_base_url(url: str, parts: tuple[bool, str, int, str]) -> None:
    assert split_base_url(url) == parts


INSIDE = [
    "http://a.svc",
    "http://vllm.models.svc.cluster.local:8000/v1",
    "http://localhost:11434/v1",
    "http://127.1.2.3:1/",
    "http://[::1]:8000/",
]
OUTSIDE = [
    "http://us.example.com",
    "http://svc",
    "http://xsvc",
    "http://vllm.models.svc.evil.example",
    "http://vllm.models.svc.cluster.local.evil.example",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "http://10.0.0.1",
    "http://[2001:db8::1]",
]


def _problems(**endpoint: str) -> list[str]:
    return [str(problem) for problem in judge(of_part(Endpoint), {"name": "gpu", **endpoint}, "")[1]]


@pytest.mark.parametrize("url", INSIDE)
def test_plain_http_within_the_cluster_and_the_machine_needs_no_word(url: str) -> None:
    assert _problems(baseURL=url) == []


@pytest.mark.parametrize("url", OUTSIDE)
def test_plain_http_to_anywhere_else_is_refused_unless_the_endpoint_allows_it(url: str) -> None:
    for endpoint in ({}, {"plainHTTP": "Deny"}):
        (problem,) = _problems(baseURL=url, **endpoint)
        assert problem.startswith("baseURL: ")
        assert "add `plainHTTP: Allow`" in problem
    assert _problems(baseURL=url, plainHTTP="Allow") == []
    assert _problems(baseURL=url.replace("http:", "https:")) == []
