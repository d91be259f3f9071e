"""A key opens when all of it stands where keys stand; then its own consumer is who calls, and nobody else ever is."""

import json
import re
from collections.abc import Iterator, Sequence

import pytest
from running import CHAT, Gateway, credential, gateway, plan, route, target
from running_up import until
from wire import http1

from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy

BODY = b'{"model":"chat","messages":[{"role":"user","content":"hi"}]}'
ALICE, BOB = b"sk-alice", b"sk-bob"
AUTHORIZATION, X_API_KEY, API_KEY = b"authorization", b"x-api-key", b"api-key"
OWNERS = {"team/alice", "team/bob"}
Form = Sequence[tuple[bytes, bytes]]


def bearer(value: bytes, scheme: bytes = b"Bearer ") -> tuple[bytes, bytes]:
    return AUTHORIZATION, scheme + value


OPENS: dict[str, Form] = {
    "a folded header": [(AUTHORIZATION, b"Bearer\r\n " + ALICE)],
    "a scheme in x-api-key": [(X_API_KEY, b"Bearer " + ALICE)],
    "no scheme": [(AUTHORIZATION, ALICE)],
    "Bearer": [bearer(ALICE)],
    "bearer": [bearer(ALICE, b"bearer ")],
    "BEARER": [bearer(ALICE, b"BEARER ")],
    "bEaReR": [bearer(ALICE, b"bEaReR ")],
    "two blanks": [bearer(ALICE, b"bearer  ")],
    "blanks around": [(AUTHORIZATION, b"   Bearer " + ALICE + b"   ")],
    "x-api-key": [(X_API_KEY, ALICE)],
    "api-key": [(API_KEY, ALICE)],
    "X-API-Key": [(b"X-API-Key", ALICE)],
    "blanks around x-api-key": [(X_API_KEY, b"  " + ALICE + b"\t")],
    "the scheme alone beside x-api-key": [(AUTHORIZATION, b"Bearer"), (X_API_KEY, ALICE)],
    "the scheme and blanks beside api-key": [(AUTHORIZATION, b"bearer   "), (API_KEY, ALICE)],
    "an empty one beside x-api-key": [(AUTHORIZATION, b""), (X_API_KEY, ALICE)],
    "an empty x-api-key beside api-key": [(X_API_KEY, b""), (API_KEY, ALICE)],
    "the same in two": [bearer(ALICE), (X_API_KEY, ALICE)],
    "the same in three": [bearer(ALICE), (X_API_KEY, ALICE), (API_KEY, ALICE)],
}
REFUSED: dict[str, Form] = {
    "a line's end behind it": [bearer(ALICE + b"\rx")],
    "none": [],
    "an empty one": [(AUTHORIZATION, b"")],
    "the scheme alone": [(AUTHORIZATION, b"Bearer")],
    "the scheme and blanks": [(AUTHORIZATION, b"Bearer    ")],
    "Basic": [bearer(ALICE, b"Basic ")],
    "Digest": [bearer(ALICE, b"Digest ")],
    "no blank": [bearer(ALICE, b"Bearer")],
    "a colon": [bearer(ALICE, b"Bearer: ")],
    "an equals sign": [bearer(ALICE, b"Bearer=")],
    "the scheme twice": [bearer(ALICE, b"Bearer Bearer ")],
    "half of it": [bearer(ALICE[:-1])],
    "more than it": [bearer(ALICE + b"x")],
    "something behind it": [bearer(ALICE + b" x")],
    "in quotes": [bearer(b'"' + ALICE + b'"')],
    "in brackets": [bearer(b"<" + ALICE + b">")],
    "a semicolon behind it": [bearer(ALICE + b";")],
    "a comma behind it": [bearer(ALICE + b",")],
    "in capitals": [bearer(ALICE.upper())],
    "percent-encoded": [bearer(b"sk%2Dalice")],
    "in percents all": [bearer(b"".join(b"%%%02x" % byte for byte in ALICE))],
    "in base64": [bearer(b"c2stYWxpY2U=")],
    "another dash": [bearer("sk\u2010alice".encode())],
    "another a": [bearer("sk-\u0430lice".encode())],
    "a blank of no width": [bearer(ALICE + "\u200b".encode())],
    "bytes that are no UTF-8": [bearer(ALICE + b"\xff\xfe")],
    "an overlong letter": [bearer(b"sk-\xc1\xa1lice")],
    "a byte order mark": [bearer(b"\xef\xbb\xbf" + ALICE)],
    "a tab for the blank": [bearer(ALICE, b"Bearer\t")],
    "very long": [bearer(ALICE + b"x" * 8_000)],
    "very long in front": [bearer(b"x" * 8_000 + ALICE)],
    "the consumer's name": [bearer(b"team/alice")],
    "the word for callers without one": [bearer(b"no key")],
    "a word of the gateway": [bearer(b"-"), (b"x-fl-consumer", b"team/alice")],
    "the gateway's own header": [(b"x-fl-consumer", b"team/alice")],
    "the gateway's own header in capitals": [(b"X-FL-Consumer", b"team/alice")],
    "with underscores": [(b"x_api_key", ALICE)],
    "proxy-authorization": [(b"proxy-authorization", b"Bearer " + ALICE)],
    "x-goog-api-key": [(b"x-goog-api-key", ALICE)],
    "a cookie": [(b"cookie", b"authorization=Bearer " + ALICE)],
    "two in x-api-key": [(X_API_KEY, ALICE + b"," + BOB)],
}
NO_HTTP: dict[str, Form] = {
    "a vertical tab": [bearer(b"\x0b" + ALICE)],
    "a NUL behind it": [bearer(ALICE + b"\0")],
    "a NUL in it": [bearer(b"sk-\0alice")],
    "a blank before the colon": [(AUTHORIZATION + b" ", b"Bearer " + ALICE)],
    "longer than all headers may be": [bearer(b"x" * 100_000)],
}
CHOICES: dict[str, Form] = {
    "many blanks": [bearer(ALICE, b"Bearer" + b" " * 50)],
    "two headers": [bearer(ALICE), bearer(BOB)],
    "two headers in one": [bearer(ALICE + b", Bearer " + BOB)],
    "the second is nobody's": [bearer(ALICE), bearer(b"sk-nobody")],
    "the first is nobody's": [bearer(b"sk-nobody"), bearer(ALICE)],
    "the first is empty": [(AUTHORIZATION, b""), bearer(ALICE)],
    "authorization and x-api-key": [bearer(ALICE), (X_API_KEY, BOB)],
    "x-api-key and authorization": [(X_API_KEY, ALICE), bearer(BOB)],
    "api-key and x-api-key": [(API_KEY, ALICE), (X_API_KEY, BOB)],
    "x-api-key twice": [(X_API_KEY, ALICE), (X_API_KEY, BOB)],
    "nobody's in x-api-key": [bearer(ALICE), (X_API_KEY, b"sk-nobody")],
    "nobody's in authorization": [bearer(b"sk-nobody"), (X_API_KEY, ALICE)],
    "another's name beside it": [bearer(ALICE), (b"x-fl-consumer", b"team/bob")],
}
"""For the gateway to choose, among those whose whole key is there: one, or nobody."""


@pytest.fixture(scope="module")
def attacked() -> Iterator[Gateway]:
    with SimulatedProvider(models=("chat",), keys=("first-key",)) as provider:
        only = target("acme/fra/chat", provider, wire_model="chat", credential="first/key")
        chat = route("team/chat", plan("team/chat/0", last=only))
        whole = gateway(
            {"chat": chat},
            {"team/chat/0": (only,)},
            credentials=(credential("first"),),
            consumers=sorted(OWNERS),
        )
        with Gateway(whole) as running:
            yield running


def called(gateway: Gateway, form: Form) -> tuple[int, str | None]:
    """Return the status, and who called by the log; the provider has its own credential, or it would say 401, too."""
    answer = http1(gateway.port, CHAT.encode(), [(b"content-type", b"application/json"), *form], BODY)
    status = int(answer.split(b" ", 2)[1])
    assert ALICE not in answer.replace(b"team/alice", b"")
    found = re.search(rb"\r\nx-request-id: (\S+)\r\n", answer)
    assert found
    # By its id: lines are written a moment later, also that of a request before.
    (line,) = until(lambda: [one for one in gateway.lines("request") if one["request_id"] == found[1].decode()])
    assert not {"sk-alice", "sk-bob"} & set(json.dumps(line).split('"'))
    return status, line.get("consumer")


@pytest.mark.parametrize("name", OPENS)
def test_a_whole_key_opens_to_its_own_consumer(attacked: Gateway, name: str) -> None:
    assert called(attacked, OPENS[name]) == (200, "team/alice")


@pytest.mark.parametrize("name", REFUSED)
def test_nothing_else_opens(attacked: Gateway, name: str) -> None:
    status, consumer = called(attacked, REFUSED[name])
    assert status == 401
    assert consumer is None


@pytest.mark.parametrize("name", NO_HTTP)
def test_what_no_header_may_be_is_refused_before_anybody_reads_a_key(attacked: Gateway, name: str) -> None:
    try:
        answer = http1(attacked.port, CHAT.encode(), NO_HTTP[name], BODY)
    except ConnectionResetError:
        # Who sends more than is read at once may lose the answer: what a closed socket had not read resets it.
        assert name == "longer than all headers may be"
    else:
        assert answer.split(b" ", 2)[1] in {b"400", b"431"}, answer[:100]


@pytest.mark.parametrize("name", CHOICES)
def test_one_whole_key_is_taken_or_none(attacked: Gateway, name: str) -> None:
    form = CHOICES[name]
    sent = b" ".join(value for header, value in form if not header.startswith(b"x-fl-"))
    there = {f"team/{key.decode().removeprefix('sk-')}" for key in (ALICE, BOB) if key in sent}
    for _ in range(2):
        status, consumer = called(attacked, form)
        assert (status == 401 and consumer is None) or (status == 200 and consumer in there)
