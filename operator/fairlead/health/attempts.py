"""What became of attempts, read from the code and the response flags that a gateway counts them by."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

Outcome = tuple[int, str]
"""HTTP status (0 without an answer) and Envoy's response flags, `-` for none."""
Counts = Mapping[Outcome, int]


class Failure(StrEnum):
    """Why attempts at a target fail, by what a person has to look at. The words are reasons of conditions."""

    CREDENTIAL_REJECTED = "CredentialRejected"
    PAYMENT_REQUIRED = "PaymentRequired"
    NOT_FOUND = "NotFound"
    REDIRECTED = "Redirected"
    RATE_LIMITED = "RateLimited"
    SERVER_ERROR = "ServerError"
    TIMED_OUT = "TimedOut"
    CONNECTION_FAILED = "ConnectionFailed"
    CONNECTION_CUT = "ConnectionCut"
    NO_HTTP = "NoHTTP"
    UNRESOLVABLE = "Unresolvable"
    EJECTED = "Ejected"


_BY_STATUS = {
    401: Failure.CREDENTIAL_REJECTED,
    402: Failure.PAYMENT_REQUIRED,
    403: Failure.CREDENTIAL_REJECTED,
    404: Failure.NOT_FOUND,
    408: Failure.TIMED_OUT,
    429: Failure.RATE_LIMITED,
    504: Failure.TIMED_OUT,
}
_BY_FLAG = {
    "UF": Failure.CONNECTION_FAILED,
    "UT": Failure.TIMED_OUT,
    "UPE": Failure.NO_HTTP,
    "UC": Failure.CONNECTION_CUT,
    "UR": Failure.CONNECTION_CUT,
    "LR": Failure.CONNECTION_CUT,
}
"""Of an attempt without an answer, or whose answer broke off. Not the client's own ends (`DC`, `DR`)."""
_SUCCESSES, _REDIRECTS, _SERVER_ERRORS = range(200, 300), range(300, 400), range(500, 600)


def failure(outcome: Outcome) -> Failure | None:
    """Tell why an attempt failed; None where it did not, or where that is the request's or the client's doing."""
    status, flags = outcome
    for flag in flags.split(","):
        if flag in _BY_FLAG:
            return _BY_FLAG[flag]
    if status in _REDIRECTS:
        return Failure.REDIRECTED
    if status in _SERVER_ERRORS:
        return _BY_STATUS.get(status, Failure.SERVER_ERROR)
    return _BY_STATUS.get(status)


def went_well(outcome: Outcome) -> bool:
    """Tell whether an attempt brought an answer, whole as far as the gateway saw."""
    status, flags = outcome
    return status in _SUCCESSES and failure(outcome) is None and flags == "-"


def foremost(outcomes: Iterable[tuple[Outcome, int]]) -> Outcome | None:
    """Pick the failed outcome that most attempts had; None where none failed. Of equals the larger status."""
    failed = [(count, outcome) for outcome, count in outcomes if count > 0 and failure(outcome) is not None]
    return max(failed)[1] if failed else None


def since(before: Counts | None, now: Counts) -> dict[Outcome, int]:
    """Return what was counted between two readings of one gateway's totals.

    Totals that shrank began anew with a new process. Without a reading before, nobody knows when it was: failures count
    then only where not one attempt went well.
    """
    if before is None:
        return {outcome: count for outcome, count in now.items() if went_well(outcome)} or dict(now)
    if any(now.get(outcome, 0) < count for outcome, count in before.items()):
        return dict(now)
    return {outcome: count - before.get(outcome, 0) for outcome, count in now.items() if count > before.get(outcome, 0)}
