"""What HTTP/2 can say and HTTP/1.1 cannot reaches no provider: one request, its judged body, its own head, or none."""

from collections.abc import Iterator, Sequence

import pytest
from http2_frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Field,
    block,
    converse,
    frame,
)
from running import Gateway, credential, simple, target
from wire import WireProvider

pytestmark = pytest.mark.envoy

CHAT = b"/v1/chat/completions"
BODY = b'{"model":"chat","messages":[{"role":"user","content":"hi"}]}'
SECOND = b"POST /v1/evil HTTP/1.1\r\nhost: evil\r\ncontent-length: 2\r\n\r\n{}"
METHOD, SCHEME, AUTHORITY, PATH = (b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"h"), (b":path", CHAT)
PSEUDO = (METHOD, SCHEME, AUTHORITY, PATH)
KEYED = ((b"authorization", b"Bearer sk-alice"), (b"content-type", b"application/json"))
LENGTH = (b"content-length", b"%d" % len(BODY))
CHUNKED = (b"transfer-encoding", b"chunked")
ALLOWED = {b"host", b"content-length", b"content-type", b"authorization", b"accept-encoding", b"x-request-id"}
"""Names of headers that may reach the provider in these tests, where no client sends tracing."""
Frames = Sequence[bytes]


def ask(*fields: Field, pseudo: Sequence[Field] = PSEUDO, body: bytes = BODY) -> Frames:
    """Make the frames of a request."""
    return (
        frame(HEADERS, END_HEADERS, block((*pseudo, *KEYED, *fields))),
        frame(DATA, END_STREAM, body),
    )


def without(name: bytes, *instead: Field) -> tuple[Field, ...]:
    return (*(one for one in PSEUDO if one[0] != name), *instead)


def path(text: bytes) -> Frames:
    return ask(pseudo=without(b":path", (b":path", text)))


def authority(text: bytes, *fields: Field) -> Frames:
    return ask(*fields, pseudo=without(b":authority", (b":authority", text)))


def trailed(*fields: Field, flags: int = END_HEADERS | END_STREAM) -> Frames:
    return (
        frame(HEADERS, END_HEADERS, block((*PSEUDO, *KEYED))),
        frame(DATA, 0, BODY),
        frame(HEADERS, flags, block(fields)),
    )


def continued(*parts: bytes, between: bytes = b"", stream: int = 1) -> Frames:
    return (
        frame(HEADERS, 0, parts[0]),
        between,
        *(frame(CONTINUATION, 0, part, stream) for part in parts[1:-1]),
        frame(CONTINUATION, END_HEADERS, parts[-1], stream),
        frame(DATA, END_STREAM, BODY),
    )


WHOLE = block((*PSEUDO, *KEYED))
REFUSED: dict[str, Frames] = {
    "two methods": ask(pseudo=(METHOD, *PSEUDO)),
    "two paths": ask(pseudo=(*PSEUDO, (b":path", b"/v1/evil"))),
    "two schemes": ask(pseudo=(SCHEME, *PSEUDO)),
    "no method": ask(pseudo=without(b":method")),
    "no path": ask(pseudo=without(b":path")),
    "no scheme": ask(pseudo=without(b":scheme")),
    "an empty path": path(b""),
    "a pseudo-header that none is": ask(pseudo=(*PSEUDO, (b":evil", b"1"))),
    "a status in a request": ask(pseudo=(*PSEUDO, (b":status", b"200"))),
    "a pseudo-header after the others": ask((b":path", b"/v1/evil"), pseudo=without(b":path")),
    "a name in capitals": ask((b"X-Evil", b"1")),
    "a line's end in a value": ask((b"x-a", b"b\r\ntransfer-encoding: chunked")),
    "a request in a value": ask((b"x-a", b"b\r\n\r\n" + SECOND)),
    "a carriage return alone in a value": ask((b"x-a", b"b\rc")),
    "a line feed alone in a value": ask((b"traceparent", b"b\nc: d")),
    "a NUL in a value": ask((b"x-a", b"b\0c")),
    "a line's end in a name": ask((b"x-a: b\r\nx-evil", b"1")),
    "a colon in a name": ask((b"x-a:b", b"1")),
    "a blank in a name": ask((b"x a", b"1")),
    "an empty name": ask((b"", b"1")),
    "a line's end in the path": path(b"/v1/x HTTP/1.1\r\nhost: evil\r\n\r\n" + SECOND),
    "a line's end in the method": ask(pseudo=((b":method", b"POST /v1/evil HTTP/1.1\r\nx: y"), *PSEUDO[1:])),
    "a line's end in the authority": authority(b"h\r\nx-evil: 1"),
    "a line's end in the scheme": ask(pseudo=without(b":scheme", (b":scheme", b"http\r\nx-evil: 1"))),
    "transfer-encoding": ask(CHUNKED, body=b"0\r\n\r\n" + SECOND),
    "transfer-encoding and a length": ask(CHUNKED, LENGTH),
    "connection": ask((b"connection", b"transfer-encoding")),
    "connection: upgrade": ask((b"connection", b"upgrade"), (b"upgrade", b"h2c"), (b"http2-settings", b"AAMAAABk")),
    "keep-alive": ask((b"keep-alive", b"timeout=5")),
    "proxy-connection": ask((b"proxy-connection", b"keep-alive")),
    "te: chunked": ask((b"te", b"chunked"), body=b"0\r\n\r\n" + SECOND),
    "a length that is too short": ask((b"content-length", b"5")),
    "a length that is too long": ask((b"content-length", b"%d" % (len(BODY) + 9))),
    "a length of nothing": ask((b"content-length", b"0")),
    "two lengths": ask(LENGTH, (b"content-length", b"5")),
    "two lengths in one": ask((b"content-length", b"%d, 5" % len(BODY))),
    "a negative length": ask((b"content-length", b"-1")),
    "a signed length": ask((b"content-length", b"+%d" % len(BODY))),
    "a length in hexadecimal": ask((b"content-length", b"0x%x" % len(BODY))),
    "a length beyond 64 bits": ask((b"content-length", b"%d" % (2**64 + len(BODY)))),
    "a length without a body": (frame(HEADERS, END_HEADERS | END_STREAM, block((*PSEUDO, *KEYED, LENGTH))),),
    "a path in capitals": path(CHAT.upper()),
    "a path with a blank": path(CHAT + b" HTTP/1.1"),
    "a path with no slash": path(b"v1/chat/completions"),
    "a path with a star": path(b"*"),
    "an authority with a blank": authority(b"h evil"),
    "CONNECT": ask(pseudo=((b":method", b"CONNECT"), AUTHORITY)),
    "CONNECT of a protocol": ask(pseudo=(*without(b":method", (b":method", b"CONNECT")), (b":protocol", b"websocket"))),
    "trailers that are no end": trailed((b"x-a", b"1"), flags=END_HEADERS),
    "pseudo-headers in trailers": trailed((b":path", b"/v1/evil")),
    "transfer-encoding in trailers": trailed(CHUNKED),
    "a line's end in trailers": trailed((b"x-a", b"b\r\n\r\n" + SECOND)),
    "a continuation of nothing": (frame(CONTINUATION, END_HEADERS, WHOLE), frame(DATA, END_STREAM, BODY)),
    "a continuation of another stream": continued(WHOLE[:30], WHOLE[30:], stream=3),
    "a frame between continuations": continued(WHOLE[:30], WHOLE[30:], between=frame(PING, 0, b"12345678", 0)),
    "data between continuations": continued(WHOLE[:30], WHOLE[30:], between=frame(DATA, 0, BODY)),
    "continuations without an end": (frame(HEADERS, 0, WHOLE), *[frame(CONTINUATION, 0, b"")] * 20_000),
    "a header list without an end": continued(WHOLE, *[block([(b"x-%d" % n, b"x" * 8_000)]) for n in range(40)]),
    "data before headers": (frame(DATA, END_STREAM, BODY),),
    "data of the connection": (frame(HEADERS, END_HEADERS, WHOLE), frame(DATA, END_STREAM, BODY, 0)),
    "a stream of even number": (frame(HEADERS, END_HEADERS, WHOLE, 2), frame(DATA, END_STREAM, BODY, 2)),
    "padding longer than its frame": (frame(HEADERS, END_HEADERS | PADDED, b"\xff" + WHOLE[:9]),),
    "a promise of a client": (frame(PUSH_PROMISE, END_HEADERS, b"\0\0\0\2" + WHOLE),),
    "an index that no table has": (frame(HEADERS, END_HEADERS | END_STREAM, b"\xff\xff\xff\x7f"),),
    "a length of HPACK beyond its block": (frame(HEADERS, END_HEADERS | END_STREAM, b"\0\x7f\xff\xff\xff\x7fabc"),),
    "settings of half a size": (frame(SETTINGS, 0, b"\0\4\0", 0), *ask()),
    "a window beyond 31 bits": (*ask()[:1], frame(WINDOW_UPDATE, 0, b"\x7f\xff\xff\xff"), *ask()[1:]),
}
LET_BE: dict[str, Frames] = {
    "a stream that waits for itself": (frame(PRIORITY, 0, b"\0\0\0\1\0"), *ask()),
    "the plain case": ask(LENGTH),
    "no length": ask(),
    "te: trailers": ask((b"te", b"trailers")),
    "the same length twice": ask(LENGTH, LENGTH),
    "a host beside the authority": ask((b"host", b"evil")),
    "an authority with a user": authority(b"user:password@h"),
    "an authority with another port": authority(b"evil:1"),
    "a length in trailers": trailed((b"content-length", b"5")),
    "a key and a consumer in trailers": trailed((b"authorization", b"Bearer sk-bob"), (b"x-fl-consumer", b"team/bob")),
    "a body in many frames": (ask()[0], *(frame(DATA, 0, BODY[n : n + 1]) for n in range(len(BODY))), frame(DATA, 1)),
    "a body in padded frames": (ask()[0], frame(DATA, END_STREAM | PADDED, b"\x09" + BODY + bytes(9))),
    "empty frames before the body": (ask()[0], *[frame(DATA, 0)] * 5, ask()[1]),
    "headers in continuations": continued(*(WHOLE[n : n + 9] for n in range(0, len(WHOLE), 9))),
    "a request inside the body's frames": (*ask(), frame(PING, 0, SECOND[:8], 0)),
    "two types of content": ask((b"content-type", b"text/plain")),
    "two keys": ask((b"authorization", b"Bearer sk-bob")),
    "a query": path(CHAT + b"?model=other&stream=true"),
    "a fragment": path(CHAT + b"#evil"),
    "a path with dots": path(b"/v1/evil/../chat/completions"),
    "a path with encoded dots": path(b"/v1/evil/%2e%2e/chat/completions"),
    "a path with two slashes": path(b"//v1//chat/completions"),
    "a path with an encoded line's end": path(CHAT + b"%0d%0ax-evil:%201"),
    "a path with a backslash": path(b"/v1\\chat\\completions"),
    "an absolute path": path(b"http://evil/v1/chat/completions"),
    "data after the end": (*ask(), frame(DATA, END_STREAM, SECOND)),
    "headers after the end": (*ask(), frame(HEADERS, END_HEADERS | END_STREAM, WHOLE)),
}
"""What may be answered, or refused: but what reaches a provider is what was judged."""


@pytest.fixture(scope="module")
def provider() -> Iterator[WireProvider]:
    with WireProvider() as made:
        yield made


@pytest.fixture(scope="module")
def gateway(provider: WireProvider) -> Iterator[Gateway]:
    only = target("acme/fra/chat", provider, wire_model="chat", credential="first/key")  # type: ignore[arg-type]
    with Gateway(simple(only, credentials=(credential("first"),))) as running:
        yield running


def check_what_reached(provider: WireProvider, before: int) -> int:
    """See to it that all that reached the provider since is at most one request, as it was judged."""
    heads, bodies = provider.heads[before:], provider.bodies[before:]
    assert len(heads) <= 1
    for head, body in zip(heads, bodies, strict=True):
        assert body == BODY
        request, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        assert request.partition(b"?")[0].removesuffix(b" HTTP/1.1") == b"POST " + CHAT
        assert request.endswith(b" HTTP/1.1")
        names = [line.partition(b":")[0].lower() for line in lines]
        assert len(set(names)) == len(names), head
        assert set(names) <= ALLOWED, head
        assert b"authorization: Bearer first-key" in lines
        assert b"content-length: %d" % len(BODY) in lines
        assert b"content-type: application/json" in lines
        assert b"evil" not in head.lower()
    return len(heads)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_request_is_refused(gateway: Gateway, provider: WireProvider, name: str) -> None:
    before = len(provider.heads)
    got = converse(gateway.port, REFUSED[name])
    assert b'"chat.completion"' not in got.body
    assert check_what_reached(provider, before) == 0


@pytest.mark.parametrize("name", LET_BE)
def test_what_may_be_one_is_what_was_judged(gateway: Gateway, provider: WireProvider, name: str) -> None:
    before = len(provider.heads)
    got = converse(gateway.port, LET_BE[name])
    reached = check_what_reached(provider, before)
    assert reached == (b'"chat.completion"' in got.body) or any(kind in {RST_STREAM, GOAWAY} for kind, *_ in got.frames)


def test_the_gateway_serves_after_all_that(gateway: Gateway, provider: WireProvider) -> None:
    before = len(provider.heads)
    got = converse(gateway.port, LET_BE["the plain case"])
    assert b'"chat.completion"' in got.body
    assert check_what_reached(provider, before) == 1
