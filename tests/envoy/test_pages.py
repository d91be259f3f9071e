"""Pages in browsers, and whoever looks whether something is there: preflights, origins, `HEAD /`, on a real Envoy."""

import json
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from one_target import provider
from one_target import running as nobody
from running import Gateway, credential, simple, target
from scripted import JSON, Script, ScriptedProvider

from fairlead.demo.provider import SimulatedProvider

__all__ = ["nobody", "provider"]

pytestmark = pytest.mark.envoy

KEY = {"authorization": "Bearer sk-alice"}
CHAT = "/v1/chat/completions"
BODY = {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}
PAGE, APP, STRANGER = "https://chat.example.com", "tauri://localhost", "https://chat.example.com.evil.example"
ASKED = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}


@pytest.fixture(scope="module")
def some(provider: SimulatedProvider) -> Iterator[Gateway]:
    only = target("acme/fra/chat", provider, wire_model="chat", credential="first/key")
    whole = simple(only, credentials=(credential("first"),))
    with Gateway(replace(whole, allow_origins=(PAGE, APP))) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def everybody() -> Iterator[Gateway]:
    """Whose provider has an opinion about origins, too."""
    opinion = f"{JSON}\r\naccess-control-allow-origin: null\r\naccess-control-allow-credentials: true"
    answer = Script(pieces=(b'{"choices":[{}],"usage":null}',), content_type=opinion, chunked=False)
    with ScriptedProvider() as provider:
        provider.script = answer
        only = target("acme/fra/chat", provider, wire_model="chat")
        with Gateway(replace(simple(only), allow_origins=("*",))) as gateway:
            yield gateway


def ask(
    gateway: Gateway,
    method: str = "POST",
    path: str = CHAT,
    *,
    origin: str | None = None,
    headers: dict[str, str] | None = None,
    body: object = None,
) -> httpx.Response:
    stated = {} if origin is None else {"origin": origin}
    with httpx.Client(base_url=f"http://127.0.0.1:{gateway.port}", timeout=30) as client:
        return client.request(method, path, headers={**stated, **(headers or {})}, json=body)


def told(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


@pytest.mark.parametrize("origin", [PAGE, APP])
@pytest.mark.parametrize("path", [CHAT, "/v1/models", "/v1/usage", "/chat/completions"])
def test_a_preflight_needs_no_key(some: Gateway, origin: str, path: str) -> None:
    answer = ask(some, "OPTIONS", path, origin=origin, headers=ASKED)
    assert (answer.status_code, answer.content) == (200, b"")
    said = told(answer)
    assert said["access-control-allow-origin"] == origin
    assert said["access-control-allow-methods"] == "GET, POST"
    assert {"authorization", "content-type", "x-api-key", "api-key", "*"} <= set(
        said["access-control-allow-headers"].split(", ")
    )
    assert said["access-control-max-age"] == "600"
    assert "access-control-allow-credentials" not in said


@pytest.mark.parametrize(
    ("request_line", "headers", "body", "status"),
    [
        (f"POST {CHAT}", KEY, BODY, 200),
        (f"POST {CHAT}", {}, BODY, 401),
        (f"POST {CHAT}", KEY, {**BODY, "model": "other"}, 404),
        (f"POST {CHAT}", KEY, {"model": "a\n"}, 400),
        (f"POST {CHAT}", KEY, {**BODY, "user": "x" * (1 << 20)}, 413),
        ("GET /v1/models", KEY, None, 200),
        ("GET /v1/usage", KEY, None, 200),
        ("GET /nothing", KEY, None, 404),
        ("HEAD /", {}, None, 200),
    ],
)
def test_every_answer_says_that_the_page_may_read_it(
    some: Gateway, request_line: str, headers: dict[str, str], body: object, status: int
) -> None:
    answer = ask(some, *request_line.split(), origin=PAGE, headers=headers, body=body)
    assert answer.status_code == status, answer.text
    said = told(answer)
    assert said["access-control-allow-origin"] == PAGE
    assert {"x-request-id", "x-fairlead-target", "x-fairlead-budget-remaining", "retry-after"} <= set(
        said["access-control-expose-headers"].split(", ")
    )
    assert "origin" in answer.headers["vary"].lower()


def test_a_failed_provider_can_be_read_too(some: Gateway, provider: SimulatedProvider) -> None:
    for status, seen in ((429, 429), (503, 503), (401, 502)):
        provider.control.fault(status=status, count=5)
        answer = ask(some, origin=PAGE, headers=KEY, body=BODY)
        provider.control.clear()
        assert (answer.status_code, told(answer)["access-control-allow-origin"]) == (seen, PAGE)
        assert "x-request-id" in told(answer)["access-control-expose-headers"]


def test_a_failed_provider_says_nothing_of_pages_to_others(some: Gateway, provider: SimulatedProvider) -> None:
    for origin in (None, STRANGER):
        provider.control.fault(status=401, count=5)
        answer = ask(some, origin=origin, headers=KEY, body=BODY)
        provider.control.clear()
        assert (answer.status_code, told(answer), answer.headers.get("vary")) == (502, {}, None)


@pytest.mark.parametrize("origin", [STRANGER, "http://chat.example.com", "https://CHAT.example.com", "null", ""])
def test_other_pages_are_told_no(some: Gateway, origin: str) -> None:
    answer = ask(some, "OPTIONS", origin=origin, headers=ASKED)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "origin_not_allowed")
    assert "cors.allowOrigins" in answer.json()["error"]["message"]
    assert told(answer) == {}
    assert told(ask(some, origin=origin, headers=KEY, body=BODY)) == {}


def test_no_page_may_call_where_nobody_says_so(nobody: Gateway) -> None:
    answer = ask(nobody, "OPTIONS", origin=PAGE, headers=ASKED)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "origin_not_allowed")
    assert told(answer) == {}
    assert answer.headers["content-type"] == "application/json"
    for headers, status in ((KEY, 200), ({}, 401)):
        answer = ask(nobody, origin=PAGE, headers=headers, body=BODY)
        assert (answer.status_code, told(answer)) == (status, {})


def test_any_page_may_call_where_that_is_said_and_the_provider_is_not_asked(everybody: Gateway) -> None:
    for origin in (STRANGER, "null"):
        assert told(ask(everybody, "OPTIONS", origin=origin, headers=ASKED))["access-control-allow-origin"] == origin
        answer = ask(everybody, origin=origin, headers=KEY, body=BODY)
        assert answer.status_code == 200
        assert answer.headers.get_list("access-control-allow-origin") == [origin]
        assert "access-control-allow-credentials" not in answer.headers


@pytest.fixture(scope="module")
def keyless(provider: SimulatedProvider) -> Iterator[Gateway]:
    only = target("acme/fra/chat", provider, wire_model="chat", credential="first/key")
    whole = simple(only, credentials=(credential("first"),))
    nobody = replace(whole.consumers[0], name="team/nobody")
    with Gateway(
        replace(whole, anonymous="team/nobody", consumers=(*whole.consumers, nobody), allow_origins=(PAGE,))
    ) as gateway:
        yield gateway


def test_a_foreign_page_cannot_spend_where_no_key_is_wanted(keyless: Gateway, provider: SimulatedProvider) -> None:
    assert ask(keyless, body=BODY).status_code == 200
    assert ask(keyless, origin=PAGE, body=BODY).status_code == 200
    provider.control.reset()
    for origin in (STRANGER, "null", "http://127.0.0.1:3000"):
        with httpx.Client(base_url=f"http://127.0.0.1:{keyless.port}", timeout=30) as client:
            # As browsers send a blob without a type: no preflight, no content type.
            answer = client.post(CHAT, content=json.dumps(BODY).encode(), headers={"origin": origin})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "origin_not_allowed")
        assert ask(keyless, "GET", "/v1/models", origin=origin).status_code == 403
        # Who has a key means it.
        assert ask(keyless, origin=origin, headers=KEY, body=BODY).status_code == 200
    assert len(provider.control.requests()) == 3


def test_whoever_is_no_page_is_answered_as_ever(some: Gateway) -> None:
    answer = ask(some, headers=KEY, body=BODY)
    assert (answer.status_code, told(answer), answer.headers.get("vary")) == (200, {}, None)
    # A question about options that is no preflight is a request like another.
    assert ask(some, "OPTIONS").status_code == 401
    assert ask(some, "OPTIONS", origin=PAGE, headers=KEY).status_code == 404


@pytest.mark.parametrize("headers", [{}, KEY, {"authorization": "Bearer wrong"}], ids=["no key", "key", "wrong key"])
def test_who_looks_whether_something_is_there_is_told_so(nobody: Gateway, headers: dict[str, str]) -> None:
    for path in ("/", "/v1", "/v1/"):
        head, get = (ask(nobody, method, path, headers=headers) for method in ("HEAD", "GET"))
        assert (head.status_code, head.content) == (200, b"")
        assert (get.status_code, get.headers["content-type"]) == (200, "application/json")
        assert "/v1" in get.json()["message"]
        assert ask(nobody, "POST", path, headers=KEY).status_code == 404
