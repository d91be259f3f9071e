"""What a gateway asks and reports, as plain values.

A gateway sends one descriptor per message, all of whose values are strings: `kind` says which. Every value has a
default in the gateway's configuration (`-`, `-1`), because Envoy drops a descriptor with an empty value, and with it
the check. What cannot be read as a number is treated as not said.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

ABSENT = "-"
_COMPLETE = "1"
"""`extraction_status` of Envoy's token usage record when the provider's counts are complete."""
_HTTP_PARTS = 5
_RATE_LIMITED = "RL"
"""Response flag of an answer that this server's own verdict made."""
_REFUSED = 400
_LONGEST_NUMBER = 15
"""Digits that are believed: a longer number of bytes or tokens is an attack or an accident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A request wants to go on."""

    consumer: str
    id: str
    """`x-request-id`, made by the gateway."""
    route: str
    model: str
    """As the client asked."""
    body_bytes: int | None
    output_limit: int | None
    choices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A request ended."""

    consumer: str
    id: str
    route: str
    """The route that answered."""
    model: str
    target: str
    """Who answered last; empty when nobody did."""
    checked: bool
    """False: no answer to a check reached the gateway."""
    metered: bool
    """True: the three numbers below are the provider's own, complete."""
    input: int
    output: int
    cached: int
    stream: bool
    body_bytes: int | None
    sent_bytes: int
    status: int
    """HTTP status; 0 when the client left before there was one."""
    attempts: int
    rejected: bool
    """This server's own 429."""
    gateway: str

    @property
    def unanswered(self) -> bool:
        """Nothing was asked of a provider, or it refused: nothing to pay."""
        return self.attempts == 0 or self.status >= _REFUSED


def fields(entries: Iterable[object]) -> dict[str, str]:
    """Return a descriptor's entries by key."""
    return {entry.key: entry.value for entry in entries}  # type: ignore[attr-defined] # made at run time: messages.py


def check(values: Mapping[str, str]) -> Check:
    """Read a check."""
    limit, _, choices = values.get("ask", "").partition(" ")
    return Check(
        consumer=values.get("consumer", ABSENT),
        id=values.get("id", ABSENT),
        route=values.get("route", ABSENT),
        model=values.get("model", ABSENT),
        body_bytes=_number(values.get("bytes")),
        output_limit=_number(limit),
        choices=_number(choices) or 1,
    )


def report(values: Mapping[str, str]) -> Report:
    """Read a report."""
    parts = values.get("http", "").split("/")
    status, flags, attempts, sent = (*parts, "", "", "", "")[:4] if len(parts) >= _HTTP_PARTS else ("", "", "", "")
    target = values.get("target", ABSENT)
    tokens = [_number(values.get(name)) for name in ("input", "output", "cached")]
    return Report(
        consumer=values.get("consumer", ABSENT),
        id=values.get("id", ABSENT),
        route=values.get("route", ABSENT),
        model=values.get("model", ABSENT),
        target="" if target in {ABSENT, "none"} else target,
        checked=values.get("reservation", "none") not in {ABSENT, "none"},
        metered=values.get("status") == _COMPLETE and tokens[0] is not None,
        input=tokens[0] or 0,
        output=tokens[1] or 0,
        cached=tokens[2] or 0,
        stream=values.get("stream") == "true",
        body_bytes=_number(values.get("bytes")),
        sent_bytes=_number(sent) or 0,
        status=_number(status) or 0,
        attempts=_number(attempts) or 0,
        rejected=_RATE_LIMITED in flags.split(","),
        gateway=values.get("gateway", ABSENT),
    )


def _number(text: str | None) -> int | None:
    """Return a number that is not negative; None when there is none."""
    if not text or len(text) > _LONGEST_NUMBER or not (text.isascii() and text.isdigit()):
        return None
    return int(text)
