"""What clients send beside the plain case, through a whole gateway: encodings, keys, versions, errors' shapes."""

import gzip
import http.client
import json
import socket
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from one_target import provider, running
from running import Gateway

from fairlead.demo.provider import SimulatedProvider

__all__ = ["provider", "running"]

pytestmark = pytest.mark.envoy

KEY = "sk-alice"
CHAT = "/v1/chat/completions"
BODY = b'{"model":"chat","messages":[{"role":"user","content":"hi"}]}'
ZSTD = bytes.fromhex("28b52ffd") + b"\x20" + bytes([len(BODY)]) + (len(BODY) << 3 | 1).to_bytes(3, "little") + BODY
"""One raw block: RFC 8878, 3.1.1."""
PATIENCE_S = 30


def ask(
    gateway: Gateway,
    body: bytes = BODY,
    path: str = CHAT,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    key: str | None = f"Bearer {KEY}",
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE_S)
    stated = {} if key is None else {"Authorization": key}
    try:
        connection.request(method, path, body, {"Content-Type": "application/json", **stated, **(headers or {})})
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(BODY)),
        ("GZIP", gzip.compress(BODY)),
        ("zstd", ZSTD),
        ("identity", BODY),
    ],
    ids=["gzip", "GZIP", "zstd", "identity"],
)
def test_a_body_in_an_encoding_is_read(
    running: Gateway, provider: SimulatedProvider, encoding: str, body: bytes
) -> None:
    provider.control.clear()
    assert ask(running, body, headers={"Content-Encoding": encoding})[0] == 200
    sent = {name.lower() for name, _ in provider.control.requests()[-1].headers}
    assert "content-encoding" not in sent
    assert not [name for name in sent if name.startswith("x-fl-")]


@pytest.mark.parametrize(
    ("encoding", "body", "status", "code"),
    [
        ("gzip", BODY, 400, "invalid_encoding"),
        ("gzip", gzip.compress(BODY)[:-12], 400, "invalid_encoding"),
        ("gzip", gzip.compress(gzip.compress(BODY)), 400, "invalid_encoding"),
        ("gzip", gzip.compress(b""), 400, "invalid_encoding"),
        ("zstd", BODY, 400, "invalid_encoding"),
        ("gzip, gzip", gzip.compress(gzip.compress(BODY)), 415, "unsupported_encoding"),
        ("gzip, zstd", gzip.compress(BODY), 415, "unsupported_encoding"),
        ("deflate", zlib.compress(BODY), 415, "unsupported_encoding"),
        ("br", BODY, 415, "unsupported_encoding"),
    ],
    ids=["none", "cut", "doubled", "empty", "no zstd", "said twice", "two", "deflate", "br"],
)
def test_an_encoding_that_lies_is_told_so(running: Gateway, encoding: str, body: bytes, status: int, code: str) -> None:
    got, answer = ask(running, body, headers={"Content-Encoding": encoding})
    assert (got, answer["error"]["code"]) == (status, code)


def test_a_bomb_is_too_large(running: Gateway) -> None:
    limit = running.whole.limits.request_bytes
    bomb = gzip.compress(b'{"model":"chat","a":"' + b" " * (limit * 2) + b'"}')
    status, answer = ask(running, bomb, headers={"Content-Encoding": "gzip"})
    assert status in (400, 413), answer
    assert ask(running)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer {KEY}"},
        {"Authorization": f"BEARER {KEY}"},
        {"Authorization": f"bearer  {KEY}"},
        {"x-api-key": KEY},
        {"api-key": KEY},
    ],
)
def test_a_key_in_every_form_that_clients_use(running: Gateway, headers: dict[str, str]) -> None:
    assert ask(running, headers=headers, key=None)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": KEY[:-1]},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer"},
        {"Authorization": "bearer "},
        {"Authorization": f"bearer {KEY} x"},
        {"Authorization": f"bearerx{KEY}"},
        {"api-key": f"{KEY} "[:-2]},
        {"x-fl-consumer": "team/alice"},
    ],
)
def test_no_other_form_opens(running: Gateway, headers: dict[str, str]) -> None:
    assert ask(running, headers=headers, key=None)[0] == 401


def test_http_1_0_is_answered(running: Gateway) -> None:
    head = f"POST {CHAT} HTTP/1.0\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(BODY)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE_S) as connection:
        connection.sendall(head.encode() + BODY)
        assert b" 200 " in connection.makefile("rb").readline()


def test_a_websocket_is_told_what_there_is(running: Gateway) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"}
    status, answer = ask(running, b"", "/v1/realtime?model=chat", method="GET", headers=upgrade)
    assert (status, answer["error"]["code"]) == (426, "upgrade_not_supported")


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/v1/chat/completions", "/v1/chat/completions"),
        ("/embeddings", "/v1/embeddings"),
        ("/models", "/v1/models"),
    ],
)
def test_a_base_url_without_v1_is_told_so(running: Gateway, path: str, meant: str) -> None:
    status, answer = ask(running, BODY, path)
    assert (status, answer["error"]["code"]) == (404, "unknown_url")
    assert f"ends in `/v1`, which makes it {meant}." in answer["error"]["message"]


@pytest.mark.parametrize(
    ("key", "body", "status", "kind"),
    [
        (None, BODY, 401, "authentication_error"),
        ("Bearer sk-wrong", BODY, 401, "authentication_error"),
        (f"Bearer {KEY}", b'{"model":"nobody-has-it"}', 404, "not_found_error"),
        (f"Bearer {KEY}", b"{", 400, "invalid_request_error"),
    ],
)
def test_errors_of_messages_have_the_shape_that_anthropics_sdk_reads(
    running: Gateway, key: str | None, body: bytes, status: int, kind: str
) -> None:
    got, answer = ask(running, body, "/v1/messages?beta=true", key=key)
    assert got == status
    assert (answer["type"], answer["error"]["type"]) == ("error", kind)
    assert answer["error"]["message"]


def test_the_list_of_models_has_the_shape_that_its_reader_asks_for(running: Gateway) -> None:
    status, listed = ask(running, b"", "/v1/models", method="GET", headers={"anthropic-version": "2023-06-01"})
    assert (status, listed["first_id"], listed["has_more"]) == (200, "chat", False)
    assert listed["data"][0]["type"] == "model"
    assert ask(running, b"", "/v1/models", method="GET")[1]["object"] == "list"
