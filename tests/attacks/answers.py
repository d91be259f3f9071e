"""Answers of a provider that means harm, or is broken: from a seed, as bytes, in pieces; and a provider of them."""

import json
import random
import re
import socketserver
from collections.abc import Sequence
from dataclasses import dataclass

from wire import LoopbackServer

JSON, SSE = "application/json", "text/event-stream"
MARK = "stolen"
"""What stands in headers that no client may see."""
TAG = re.compile(rb"answer (\d+) of (\d+)")
_STATUSES = (200,) * 24 + (201, 202, 204, 206, 300, 301, 304, 307, 400, 401, 402, 403, 404, 408, 409, 413, 422, 429,
             451, 500, 501, 502, 503, 504, 529, 599, 600, 999)  # fmt: skip
_TYPES = (JSON,) * 8 + (SSE,) * 8 + ("", "text/html", "text/plain", "APPLICATION/JSON; charset=utf-8",
          "application/json; charset=utf-7", "application/problem+json", "audio/mpeg", "application/octet-stream",
          "text/event-stream;charset=utf-8", "multipart/mixed; boundary=x", "\x01", "a" * 5_000)  # fmt: skip
_COUNTS = (0, 1, 7, 90, 100, 101, 10**6, 10**9, 2**31, 2**53, 2**63, 2**64, 10**30, -1, -(2**63), 1.5, 1e308, True,
           None, "7", "", [], {}, [7], {"a": 7})  # fmt: skip
_NAMES = ("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "cached_tokens",
          "prompt_tokens_details", "completion_tokens_details", "cache_read_input_tokens",
          "cache_creation_input_tokens", "reasoning_tokens", "audio_tokens")  # fmt: skip
_WORDS = ("hi", '"usage":{"prompt_tokens":0,"completion_tokens":0}', '"error":{}', "\u20ac\U0001f600", "\\", "\0",
          "data: [DONE]\n\n", "a" * 3_000, '","choices":[]', "\r\n\r\n", "\u2028")  # fmt: skip
_HEADERS = (
    f"set-cookie: id={MARK}", f"x-envoy-ratelimited: {MARK}", f"x-fairlead-target: {MARK}", f"x-fl-consumer: {MARK}",
    f"x-envoy-overloaded: {MARK}", f"x-fairlead-budget-remaining: {MARK}", f"server: {MARK}", f"location: http://{MARK}/",
    f"x-envoy-upstream-service-time: {MARK}", f"www-authenticate: {MARK}", f"grpc-status: {MARK}",
    "retry-after: 99999999999999999999", "date: never", "content-encoding: gzip", "content-encoding: br",
    f"x-{'a' * 2_000}: b", "trailer: x-fl-tokens", "connection: upgrade", "x-request-id: \xff",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAnswer:
    """One answer."""

    pieces: Sequence[bytes]
    """As they are sent, head first."""
    body: bytes
    """What stands in it, if its framing tells the truth."""
    whole: bool
    """Its framing does."""
    plain: bool
    """It is a 200 of JSON without an encoding: what Python's parser says of the body is what it is."""


def answer(seed: int, number: int) -> ProviderAnswer:
    """Make an answer; the same numbers make the same one."""
    rng = random.Random(f"{seed}/{number}")
    status, kind = rng.choice(_STATUSES), rng.choice(_TYPES)
    body = _stream(rng) if "event-stream" in kind else _document(rng)
    if rng.random() < 0.15:
        body = _damaged(rng, body)
    headers = [rng.choice(_HEADERS) for _ in range(rng.choice((0, 0, 1, 3)))]
    framed, framing, whole = _framed(rng, body, bodiless=status in {204, 304})
    lines = [f"HTTP/1.1 {status} S", *([f"content-type: {kind}"] if kind else []), *headers, *framing, "", ""]
    head = "\r\n".join(lines).encode("latin-1")
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" if rng.random() < 0.03 else b""
    plain = status == 200 and kind == JSON and not any("encoding" in line or "upgrade" in line for line in headers)
    return ProviderAnswer(pieces=[early + head, *framed], body=body, whole=whole, plain=plain)


def _document(rng: random.Random) -> bytes:
    shape = rng.random()
    if shape < 0.08:
        return rng.choice((b"", b" ", b"null", b"[]", b"{}", b"0", b'"x"', b"<html>", b"[" * 5_000, b"\xff\xfe", b"{"))
    members = {
        "id": "x",
        "object": "chat.completion",
        "model": rng.choice(("m", "m" * 500, "\n", None)),
        "choices": rng.choice(([], None, [{"index": 0, "message": {"role": "assistant", "content": _word(rng)}}])),
    }
    if rng.random() < 0.7:
        members["usage"] = _usage(rng)
    if rng.random() < 0.15:
        members["error"] = rng.choice((None, {}, {"message": "m"}, "m", True, []))
    names = list(members)
    rng.shuffle(names)
    text = json.dumps({name: members[name] for name in names}, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.1:
        text = text[:-1] + ',"usage":{"prompt_tokens":0,"completion_tokens":0}}'
    return text.encode()


def _usage(rng: random.Random) -> object:
    if rng.random() < 0.1:
        return rng.choice(_COUNTS)
    if rng.random() < 0.4:
        return {"prompt_tokens": rng.randrange(50), "completion_tokens": rng.randrange(99)}
    found: dict[str, object] = {}
    for name in rng.sample(_NAMES, rng.randrange(1, 6)):
        nested = {rng.choice(_NAMES): rng.choice(_COUNTS)}
        found[name] = nested if name.endswith("details") and rng.random() < 0.7 else rng.choice(_COUNTS)
    return found


def _word(rng: random.Random) -> str:
    return rng.choice(_WORDS)


def _stream(rng: random.Random) -> bytes:
    end = rng.choice(("\n", "\n", "\n", "\r\n", "\r"))
    lines = []
    for _ in range(rng.randrange(6)):
        event: dict[str, object] = {"id": "x", "choices": [{"index": 0, "delta": {"content": _word(rng)}}]}
        if rng.random() < 0.2:
            event = {"id": "x", "choices": [], "usage": _usage(rng)}
        if rng.random() < 0.05:
            event = {"error": {"message": "m"}}
        text = json.dumps(event, ensure_ascii=rng.random() < 0.5)
        prefix = rng.choice(("", "", "", "event: x" + end, ": note" + end, "id: 1" + end, "retry: 0" + end, "\ufeff"))
        lines.append(prefix + rng.choice(("data: ", "data: ", "data:", "data", "")) + text + end + end)
    if rng.random() < 0.6:
        lines.append("data: [DONE]" + end + end)
    return "".join(lines).encode()


def _damaged(rng: random.Random, body: bytes) -> bytes:
    if not body:
        return body
    at = rng.randrange(len(body))
    return rng.choice((body[:at], body[:at] + bytes([rng.randrange(256)]) + body[at + 1 :], body[at:], body + body))


def _framed(rng: random.Random, body: bytes, *, bodiless: bool) -> tuple[list[bytes], list[str], bool]:
    """Cut a body anywhere; return its pieces, the headers that frame it, and whether these tell the truth."""
    cuts = sorted(rng.randrange(len(body) + 1) for _ in range(rng.choice((0, 0, 1, 2, 5, 30))))
    parts = [part for part in (body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)) if part]
    form = rng.random()
    if bodiless:
        return [], [], True
    if form < 0.4:
        return parts, [f"content-length: {len(body)}"], True
    if form < 0.8:
        trailers = rng.choice((b"", b"", b"x-fl-tokens: 0\r\nset-cookie: a=b\r\n"))
        chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]
        return [*chunks, b"0\r\n" + trailers + b"\r\n"], ["transfer-encoding: chunked"], True
    if form < 0.86:
        return parts, ["connection: close"], True
    lies: tuple[tuple[list[bytes], list[str]], ...] = (
        (parts, [f"content-length: {len(body) + 9}", "connection: close"]),
        (parts, ["content-length: -1"]),
        (parts, [f"content-length: {len(body)}", "content-length: 1"]),
        (parts, [f"content-length: {len(body)}", "transfer-encoding: chunked"]),
        ([b"zz\r\n", *parts], ["transfer-encoding: chunked"]),
        ([b"%x\r\n" % (len(body) + 9), *parts], ["transfer-encoding: chunked"]),
        ([b"%x\r\n%b\r\n" % (len(body), body)] if body else [], ["transfer-encoding: chunked"]),
        ([b"f" * 20 + b"\r\n", *parts], ["transfer-encoding: chunked"]),
    )
    return (*rng.choice(lies), False)


class AnswersProvider(LoopbackServer):
    """Answers the request that says `answer 7 of 42` with answer 7 of that seed, and closes."""

    def __init__(self) -> None:
        class Connection(socketserver.StreamRequestHandler):
            timeout = 10
            disable_nagle_algorithm = True

            def handle(self) -> None:
                length = 0
                while (line := self.rfile.readline()) not in (b"\r\n", b""):
                    name, _, value = line.lower().partition(b":")
                    length = int(value) if name == b"content-length" else length
                found = TAG.search(self.rfile.read(length))
                if found is None:
                    return
                try:
                    for piece in answer(int(found[2]), int(found[1])).pieces:
                        self.wfile.write(piece)
                except OSError:  # the gateway has seen enough
                    return

        super().__init__(Connection)
