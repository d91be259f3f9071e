"""Headers travel by allow-list both ways: a provider gets what its API knows, and so does a client."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from running import ROUTE, Gateway, credential, gateway, plan, route, simple, target
from wire import WireProvider, header_names

from fairlead import ir

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]

KNOWN = {
    "Accept": "application/json",
    "Anthropic-Beta": "a",
    "Anthropic-Version": "2023-06-01",
    "Cache-Control": "no-store",
    "Idempotency-Key": "k",
    "OpenAI-Beta": "b",
    "Traceparent": "00-1-2-01",
    "Tracestate": "a=b",
    "User-Agent": "sdk/1",
    "X-Fairlead-Rule": "none",
}
FOREIGN = {
    "Accept-Encoding": "gzip",
    "Baggage": "user=1",
    "CF-Access-Client-Secret": "s",
    "Content-Encoding": "identity",
    "Cookie": "session=1",
    "Forwarded": "for=10.0.0.1",
    "Helicone-Auth": "Bearer other",
    "OCP-APIM-Subscription-Key": "k",
    "OpenAI-Api-Key": "sk-other",
    "OpenAI-Organization": "org-other",
    "OpenAI-Project": "proj_other",
    "Proxy-Authorization": "Basic eDp5",
    "Referer": "https://intern.example",
    "Via": "1.1 other",
    "X-API-Key": "mine",
    "X-Fairlead-Budget-Remaining": "9",
    "X-Fl-Consumer": "team/bob",
    "X-Forwarded-For": "10.0.0.1",
    "X-Forwarded-Host": "intern.example",
    "X-Forwarded-Proto": "https",
    "X-Goog-Api-Key": "g",
    "X-HTTP-Method-Override": "DELETE",
    "X-LiteLLM-Key": "l",
    "X-Original-URL": "/admin",
    "X-Real-IP": "10.0.0.1",
    "X-Title": "an agent",
}
BY_THE_GATEWAY = {"host", "content-length", "content-type", "x-request-id"}
WANTED = {name.lower() for name in KNOWN} | BY_THE_GATEWAY


def rung(name: str, provider: WireProvider, **fields: Any) -> ir.Target:
    """Make a target at a provider."""
    upstream = ir.Upstream(host="127.0.0.1", port=provider.port, tls=False, base_path="/v1")
    return target(name, provider, upstream=upstream, **fields)  # type: ignore[arg-type]


def names_at(provider: WireProvider) -> list[set[str]]:
    """Names of the headers of each request that a provider got."""
    return [set(header_names(head)) for head in provider.heads]


def response(*headers: str) -> bytes:
    body = b'{"choices":[]}'
    lines = ["HTTP/1.1 200 OK", "content-type: application/json", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode() + body


@pytest.mark.parametrize("limit", [None, 5], ids=["direct", "behind a bulkhead"])
def test_a_provider_gets_the_headers_of_its_api_and_no_others(limit: int | None, wait_until: Wait) -> None:
    with WireProvider(500) as one, WireProvider(500, 200) as two, WireProvider() as shade:
        first = rung("a/e/m", one, max_in_flight=limit)
        second = rung("b/e/m", two, max_in_flight=limit, credential="secret/key")
        copy = rung("s/e/m", shade, credential="secret/key/api-key")
        chat = route(ROUTE, plan(f"{ROUTE}/0", last=second), shadow=ir.Shadow(target=copy.name, sample=10_000))
        whole = gateway(
            {"chat": chat},
            {f"{ROUTE}/0": (second, first)},
            others=(copy,),
            credentials=(credential("secret"), credential("secret", "api-key")),
        )
        with Gateway(whole) as running:
            answer = running.ask(headers={**KNOWN, **FOREIGN, "X_Title": "underscored"})
            assert answer.status == 200
            wait_until(lambda: running.line(answer, "shadow"))
        assert names_at(two) == [WANTED | {"authorization"}, WANTED | {"authorization"}]
        assert names_at(one) == [WANTED]
        assert names_at(shade) == [WANTED | {"api-key"}]


def test_a_header_goes_to_the_providers_that_name_it_whatever_was_tried_before() -> None:
    with WireProvider(500) as one, WireProvider(500) as two, WireProvider(500) as three:
        rungs = (
            rung("a/e/m", one),
            rung("b/e/m", two, forward_headers=("x-session", "x-title")),
            rung("c/e/m", three, forward_headers=("x-session",)),
        )
        with Gateway(simple(*rungs)) as running:
            running.ask(headers={"X-Title": "an agent", "X-Session": "7", "X-Other": "1"})
        assert [{"x-title", "x-session", "x-other"} & names for names in names_at(one)] == [set(), set()]
        assert [{"x-title", "x-session", "x-other"} & names for names in names_at(two)] == [{"x-title", "x-session"}]
        assert [{"x-title", "x-session", "x-other"} & names for names in names_at(three)] == [{"x-session"}]
        assert b"\r\nx-title: an agent\r\n" in two.heads[0]
        assert b"\r\nx-session: 7\r\n" in three.heads[0]


OF_THE_API = {
    "content-language": "de",
    "openai-processing-ms": "12",
    "request-id": "req_1",
    "retry-after": "2",
    "traceparent": "00-1-2-01",
    "x-should-retry": "false",
}
OF_NO_API = {
    "access-control-allow-origin": "*",
    "alt-svc": "h3",
    "anthropic-organization-id": "o",
    "anthropic-ratelimit-tokens-remaining": "5",
    "cf-ray": "1",
    "link": "</a>; rel=preload",
    "location": "https://elsewhere.example",
    "openai-organization": "the-platforms",
    "openai-project": "proj_1",
    "server-timing": "db;dur=1",
    "set-cookie": "a=b",
    "strict-transport-security": "max-age=1",
    "www-authenticate": "Basic",
    "x-amzn-requestid": "1",
    "x-envoy-overloaded": "true",
    "x-envoy-ratelimited": "true",
    "x-fairlead-budget-remaining": "9",
    "x-fairlead-route": "team/other",
    "x-fl-route": "team/other",
    "x-powered-by": "php",
    "x-ratelimit-remaining-tokens": "9",
    "x_title": "1",
}


@pytest.mark.parametrize("limit", [None, 5], ids=["direct", "behind a bulkhead"])
def test_a_client_gets_the_headers_of_its_api_and_no_others(limit: int | None) -> None:
    sent = [f"{name}: {value}" for name, value in {**OF_THE_API, **OF_NO_API}.items()]
    with (
        WireProvider(raw=response(*sent, "x-request-cost: 1")) as first,
        Gateway(simple(rung("a/e/m", first, max_in_flight=limit, forward_headers=("x-request-cost",)))) as running,
    ):
        answer = running.ask()
        assert (answer.status, answer.target) == (200, "a/e/m")
    ours = {"x-request-id", "x-fairlead-route", "x-fairlead-target", "x-fairlead-region", "x-fairlead-attempts"}
    envoys = {"date", "server", "content-length", "content-type"}
    assert set(answer.headers) == {*OF_THE_API, *ours, *envoys, "x-request-cost"}
    assert answer.headers["x-fairlead-route"] == ROUTE
    assert {name: answer.headers[name] for name in OF_THE_API} == OF_THE_API


def test_a_header_comes_back_only_from_the_provider_that_names_it() -> None:
    raw = response("x-request-cost: 1")
    with WireProvider(raw=raw) as first, WireProvider(500) as second:
        rungs = (rung("b/e/m", second, forward_headers=("x-request-cost",)), rung("a/e/m", first))
        with Gateway(simple(*rungs)) as running:
            answer = running.ask()
    assert answer.target == "a/e/m"
    assert "x-request-cost" not in answer.headers


def test_a_changed_list_holds_from_then_on(wait_until: Wait) -> None:
    with WireProvider() as first:
        plain = rung("a/e/m", first)
        with Gateway(simple(plain)) as running:
            running.ask(headers={"X-Title": "1"})
            running.serve(simple(replace(plain, forward_headers=("x-title",))))

            def is_forwarded() -> bool:
                running.ask(headers={"X-Title": "1"})
                return "x-title" in names_at(first)[-1]

            wait_until(is_forwarded)
        assert "x-title" not in names_at(first)[0]
