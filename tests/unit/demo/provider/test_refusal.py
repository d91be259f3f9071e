"""Headers that a strict provider refuses; each row says why."""

import pytest

from fairlead.demo.provider.refusal import Code, Refusal, check_body_headers, check_headers, error_body
from fairlead.demo.provider.settings import Settings

BEARER = Settings(keys=("k", "k2"))
RAW = Settings(keys=("k",), header="api-key")
OPEN = Settings(keys=())
GOOD = ("Authorization", "Bearer k")


CASES: list[tuple[Settings, list[tuple[str, str]], Code | None, str]] = [
    (BEARER, [GOOD], None, "as it should be"),
    (BEARER, [("authorization", "Bearer k2")], None, "two keys while one rotates"),
    (BEARER, [], Code.MISSING_API_KEY, "no key"),
    (BEARER, [("Authorization", "k")], Code.INVALID_API_KEY, "no scheme"),
    (BEARER, [("Authorization", "Bearer other")], Code.INVALID_API_KEY, "wrong key"),
    (BEARER, [("Authorization", "bearer k")], Code.INVALID_API_KEY, "another scheme's case"),
    (BEARER, [GOOD, GOOD], Code.TWO_CREDENTIALS, "the same twice"),
    (BEARER, [GOOD, ("x-api-key", "client")], Code.UNEXPECTED_CREDENTIAL, "the client's key leaked"),
    (BEARER, [GOOD, ("Cookie", "a=b")], Code.UNEXPECTED_CREDENTIAL, "a browser's secret leaked"),
    (BEARER, [GOOD, ("X-FL-Route", "a/b")], Code.INTERNAL_HEADER, "the gateway's own header leaked"),
    (BEARER, [GOOD, ("x-envoy-attempt-count", "1")], Code.INTERNAL_HEADER, "Envoy's own header leaked"),
    (RAW, [("api-key", "k")], None, "raw value in a header of its own"),
    (RAW, [("api-key", "Bearer k")], Code.INVALID_API_KEY, "no scheme there"),
    (RAW, [("api-key", "k"), GOOD], Code.UNEXPECTED_CREDENTIAL, "a second credential"),
    (OPEN, [], None, "wants none"),
    (OPEN, [GOOD], Code.UNEXPECTED_CREDENTIAL, "wants none, gets one"),
]


@pytest.mark.parametrize(("settings", "headers", "code"), [pytest.param(*case, id=why) for *case, why in CASES])
def test_check_headers(settings: Settings, headers: list[tuple[str, str]], code: Code | None) -> None:
    refusal = check_headers(headers, settings)
    assert (refusal.code if refusal else None) is code


@pytest.mark.parametrize(
    ("headers", "path", "code"),
    [
        ({"Content-Type": "application/json; charset=utf-8"}, "/v1/chat/completions", None),
        ({"Content-Type": "text/plain"}, "/v1/chat/completions", Code.INVALID_CONTENT_TYPE),
        ({}, "/v1/chat/completions", Code.INVALID_CONTENT_TYPE),
        ({"Content-Type": "application/json"}, "/v1/messages", Code.MISSING_VERSION),
        ({"Content-Type": "application/json", "anthropic-version": "2023-06-01"}, "/v1/messages", None),
    ],
)
def test_check_body_headers(headers: dict[str, str], path: str, code: Code | None) -> None:
    refusal = check_body_headers(headers, path)
    assert (refusal.code if refusal else None) is code


def test_error_shapes() -> None:
    refusal = Refusal(status=404, code=Code.MODEL_NOT_FOUND, message="no", param="model")
    openai = {"message": "no", "type": "invalid_request_error", "param": "model", "code": "model_not_found"}
    assert error_body(refusal, "/v1/chat/completions") == {"error": openai}
    assert error_body(refusal, "/v1/messages")["error"] == {"type": "not_found_error", "message": "no"}
