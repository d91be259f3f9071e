"""What a client is told: answers of the rate limit service, encoded.

`x-fairlead-budget-remaining` are dollars, exactly. `x-ratelimit-*` follow the IETF's draft 03, in micro-dollars, made
here and not by Envoy, whose numbers end at 4,294 dollars and whose windows at fixed units.
"""

import json
from collections.abc import Sequence

from fairlead.budget.admission import (
    SOON_S,
    Closes,
    Closing,
    Standing,
    never_fits,
    retry_after_s,
    seconds_until,
    tightest,
)
from fairlead.budget.price import USD, decimal
from fairlead.budget.usage import moment
from fairlead.budgetserver.descriptor import ABSENT, NOTHING_RESERVED, TOO_MANY_IN_FLIGHT, Check
from fairlead.budgetserver.messages import OK, OVER_LIMIT, Header, Response, Status

REMAINING = "x-fairlead-budget-remaining"
DOWNGRADE = "x-fl-downgrade"
"""Request header that names the route which answers instead; the gateway acts on it and lets nobody else set it."""
_MICRO = USD // 1_000_000
_AT_ONCE_S = 1
"""When to come back where any request's end makes room."""
_LONGEST_RETRY_S = 60
"""Clients of OpenAI's libraries ignore a longer Retry-After and come back at once, unless told not to."""


def exact(nanodollars: int) -> str:
    """Return dollars in decimal, all digits that there are."""
    return decimal(nanodollars).rstrip("0").rstrip(".")


NOTED: bytes = Response(overall_code=OK).SerializeToString()
"""The answer to a report."""


def left(remaining: int) -> str:
    """Return the dollars that are left, as clients are told."""
    return exact(max(0, remaining))


def granted(request: str, remaining: int | None, downgrade: str | None, lease: str | None = None) -> bytes:
    """Return the answer for a request that has room; its reservation travels back with the report.

    `lease`: what the gateway is told of the lease that it got besides.
    """
    answer = NOTED + _metadata(_RESERVATION, request)
    if lease is not None:
        answer += _metadata(_LEASE, lease)
    if remaining is not None:
        answer += _field(_RESPONSE_HEADERS, _REMAINING + _field(_VALUE, left(remaining).encode()))
    if downgrade is not None:
        answer += _field(_REQUEST_HEADERS, _DOWNGRADE + _field(_VALUE, downgrade.encode()))
    return answer


# Protobuf by hand: building these two messages takes as long as everything else that a check needs. Fields may come in
# any order and may be put together; a test reads them back with `Response`.
_RESPONSE_HEADERS, _REQUEST_HEADERS, _METADATA = 3, 4, 6
_KEY, _VALUE, _FIELDS, _STRING = 1, 2, 1, 3
_LENGTH_DELIMITED = 2
_CONTINUES = 0x80


def _field(number: int, content: bytes) -> bytes:
    """Encode a field that has a length."""
    length = len(content)
    if length < _CONTINUES:
        return bytes((number << 3 | _LENGTH_DELIMITED, length)) + content
    prefix = bytearray((number << 3 | _LENGTH_DELIMITED,))
    while length >= _CONTINUES:
        prefix.append(length % _CONTINUES | _CONTINUES)
        length //= _CONTINUES
    prefix.append(length)
    return bytes(prefix) + content


def _metadata(key: bytes, text: str) -> bytes:
    """Encode what Envoy keeps beside the request under a key."""
    return _field(_METADATA, _field(_FIELDS, key + _field(_VALUE, _field(_STRING, text.encode()))))


_RESERVATION = _field(_KEY, b"reservation")
_LEASE = _field(_KEY, b"lease")
_CLOSED = _field(_KEY, b"closed")
_REFUSED = _field(_KEY, b"refused")
_REMAINING = _field(_KEY, REMAINING.encode())
_DOWNGRADE = _field(_KEY, DOWNGRADE.encode())


def closed(closing: Closing, check: Check, revision: str) -> str:
    """Write the verdict that gateways remember: words, three headers and the message, a line for each.

    The words: consumer; what is closed (`*`, a route, or a route, a bar and a model); the Unix second from which it is
    void (0: it does not end by itself) and that from which a client may come back (0: waiting does not help); the
    revision of the consumer's policies; the size of the refused request (bytes, limit on its output, answers), by which
    others are measured, or zeros where size makes no difference; and 1 where smaller ones do not pass unchecked, or 0.
    """
    standing = closing.standing
    ends_s = 0 if closing.until_ms is None else -(-closing.until_ms // 1000)
    what, size = "*", "0 - 0"
    if closing.closes is not Closes.EVERYTHING:
        what = check.route
    if closing.closes is Closes.LARGER:
        what = f"{check.route}|{check.model}"
        size = f"{check.body_bytes} {ABSENT if check.output_limit is None else check.output_limit} {check.choices}"
    left = max(0, standing.remaining)
    return "\n".join(
        (
            f"{check.consumer} {what} {ends_s} {ends_s if closing.again else 0} {revision} {size} {closing.at_end:d}",
            _limit(standing),
            str(left // _MICRO),
            exact(left),
            _closed_message(closing),
        )
    )


STOPPED: bytes = Response(overall_code=OVER_LIMIT, statuses=[Status(code=OVER_LIMIT)]).SerializeToString()
"""The answer to the check of a shadow's copy that is not to go on; nobody reads more of it."""


UNBUDGETED: bytes = granted(NOTHING_RESERVED, None, None)
"""The answer to a check of a consumer that no policy matches: the gateway sees that it was answered."""


def rejected(lacking: Sequence[Standing], amount: int, now_ms: int, verdict: str | None = None) -> bytes:
    """Return 429 for a request without room; `verdict` is what gateways may remember of it."""
    wait_s = retry_after_s(lacking, amount, now_ms)
    hopeless = tuple(standing for standing in lacking if never_fits(standing, amount))
    least = tightest(hopeless or lacking)
    headers = {} if least is None else _limits(least, now_ms)
    if wait_s is not None:
        headers["retry-after"] = str(wait_s)
    if wait_s is None or wait_s > _LONGEST_RETRY_S:
        headers["x-should-retry"] = "false"
    message = "The budget is spent." if least is None else _message(least, amount)
    answer = _refusal(message, headers)
    return answer if verdict is None else answer + _metadata(_CLOSED, verdict)


def killed(consumer: str) -> bytes:
    """Return 429 for a consumer that a person has stopped."""
    headers = {REMAINING: "0", "x-should-retry": "false"}
    return _refusal(f"`{consumer}` was stopped by hand; ask whoever runs this gateway.", headers)


def crowded(consumer: str) -> bytes:
    """Return 429 for a consumer with too many reservations that are open; that is no matter of dollars."""
    message = f"Too many requests of `{consumer}` are under way: wait until some of them have ended."
    return _refusal(message, {"retry-after": str(SOON_S)}, kind="requests", code="rate_limit_exceeded")


def too_many_in_flight(consumer: str, most: int) -> bytes:
    """Return 429 for a consumer with as many requests under way as it may have; the gateway is told why."""
    message = (
        f"`{consumer}` may have {most} requests in flight at a time, and has as many:"
        " send this one again when one of them has ended."
    )
    headers = {"retry-after": str(_AT_ONCE_S)}
    return _refusal(message, headers, kind="requests", code=TOO_MANY_IN_FLIGHT) + _metadata(
        _REFUSED, TOO_MANY_IN_FLIGHT
    )


def oversized() -> bytes:
    """Return 429 for a request whose names or numbers are too long to be checked."""
    return _refusal("This request's model or numbers are too long for a budget check.", {"x-should-retry": "false"})


def _refusal(
    message: str, headers: dict[str, str], *, kind: str = "insufficient_quota", code: str = "insufficient_quota"
) -> bytes:
    error = {"message": message, "type": kind, "param": None, "code": code}
    response = Response(
        overall_code=OVER_LIMIT,
        statuses=[Status(code=OVER_LIMIT)],
        raw_body=json.dumps({"error": error}, separators=(",", ":")).encode(),
        response_headers_to_add=[
            Header(key="content-type", value="application/json"),
            *(Header(key=key, value=value) for key, value in headers.items()),
        ],
    )
    answer: bytes = response.SerializeToString()
    return answer


def _limit(standing: Standing) -> str:
    limit, name, end_ms = standing.policy.limit // _MICRO, standing.policy.name, standing.span.end_ms
    if end_ms is None:
        return f'{limit}, {limit};name="{name}"'
    return f'{limit}, {limit};w={(end_ms - standing.span.start_ms) // 1000};name="{name}"'


def _limits(standing: Standing, now_ms: int) -> dict[str, str]:
    headers = {REMAINING: exact(max(0, standing.remaining)), "x-ratelimit-limit": _limit(standing)}
    end_ms = standing.span.end_ms
    if end_ms is not None:
        headers["x-ratelimit-reset"] = str(seconds_until(end_ms, now_ms))
    headers["x-ratelimit-remaining"] = str(max(0, standing.remaining) // _MICRO)
    return headers


def _message(standing: Standing, amount: int) -> str:
    counter = standing.counter
    parts = [_spent(standing)]
    if counter.reserved:
        parts.append(f"${exact(counter.reserved)} are reserved by requests that run, or may come next")
    parts.append(f"this request may cost up to ${exact(amount)}")
    return ", ".join((*parts, NEVER if never_fits(standing, amount) else _resets(standing))) + "."


def _closed_message(closing: Closing) -> str:
    """Say the same of requests that gateways refuse by themselves, whose amounts nobody works out."""
    standing, parts = closing.standing, [_spent(closing.standing)]
    if closing.closes is Closes.LARGER:
        parts.append("what is left does not pay for a request like this one")
    hopeless = not closing.again and standing.span.end_ms is not None
    return ", ".join((*parts, NEVER if hopeless else _resets(standing))) + "."


NEVER = "which never fits, whenever it is sent: ask for less, or for a larger budget"


def _spent(standing: Standing) -> str:
    policy = standing.policy
    return f"Budget `{policy.name}`: ${exact(standing.counter.spent)} of ${exact(policy.limit)} are spent"


def _resets(standing: Standing) -> str:
    end_ms = standing.span.end_ms
    return "the budget does not reset" if end_ms is None else f"the budget resets at {moment(end_ms)}"
