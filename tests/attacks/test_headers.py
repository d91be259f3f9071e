"""What a request's head may not do: name headers away, hide one behind an underscore, choose an account, or say by a
query what the body says otherwise. Nor may an answer's."""

import socket
from collections.abc import Iterator

import pytest
from running import Gateway, simple, target
from wire import WireProvider, header_names

from fairlead import ir

pytestmark = pytest.mark.envoy

BODY = b'{"model":"chat","messages":[{"role":"user","content":"hi"}]}'
ANSWER = b'{"choices":[{"index":0}]}'
ALWAYS = {"host", "content-type", "content-length", "x-request-id"}
PATIENT = ir.Breaker(consecutive_failures=1000, open_for_ms=1000)
LENGTH = b"content-length: %d\r\n" % len(BODY)


def exchange(gateway: Gateway, head: bytes, body: bytes = BODY, query: bytes = b"") -> bytes:
    """Send these headers, and return all that comes back."""
    start = b"POST /v1/chat/completions%b HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer sk-alice\r\n" % query
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        connection.sendall(start + b"Content-Type: application/json\r\n" + head + b"\r\n" + body)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def ladder(*providers: WireProvider) -> ir.Gateway:
    """Make a ladder of providers, the second of which stands behind a bulkhead."""
    rungs = []
    for number, provider in enumerate(providers):
        upstream = ir.Upstream(host="127.0.0.1", port=provider.port, tls=False, base_path="/v1")
        limit = 5 if number else None
        fields = {"upstream": upstream, "max_in_flight": limit, "breaker": PATIENT}
        rungs.append(target(f"{number}/e/m", provider, **fields))  # type: ignore[arg-type]
    return simple(*rungs)


@pytest.fixture(scope="module")
def providers() -> Iterator[tuple[WireProvider, WireProvider]]:
    with WireProvider(500) as first, WireProvider() as second:
        yield first, second


@pytest.fixture(scope="module")
def attacked(providers: tuple[WireProvider, WireProvider]) -> Iterator[Gateway]:
    with Gateway(ladder(*providers)) as running:
        yield running


CLOSED = b"Connection: close\r\n" + LENGTH
GOES_ON: dict[str, tuple[bytes, set[str]]] = {
    "a header that is for this connection alone": (b"Connection: close, accept\r\nAccept: x\r\n" + LENGTH, set()),
    "te and trailer": (CLOSED + b"TE: trailers\r\nTrailer: x-secret\r\n", set()),
    "hop by hop": (CLOSED + b"Keep-Alive: 5\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n", set()),
    "underscores": (CLOSED + b"x_fl_consumer: team/bob\r\nOpenAI_Beta: 1\r\nopenai-a_b: 1\r\nuser_agent: x\r\n", set()),
    "underscores in names of ours": (
        CLOSED + b"x-fl_route: a\r\nx_envoy_retry_on: 5xx\r\nx-fairlead_rule: 1\r\n",
        set(),
    ),
    "an api's": (CLOSED + b"openai-beta: 1\r\nanthropic-version: 2\r\n", {"openai-beta", "anthropic-version"}),
    "a name like an api's": (CLOSED + b"openai-x: 1\r\nopenai_beta: 2\r\nanthropic-x: 1\r\n", set()),
    "an account of somebody's": (
        CLOSED
        + b"openai-api-key: sk-other\r\nopenai-organization: o\r\nopenai-project: p\r\nx-goog-user-project: p\r\n",
        set(),
    ),
    "what Envoy obeys": (CLOSED + b"x-envoy-max-retries: 0\r\nx-envoy-upstream-rq-timeout-ms: 1\r\n", set()),
    "the gateway's own words": (
        CLOSED + b":fl-target: a\r\nx-fl-attempt: 1\r\nx-fl-hop: 1\r\nx-fl-host: a b\r\n",
        set(),
    ),
    "addresses": (
        CLOSED + b"X-Client-IP: 1\r\nTrue-Client-IP: 1\r\nX-Cluster-Client-Ip: 1\r\nFastly-Client-IP: 1\r\n",
        set(),
    ),
    "a request id": (CLOSED + b"X-Request-Id: mine\r\n", set()),
}


@pytest.mark.parametrize("name", GOES_ON)
def test_nothing_else_goes_to_providers(
    attacked: Gateway, providers: tuple[WireProvider, WireProvider], name: str
) -> None:
    head, wanted = GOES_ON[name]
    before = [len(provider.heads) for provider in providers]
    answer = exchange(attacked, head)
    reached = [seen for provider, number in zip(providers, before, strict=True) for seen in provider.heads[number:]]
    if not answer.startswith(b"HTTP/1.1 400 "):
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert [set(header_names(seen)) for seen in reached] == [ALWAYS | wanted] * 2
        assert b"mine" not in b"".join(reached)
    assert len(reached) in (0, 2)


@pytest.mark.parametrize(
    "named", ["authorization", "x-fl-consumer", "x-fl-route", "host", "content-length", ":path", "x-envoy-internal"]
)
def test_a_client_names_nothing_away_that_the_gateway_goes_by(
    attacked: Gateway, providers: tuple[WireProvider, WireProvider], named: str
) -> None:
    before = len(providers[1].heads)
    status = exchange(attacked, f"Connection: close, {named}\r\n".encode() + LENGTH).split()[1]
    reached = providers[1].heads[before:]
    assert status in (b"400", b"401") or (status == b"200" and set(header_names(*reached)) == ALWAYS)
    assert bool(reached) == (status == b"200")


@pytest.mark.parametrize(
    "query",
    [
        b"?model=gpt-5-pro&n=64&max_tokens=100000&stream=true",
        b"?key=AIza-other&access_token=x&_method=DELETE",
        b"?" + b"a" * 40_000,
        b"?",
        b"??model=other",
        b"?/v1/chat/completions?model=other",
    ],
    ids=["members of a body", "credentials and methods", "long", "empty", "two", "a path"],
)
def test_nothing_of_a_query_goes_to_providers(
    attacked: Gateway, providers: tuple[WireProvider, WireProvider], query: bytes
) -> None:
    # Frameworks merge a query with the body, and take what the gateway never read.
    before = [len(provider.heads) for provider in providers]
    assert exchange(attacked, CLOSED, query=query).startswith(b"HTTP/1.1 200 ")
    for provider, number in zip(providers, before, strict=True):
        (seen,) = provider.heads[number:]
        assert seen.split(b"\r\n")[0] == b"POST /v1/chat/completions HTTP/1.1"


def test_trailers_of_a_client_go_nowhere(attacked: Gateway, providers: tuple[WireProvider, WireProvider]) -> None:
    before = len(providers[1].heads)
    trailers = b"x-secret: 1\r\nauthorization: Bearer sk-bob\r\nx-fl-consumer: team/bob\r\n"
    chunked = b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(BODY), BODY, trailers)
    head = b"Connection: close\r\nTransfer-Encoding: chunked\r\nTrailer: x-secret\r\n"
    assert exchange(attacked, head, chunked).startswith(b"HTTP/1.1 200 ")
    (reached,) = providers[1].heads[before:]
    assert set(header_names(reached)) == ALWAYS
    assert b"secret" not in providers[1].bodies[-1]


PLAIN = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % len(
    ANSWER
)
COMES_BACK = {
    "trailers": b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\n"
    b"transfer-encoding: chunked\r\ntrailer: set-cookie\r\n\r\n%x\r\n%b\r\n0\r\n"
    b"set-cookie: evil=1\r\nx-fairlead-target: evil\r\n\r\n" % (len(ANSWER), ANSWER),
    "100": b"HTTP/1.1 100 Continue\r\nset-cookie: evil=1\r\n\r\n" + PLAIN + b"\r\n" + ANSWER,
    "102": b"HTTP/1.1 102 Processing\r\nset-cookie: evil=1\r\n\r\n" + PLAIN + b"\r\n" + ANSWER,
    "103": b"HTTP/1.1 103 Early Hints\r\nlink: </evil>; rel=preload\r\n\r\n" + PLAIN + b"\r\n" + ANSWER,
    "hop by hop": PLAIN.replace(b"close", b"close, x-evil")
    + b"x-evil: 1\r\nkeep-alive: evil\r\nupgrade: h2c\r\n\r\n"
    + ANSWER,
    "who served": PLAIN
    + b"server: evil\r\nvia: evil\r\nx-request-id: evil\r\nx-fairlead-target: evil\r\n\r\n"
    + ANSWER,
    "whose account": PLAIN
    + b"openai-organization: evil\r\nopenai-project: evil\r\nanthropic-organization-id: evil\r\n"
    + b"x-ratelimit-remaining-tokens: evil\r\nanthropic-ratelimit-tokens-remaining: evil\r\n\r\n"
    + ANSWER,
    "underscores": PLAIN + b"x_fairlead_route: evil\r\nanthropic_x: evil\r\nset_cookie: evil=1\r\n\r\n" + ANSWER,
    "where to go": PLAIN
    + b"refresh: 0;evil\r\nlocation: evil\r\ncontent-location: evil\r\nalt-svc: evil\r\n\r\n"
    + ANSWER,
    "what browsers obey": PLAIN
    + b"access-control-allow-origin: evil\r\nclear-site-data: evil\r\nnel: evil\r\n\r\n"
    + ANSWER,
}


@pytest.mark.parametrize("name", COMES_BACK)
def test_nothing_else_comes_back(name: str) -> None:
    with WireProvider(raw=COMES_BACK[name]) as only, Gateway(ladder(only)) as running:
        answer = exchange(running, b"TE: trailers\r\n" + CLOSED)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), "nothing before the answer"
    assert answer.count(b"HTTP/1.1 ") == 1
    assert ANSWER in answer
    assert b"evil" not in answer
