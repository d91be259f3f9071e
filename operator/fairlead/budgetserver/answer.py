"""What a client is told, as messages of the rate limit service.

`x-fairlead-budget-remaining` are dollars, exactly. `x-ratelimit-*` follow the IETF's draft 03, in micro-dollars, made
here and not by Envoy, whose numbers end at 4,294 dollars and whose windows at fixed units.
"""

import json
from collections.abc import Sequence
from typing import Any

from fairlead.budget.admission import Standing, retry_after_s, seconds_until, tightest
from fairlead.budget.price import USD
from fairlead.budget.usage import moment
from fairlead.budgetserver.messages import OK, OVER_LIMIT, Header, Response, Status

REMAINING = "x-fairlead-budget-remaining"
DOWNGRADE = "x-fl-downgrade"
"""Request header that names the route which answers instead; the gateway acts on it and lets nobody else set it."""
_MICRO = USD // 1_000_000
_LONGEST_RETRY_S = 60
"""Clients of OpenAI's libraries ignore a longer Retry-After and come back at once, unless told not to."""


def exact(nanodollars: int) -> str:
    """Return dollars in decimal, all digits that there are."""
    sign, whole = ("-" if nanodollars < 0 else ""), abs(nanodollars)
    return f"{sign}{whole // USD}.{whole % USD:09d}".rstrip("0").rstrip(".")


def unbudgeted() -> Any:
    """Return the answer for a consumer that no policy matches."""
    return Response(overall_code=OK)


def granted(request: str, least: Standing | None, downgrade: str | None) -> Any:
    """Return the answer for a request that has room; its reservation travels back with the report."""
    response = Response(overall_code=OK)
    response.dynamic_metadata.fields["reservation"].string_value = request
    if least is not None:
        response.response_headers_to_add.append(Header(key=REMAINING, value=exact(max(0, least.remaining))))
    if downgrade is not None:
        response.request_headers_to_add.append(Header(key=DOWNGRADE, value=downgrade))
    return response


def rejected(lacking: Sequence[Standing], amount: int, now_ms: int) -> Any:
    """Return 429 for a request without room."""
    wait_s = retry_after_s(lacking, amount, now_ms)
    least = tightest(lacking)
    headers = {} if least is None else _limits(least, now_ms)
    if wait_s is not None:
        headers["retry-after"] = str(wait_s)
    if wait_s is None or wait_s > _LONGEST_RETRY_S:
        headers["x-should-retry"] = "false"
    message = "The budget is spent." if least is None else _message(least, amount)
    return _refusal(message, headers)


def killed(consumer: str) -> Any:
    """Return 429 for a consumer that a person has stopped."""
    headers = {REMAINING: "0", "x-should-retry": "false"}
    return _refusal(f"`{consumer}` was stopped by hand; ask whoever runs this gateway.", headers)


def _refusal(message: str, headers: dict[str, str]) -> Any:
    error = {"message": message, "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}
    return Response(
        overall_code=OVER_LIMIT,
        statuses=[Status(code=OVER_LIMIT)],
        raw_body=json.dumps({"error": error}, separators=(",", ":")).encode(),
        response_headers_to_add=[
            Header(key="content-type", value="application/json"),
            *(Header(key=key, value=value) for key, value in headers.items()),
        ],
    )


def _limits(standing: Standing, now_ms: int) -> dict[str, str]:
    limit = standing.policy.limit // _MICRO
    headers = {REMAINING: exact(max(0, standing.remaining))}
    end_ms = standing.span.end_ms
    name = standing.policy.name
    if end_ms is None:
        headers["x-ratelimit-limit"] = f'{limit}, {limit};name="{name}"'
    else:
        window_s = (end_ms - standing.span.start_ms) // 1000
        headers["x-ratelimit-limit"] = f'{limit}, {limit};w={window_s};name="{name}"'
        headers["x-ratelimit-reset"] = str(seconds_until(end_ms, now_ms))
    headers["x-ratelimit-remaining"] = str(max(0, standing.remaining) // _MICRO)
    return headers


def _message(standing: Standing, amount: int) -> str:
    policy, counter = standing.policy, standing.counter
    parts = [f"Budget `{policy.name}`: ${exact(counter.spent)} of ${exact(policy.limit)} are spent"]
    if counter.reserved:
        parts.append(f"${exact(counter.reserved)} are reserved by requests that run")
    parts.append(f"this request may cost up to ${exact(amount)}")
    if standing.span.end_ms is None:
        parts.append("the budget does not reset")
    else:
        parts.append(f"the budget resets at {moment(standing.span.end_ms)}")
    return ", ".join(parts) + "."
