import pytest

from fairlead.api.provider import CircuitBreaker, HealthCheck, ModelProviderSpec, split_base_url


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
        type="HTTP", path="/models", interval="10s", timeout="2s", unhealthy_threshold=3, healthy_threshold=2
    )
    (endpoint,), (model,) = spec.endpoints, spec.models
    assert endpoint.credential is not None
    assert (endpoint.credential.key, endpoint.credential.header) == ("apiKey", None)
    assert (endpoint.region, endpoint.models) == (None, None)
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
