"""Whatever a client or a provider sends, each line of the access log is one JSON object, and nobody forges a name."""

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from running import CHAT, CONSUMER, ROUTE, Gateway, credential, gateway, plan, route, simple, target
from wire import DATA, GOAWAY, RST_STREAM, WireProvider, http1, http2

from fairlead import ir
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]
Ask = Callable[..., bytes | Mapping[int, bytes]]

BODY = b'{"model":"chat","messages":[{"role":"user","content":"hi"}]}'
KEYED = ((b"authorization", b"Bearer sk-alice"), (b"content-type", b"application/json"))
FORGED = b'"attempt":7,"consumer":"team/bob","model":"m","stream":true'
FIELDS = {
    "request": {"consumer", "route", "model", "stream", "target", "status", "attempts", "details", "prompt_tokens"},
    "attempt": {"target", "status", "flags", "details", "first_byte_ms"},
    "shadow": {"consumer", "route", "model", "stream", "target", "status", "details", "prompt_tokens"},
}


def once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that has a member twice."""
    made = dict(members)
    assert len(made) == len(members), members
    return made


def strict_lines(gateway: Gateway, kind: str = "") -> list[dict[str, Any]]:
    """Parse all lines, and have each checked."""
    text = (gateway.folder / "access.log").read_text()
    lines = [json.loads(line, object_pairs_hook=once) for line in text.splitlines(keepends=True) if line[-1] == "\n"]
    for line in lines:
        assert set(line) >= FIELDS[line["kind"]], line
        assert line.get("consumer") in {CONSUMER, None}, line
        assert line.get("attempt") in {None, 1, 2, 3, 4}, line
    return [line for line in lines if kind in ("", line["kind"])]


@pytest.fixture(scope="module")
def provider() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("v-m", "v-s"), keys=("first-key",)) as running:
        yield running


@pytest.fixture(scope="module")
def attacked(provider: SimulatedProvider) -> Iterator[Gateway]:
    """A route with two rungs, one of them behind a hop, and a shadow."""
    never = ir.Breaker(consecutive_failures=1000, open_for_ms=1000)
    first = target("a/eu/m", provider, wire_model="v-m", credential="first/key", breaker=never)
    second = target("b/eu/m", provider, wire_model="v-m", credential="first/key", max_in_flight=50)
    copy = target("a/eu/s", provider, wire_model="v-s", credential="first/key")
    chat = route(ROUTE, plan(f"{ROUTE}/0", last=first), shadow=ir.Shadow(target=copy.name, sample=10_000))
    whole = gateway({"chat": chat}, {f"{ROUTE}/0": (first, second)}, others=(copy,), credentials=(credential("first"),))
    with Gateway(whole) as running:
        yield running


@pytest.fixture(autouse=True)
def _well(provider: SimulatedProvider) -> None:
    provider.control.reset()
    provider.control.clear()


def answered(got: bytes | Mapping[int, bytes]) -> bool:
    """Whether the gateway answered with 200, or over HTTP/2 with anything."""
    if isinstance(got, bytes):
        return got.startswith(b"HTTP/1.1 200 ")
    return DATA in got and not {RST_STREAM, GOAWAY} & set(got)


HEADERS = [
    pytest.param((b"x-request-id", b'","consumer":"team/bob'), id="a quote in the request id"),
    pytest.param((b"x-request-id", b"back\\"), id="a backslash in the request id"),
    pytest.param((b"x-request-id", b"tab\there"), id="a tab in the request id"),
    pytest.param((b"x-request-id", b"\xff\xfe"), id="no UTF-8 in the request id"),
    pytest.param((b"x-fl-attempt", FORGED), id="what a hop's attempt leaves"),
    pytest.param((b"x-fl-host", b"- v-m - - " + FORGED + b" v-m v-m a/eu/m 60 /v1/x"), id="the host line"),
    pytest.param((b"x-fl-consumer", b'team/bob"'), id="the consumer"),
    pytest.param((b"x-fl-shadow-consumer", b'team/bob"'), id="the shadow's consumer"),
    pytest.param((b"x-fl-way", b'"'), id="the shadow's way"),
    pytest.param((b"x-fl-stream", b'"'), id="the shadow's stream"),
    pytest.param((b"x-forwarded-for", b'10.0.0.1"'), id="an address"),
]


@pytest.mark.parametrize("failures", [0, 1])
@pytest.mark.parametrize("ask", [http1, http2])
@pytest.mark.parametrize("header", HEADERS)
def test_no_header_gets_into_a_line(  # noqa: PLR0917  three of them are what varies
    attacked: Gateway,
    provider: SimulatedProvider,
    wait_until: Wait,
    header: tuple[bytes, bytes],
    ask: Ask,
    failures: int,
) -> None:
    if failures:
        provider.control.fault(status=503, model="v-m", count=failures)
    before = len(strict_lines(attacked, "request"))
    assert answered(ask(attacked.port, CHAT.encode(), (*KEYED, header), BODY))
    (line,) = wait_until(lambda: strict_lines(attacked, "request")[before:])
    assert (line["consumer"], line["status"], line["attempts"]) == (CONSUMER, 200, failures + 1)
    assert len(line["request_id"]) == len("00000000-0000-0000-0000-000000000000")

    def belonging(kind: str, count: int) -> list[dict[str, Any]]:
        made = [one for one in strict_lines(attacked, kind) if one["request_id"] == line["request_id"]]
        return made if len(made) == count else []

    attempts = wait_until(lambda: belonging("attempt", failures + 1))
    assert [(one["attempt"], one["consumer"]) for one in attempts] == [
        (number, CONSUMER) for number in range(1, failures + 2)
    ]
    (shadow,) = wait_until(lambda: belonging("shadow", 1))
    assert (shadow["consumer"], shadow["model"], shadow["status"]) == (CONSUMER, "chat", 200)
    assert not provider.control.stats().problems


@pytest.mark.parametrize(
    "header",
    [
        pytest.param((b":fl-attempt", FORGED), id="what an attempt leaves"),
        pytest.param((b":fl-target", b'"'), id="the last resort's target"),
    ],
)
def test_names_with_a_colon_are_no_clients(
    attacked: Gateway, provider: SimulatedProvider, header: tuple[bytes, bytes]
) -> None:
    assert b" 400 " in http1(attacked.port, CHAT.encode(), (*KEYED, header), BODY).split(b"\r\n")[0]
    assert {RST_STREAM, GOAWAY} & set(http2(attacked.port, CHAT.encode(), (header, *KEYED), BODY))
    assert {RST_STREAM, GOAWAY} & set(http2(attacked.port, CHAT.encode(), (*KEYED, header), BODY))
    assert not provider.control.requests()
    strict_lines(attacked)


PATHS = [
    pytest.param(b"?" + FORGED, id="members of a line"),
    pytest.param(b"?x " + FORGED, id="a space and members of a line"),
    pytest.param(b"? " + FORGED + b" v-m v-m a/eu/m 60 /v1/chat/completions", id="the rest of a host line"),
    pytest.param(b'?"\\', id="a quote and a backslash"),
    pytest.param(b"?\xff", id="no UTF-8"),
    pytest.param(b"?\t\x01", id="controls"),
]


@pytest.mark.parametrize("ask", [http1, http2])
@pytest.mark.parametrize("query", PATHS)
def test_no_path_gets_into_a_line(
    attacked: Gateway, provider: SimulatedProvider, wait_until: Wait, query: bytes, ask: Ask
) -> None:
    before = len(strict_lines(attacked))
    ask(attacked.port, CHAT.encode() + query, KEYED, BODY)
    # Some Envoy refuses before it is a request. Lines are written in order, so after this one's there are no more.
    marker = attacked.ask()
    wait_until(lambda: attacked.line(marker) and attacked.line(marker, "attempt") and attacked.line(marker, "shadow"))
    for line in strict_lines(attacked)[before:]:
        assert line["kind"] != "attempt" or (line["attempt"], line["consumer"]) == (1, CONSUMER)
    for record in provider.control.requests():
        assert record.target.split("?")[0] == CHAT


BODIES = [
    pytest.param(b'{"model":"cha\\u000at"}', id="an escape in the model"),
    pytest.param(b'{"model":"chat\\",\\"consumer\\":\\"team/bob"}', id="a quote in the model"),
    pytest.param(b'{"model":"chat\n"}', id="a line's end in the model"),
    pytest.param(b'{"model":"\xff"}', id="no UTF-8 in the model"),
    pytest.param(b'{"model":"chat","stream":"true,\\"consumer\\":\\"team/bob\\""}', id="stream as a string"),
    pytest.param(b'{"model":"nobody/has-it"}', id="no model of anybody"),
    pytest.param(b"", id="nothing"),
]


@pytest.mark.parametrize("body", BODIES)
def test_no_body_gets_into_a_line(attacked: Gateway, wait_until: Wait, body: bytes) -> None:
    before = len(strict_lines(attacked, "request"))
    answer = http1(attacked.port, CHAT.encode(), KEYED, body)
    assert answer.split(b" ")[1] in {b"400", b"404"}
    (line,) = wait_until(lambda: strict_lines(attacked, "request")[before:])
    assert (line["consumer"], line["target"]) == (CONSUMER, None)


ANSWER = b'{"object":"chat.completion","choices":[],"model":%b,"usage":{"prompt_tokens":%b,"completion_tokens":2}}'


def whole_answer(model: bytes, tokens: bytes = b"1") -> bytes:
    body = ANSWER % (model, tokens)
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


ANSWERS = [
    pytest.param(whole_answer(b'"a\\"quote\\\\, a \\n line"'), id="a model with a quote"),
    pytest.param(whole_answer(b'"m' + bytes(range(0x80, 0x100)) + b'"'), id="a model that is no UTF-8"),
    pytest.param(whole_answer(b"{}", b"1e400"), id="tokens beyond all numbers"),
    pytest.param(whole_answer(b'"m"', b'"\\""'), id="tokens that are a string"),
    pytest.param(whole_answer(b'"m"', b"-7.5"), id="tokens below nothing"),
    pytest.param(b'HTTP/1.1 200 "\\\r\ncontent-length: 0\r\n\r\n', id="a reason with a quote"),
    pytest.param(
        b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\nZ"\\\r\n', id="a chunk's size that is none"
    ),
    pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", id="an end too early"),
    pytest.param(b'HTTP/1.1 299 "\r\nx"y: "\r\n\r\n', id="a header's name that is none"),
    pytest.param(b'"\\\r\n\r\n', id="no HTTP"),
    pytest.param(b'HTTP/1.1 500 \r\nx-request-id: "\r\ncontent-length: 0\r\n\r\n', id="a request id in an answer"),
]


@pytest.mark.parametrize("raw", ANSWERS)
def test_no_provider_gets_into_a_line(wait_until: Wait, raw: bytes) -> None:
    with WireProvider(raw=raw) as strange:
        upstream = ir.Upstream(host="127.0.0.1", port=strange.port, tls=False, base_path="/v1")
        with Gateway(simple(target("a/eu/m", strange, upstream=upstream))) as running:
            http1(running.port, CHAT.encode(), KEYED, BODY)
            (line,) = wait_until(lambda: strict_lines(running, "request"))
            attempts = wait_until(lambda: len(made := strict_lines(running, "attempt")) == line["attempts"] and made)
    assert {one["consumer"] for one in (line, *attempts)} == {CONSUMER}


def test_no_certificate_gets_into_a_line(tmp_path: Path, wait_until: Wait) -> None:
    # Envoy writes the names of a certificate that is not the endpoint's into the reason of the failure.
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(_certificate('x","consumer":"team/bob","y":"\\'))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with SimulatedProvider(models=("m",), tls=context) as other:
        upstream = ir.Upstream(host="127.0.0.1", port=other.port, tls=True, base_path="/v1")
        with Gateway(simple(target("a/eu/m", other, upstream=upstream)), ca_file=str(certificate)) as running:
            answer = running.ask()
            (line,) = wait_until(lambda: strict_lines(running, "request"))
            attempts = wait_until(lambda: len(made := strict_lines(running, "attempt")) == line["attempts"] and made)
    assert answer.status == line["status"] == 503
    assert "team/bob" in line["details"]  # else this would show nothing
    assert {one["details"] for one in attempts} == {""}


def _certificate(name: str) -> bytes:
    """Make a key and a certificate that vouches for itself, in the name of a strange host."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "strange")])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private + made.public_bytes(pem)
