"""Answers that gateways leave for each other: what one is, and how it travels between a gateway and this server.

A gateway asks with the whole key of a request, a text of everything that the answer depends on, whose it is included
(`fairlead.envoy.cache`); an answer is stored with that key, and given back for the very same one alone.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

LARGEST = 1 << 20
"""Bytes of an answer with its key."""
LONGEST_TTL_MS = 366 * 24 * 60 * 60 * 1000
"""What a route may ask for."""
MADE, KIND, TARGET, USAGE = "x-fl-at", "x-fl-kind", "x-fl-target", "x-fl-usage"
BODY_BYTES = "x-fl-bytes"
KEY_BYTES, TTL = "x-fl-key-bytes", "x-fl-ttl"
"""Of an answer that is to be kept: how much of the body is its key, and how many milliseconds it is good for."""
_NUMBER = re.compile(r"[0-9]{1,15}")
_FORMS = {
    KIND: re.compile(r"[ -~]{1,128}"),
    TARGET: re.compile(r"[!-~]{1,512}"),
    USAGE: re.compile(r"[0-9 -]{1,256}"),
}


class SharedAnswerError(ValueError):
    """Not what a gateway of this version sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAnswer:
    """An answer as a client got it. What it says of itself is the gateways' to judge."""

    made_ms: int
    """When it was made, by the clock of the gateway that got it."""
    kind: str
    """Its content type."""
    target: str
    """Who made it."""
    usage: str
    """What it took then, as the words of a report; `-` where nobody knows."""
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An answer that a gateway leaves, and for how long it is good."""

    key: bytes
    answer: SharedAnswer
    ttl_ms: int


def read_offer(headers: Mapping[str, str], content: bytes) -> Offer:
    """Read what a gateway leaves: the key, and the answer behind it. Raises `SharedAnswerError`."""
    key_bytes, made_ms, ttl_ms = (_number(headers, name) for name in (KEY_BYTES, MADE, TTL))
    if not 0 < key_bytes < len(content) <= LARGEST:
        raise SharedAnswerError(f"{KEY_BYTES}: got {key_bytes} of {len(content)} bytes, want a key and an answer")
    if not 0 < ttl_ms <= LONGEST_TTL_MS:
        raise SharedAnswerError(f"{TTL}: got {ttl_ms}, want at most {LONGEST_TTL_MS}")
    said = {name: headers.get(name, "") for name in _FORMS}
    if wrong := [name for name, form in _FORMS.items() if not form.fullmatch(said[name])]:
        raise SharedAnswerError(f"{wrong[0]}: got something else than its form")
    answer = SharedAnswer(
        made_ms=made_ms, kind=said[KIND], target=said[TARGET], usage=said[USAGE], body=content[key_bytes:]
    )
    return Offer(key=content[:key_bytes], answer=answer, ttl_ms=ttl_ms)


def headers_of(answer: SharedAnswer) -> dict[str, str]:
    """Return what a gateway is told beside an answer's body."""
    return {
        MADE: str(answer.made_ms),
        KIND: answer.kind,
        TARGET: answer.target,
        USAGE: answer.usage,
        BODY_BYTES: str(len(answer.body)),
    }


def encode(key: bytes, answer: SharedAnswer) -> bytes:
    """Write what is stored: one line that says how long each part is, then the key and the body."""
    line = {
        "key": len(key),
        "body": len(answer.body),
        "made": answer.made_ms,
        "kind": answer.kind,
        "target": answer.target,
        "usage": answer.usage,
    }
    return b"".join((json.dumps(line, separators=(",", ":")).encode(), b"\n", key, answer.body))


def decode(key: bytes, content: bytes) -> SharedAnswer | None:
    """Read what was stored under this very key; None for anything else: another's, half of one, no answer at all."""
    line, _, rest = content.partition(b"\n")
    if not rest.startswith(key):
        return None
    try:
        told = json.loads(line)
        answer = SharedAnswer(
            made_ms=told["made"], kind=told["kind"], target=told["target"], usage=told["usage"], body=rest[len(key) :]
        )
        lengths = (told["key"], told["body"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    said = {KIND: answer.kind, TARGET: answer.target, USAGE: answer.usage}
    if lengths != (len(key), len(answer.body)) or not answer.body or type(answer.made_ms) is not int:
        return None
    whole = all(isinstance(text, str) and _FORMS[name].fullmatch(text) for name, text in said.items())
    return answer if whole and _NUMBER.fullmatch(str(answer.made_ms)) else None


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name, "")
    if not _NUMBER.fullmatch(text):
        raise SharedAnswerError(f"{name}: got something else than a number")
    return int(text)
