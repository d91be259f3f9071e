"""What clients send beside the plain case, through a whole gateway: encodings, keys, versions, errors' shapes."""

import gzip
import http.client
import json
import socket
import time
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from one_target import provider, running
from running import Gateway

from fairlead.demo.provider import SimulatedProvider

__all__ = ["provider", "running"]

pytestmark = pytest.mark.envoy

KEY = "sk-alice"
CHAT = "/v1/chat/completions"
# Without the time: bodies are in names of tests, which workers must collect alike.
gzipped = partial(gzip.compress, mtime=0)
BODY = b'{"model":"chat","messages":[{"role":"user","content":"hi"}]}'
SKIPPABLE = bytes.fromhex("502a4d18") + b"\4\0\0\0abcd"


def zstd(*blocks: tuple[int, bytes], last: bool = True) -> bytes:
    """Make a frame (RFC 8878, 3.1.1) of blocks: 0 = the bytes as they are, n = one byte n times."""
    frame = bytes.fromhex("28b52ffd") + b"\x00\x58"  # no size, a window of 2 MiB
    for number, (times, content) in enumerate(blocks):
        ends = last and number == len(blocks) - 1
        size = times or len(content)
        frame += (size << 3 | bool(times) << 1 | ends).to_bytes(3, "little") + content
    return frame


ZSTD = zstd((0, BODY))
SIZED = bytes.fromhex("28b52ffd") + b"\x20" + bytes([len(BODY)]) + ZSTD[6:]
LONG = BODY[:-1] + b',"user":"' + b"a" * 100_000 + b'"}'
BLOCKS = zstd((0, BODY[:-1] + b',"user":"'), (100_000, b"a"), (0, b"b" * 70_000), (0, b""), (0, b'"}'))
BLOCK = 131_072
"""Bytes of the largest block of zstd (RFC 8878, 3.1.1.2.4)."""
PATIENCE_S = 30


def ask(
    gateway: Gateway,
    body: bytes | Iterator[bytes] = BODY,
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
        ("gzip", gzipped(BODY)),
        ("GZIP", gzipped(BODY)),
        ("x-gzip", gzipped(BODY)),
        ("gzip", gzip.compress(LONG, 0, mtime=0)),
        ("zstd", ZSTD),
        ("zstd", SIZED),
        ("zstd", BLOCKS),
        ("identity", BODY),
    ],
    ids=["gzip", "GZIP", "x-gzip", "not compressed", "zstd", "with its size", "of many blocks", "identity"],
)
def test_a_body_in_an_encoding_is_read(
    running: Gateway, provider: SimulatedProvider, encoding: str, body: bytes
) -> None:
    provider.control.clear()
    assert ask(running, body, headers={"Content-Encoding": encoding})[0] == 200
    sent = {name.lower() for name, _ in provider.control.requests()[-1].headers}
    assert "content-encoding" not in sent
    assert not [name for name in sent if name.startswith("x-fl-")]


def test_a_long_row_of_blanks_holds_nobody_up(running: Gateway) -> None:
    """Milliseconds; a pattern that is quadratic in blanks took nine seconds of the worker's CPU for this header."""
    began = time.monotonic()
    assert ask(running, BODY, headers={"Content-Encoding": "a" + " " * 50_000 + "b"})[0] == 415
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    ("encoding", "body", "status", "code"),
    [
        ("gzip", BODY, 400, "invalid_encoding"),
        ("gzip", gzipped(BODY)[:-12], 400, "invalid_encoding"),
        ("gzip", gzipped(gzipped(BODY)), 400, "invalid_encoding"),
        ("gzip", gzipped(b""), 400, "invalid_encoding"),
        ("gzip", gzipped(BODY)[:-4], 400, "invalid_encoding"),
        ("X-GZip", gzipped(BODY)[:-4], 400, "invalid_encoding"),
        ("gzip", gzipped(BODY) + b"junk", 400, "invalid_encoding"),
        ("gzip", gzipped(BODY) + b"\0" * 16, 400, "invalid_encoding"),
        ("gzip", gzipped(BODY) + gzipped(b" "), 400, "invalid_encoding"),
        ("zstd", BODY, 400, "invalid_encoding"),
        ("zstd", ZSTD + b"junk", 400, "invalid_encoding"),
        ("zstd", ZSTD + ZSTD, 400, "invalid_encoding"),
        ("zstd", ZSTD + SKIPPABLE, 400, "invalid_encoding"),
        ("zstd", zstd((0, BODY), last=False), 400, "invalid_encoding"),
        ("zstd", ZSTD[:-1], 400, "invalid_encoding"),
        ("gzip, gzip", gzipped(gzipped(BODY)), 415, "unsupported_encoding"),
        ("gzip, zstd", gzipped(BODY), 415, "unsupported_encoding"),
        ("deflate", zlib.compress(BODY), 415, "unsupported_encoding"),
        ("br", BODY, 415, "unsupported_encoding"),
    ],
)
def test_an_encoding_that_lies_is_told_so(running: Gateway, encoding: str, body: bytes, status: int, code: str) -> None:
    got, answer = ask(running, body, headers={"Content-Encoding": encoding})
    assert (got, answer["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("encoding", "whole"), [("gzip", gzip.compress(LONG, 0, mtime=0)), ("zstd", BLOCKS), ("zstd", ZSTD)]
)
@pytest.mark.parametrize("size", [1, 3, 4_999])
def test_an_encoded_body_may_come_in_pieces(running: Gateway, encoding: str, whole: bytes, size: int) -> None:
    """Of one byte, the first and the last hundred."""
    small = [whole[at : at + size] for at in range(0, 100 * size, size)]
    rest = whole[100 * size :]
    pieces = [*small, rest[: -100 * size], *(rest[-100 * size :][at : at + size] for at in range(0, 100 * size, size))]
    for content, status in ((whole, 200), (whole + b"junk", 400)):
        sent = [piece for piece in (*pieces, content[len(whole) :]) if piece]
        assert b"".join(sent) == content
        head = f"POST {CHAT} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {KEY}\r\nContent-Encoding: {encoding}\r\n"
        with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE_S) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
            for piece in sent:
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            connection.sendall(b"0\r\n\r\n")
            assert int(connection.makefile("rb").readline().split()[1]) == status


@pytest.mark.parametrize(
    ("encoding", "length", "status"),
    [("gzip", 20_000, 200), ("gzip", 900_000, 200), ("zstd", 100_000, 200), ("zstd", 300_000, 415)],
)
def test_what_packs_well_is_no_broken_encoding(running: Gateway, encoding: str, length: int, status: int) -> None:
    parts = (BODY[:-1] + b',"user":"', b"a" * length, b'"}')
    blocks = [(min(BLOCK, length - at), b"a") for at in range(0, length, BLOCK)]
    packed = gzipped(b"".join(parts)) if encoding == "gzip" else zstd((0, parts[0]), *blocks, (0, parts[2]))
    assert length > 100 * len(packed)
    got, answer = ask(running, packed, headers={"Content-Encoding": encoding})
    assert got == status
    if status != 200:
        assert answer["error"]["code"] == "unsupported_encoding"
        assert "packs more than 100 bytes into one" in answer["error"]["message"]


def test_what_packs_well_says_first_how_long_it_is(running: Gateway) -> None:
    # Else it might be gigabytes in one step, and is given up at a hundred to one.
    packed = gzipped(BODY[:-1] + b',"user":"' + b"a" * 100_000 + b'"}')
    got, answer = ask(running, iter((packed,)), headers={"Content-Encoding": "gzip"})
    assert (got, answer["error"]["code"]) == (415, "unsupported_encoding")
    assert "of less than 10,000 bytes" in answer["error"]["message"]


def most_bytes(gateway: Gateway) -> int:
    """Read what the gateway's Envoy ever had of memory."""
    status = Path(f"/proc/{gateway.envoy.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_is_too_large(running: Gateway, encoding: str) -> None:
    limit = running.whole.limits.request_bytes
    if encoding == "gzip":
        bomb = gzipped(BODY[:-1] + b',"user":"' + b"a" * (limit * 250) + b'"}')
    else:
        bomb = zstd((0, BODY[:-1] + b',"user":"'), *[(BLOCK, b"a")] * (limit * 250 // BLOCK), (0, b'"}'))
    before = most_bytes(running)
    status, answer = ask(running, bomb, headers={"Content-Encoding": encoding})
    assert (status, answer["error"]["code"]) in ((413, "request_too_large"), (415, "unsupported_encoding"))
    assert most_bytes(running) - before < 150 << 20
    assert ask(running)[0] == 200


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
        ("/v1/v1/models", "/v1/models"),
        ("/completions", "/v1/completions"),
        ("/messages?beta=true", "/v1/messages"),
        ("/openai/v1/responses", "/v1/responses"),
        ("/api/v1/chat/completions", "/v1/chat/completions"),
        ("/openai/deployments/chat/chat/completions?api-version=1", "/v1/chat/completions"),
        ("/v1/deployments/chat/embeddings", "/v1/embeddings"),
    ],
)
def test_a_base_url_without_v1_is_told_so(running: Gateway, path: str, meant: str) -> None:
    status, answer = ask(running, BODY, path)
    assert (status, answer["error"]["code"]) == (404, "unknown_url")
    assert f"ends in `/v1`, which makes it {meant}." in answer["error"]["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/thread/t/messages",
        "/v1/chat",
        "/v1/audio/voices",
        "//",
        "/v2/chat/completions",
    ],
)
def test_a_path_that_nobody_has_is_no_matter_of_the_base_url(running: Gateway, path: str) -> None:
    status, answer = ask(running, BODY, path)
    assert (status, answer["error"]["code"]) == (404, "unknown_url")
    assert answer["error"]["message"].endswith("Please check the URL for typos.")


def test_a_question_about_models_may_come_without_a_wish_for_the_answer(running: Gateway) -> None:
    for path, status in (("/v1/models", 200), ("/v1/models/chat", 200), ("/v1/models/other", 404), (CHAT, 404)):
        assert ask(running, b"", path, method="HEAD") == (status, None)


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
    version = {"anthropic-version": "2023-06-01"}
    status, refused = ask(running, b"", "/v1/models", method="GET", headers=version, key="Bearer wrong")
    assert (status, refused["type"], refused["error"]["type"]) == (401, "error", "authentication_error")
