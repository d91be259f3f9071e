"""Retries: when the next rung of a ladder is asked."""

from fairlead import statuses
from fairlead.envoy import names
from fairlead.envoy.protobuf import Json, duration

RETRY_ON = "5xx,retriable-headers,retriable-status-codes"
"""`5xx` is also every attempt without an answer: no connection, a refused stream, one that was reset or timed out."""
_5XX = 5
BACK_OFF = "0.001s"
"""The next rung is another provider: there is nothing to wait for."""
_CLASSES: list[Json] = [
    {"name": ":status", "string_match": {"prefix": str(digit)}} for digit in statuses.classes() if digit != _5XX
]
"""Not a regular expression for all statuses: Envoy compiles one for each policy, a fifth of what new routes took it."""
_REJECTED: Json = {"name": names.JUDGED_HEADER, "string_match": {"exact": names.REJECTED}}


def connecting(attempt_ms: int) -> Json:
    """Make the retry of an attempt that has no other rung: once, where nothing was sent."""
    return {
        "retry_on": "connect-failure,refused-stream",
        "num_retries": 1,
        "per_try_timeout": duration(attempt_ms),
    }


def policy(retries: int, *, attempt_ms: int | None, judged: bool = False) -> Json:
    """Make retries whose every attempt has so much time until its response headers; None = the whole request's.

    `judged`: an answer that the judge of a cascade has rejected is retried, too.
    """
    made = {
        "retry_on": RETRY_ON,
        "retriable_headers": [*_CLASSES, _REJECTED] if judged else _CLASSES,
        "retriable_status_codes": list(statuses.codes()),
        "num_retries": retries,
        "retry_back_off": {"base_interval": BACK_OFF, "max_interval": BACK_OFF},
    }
    return made if attempt_ms is None else {**made, "per_try_timeout": duration(attempt_ms)}
