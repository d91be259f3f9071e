"""What became of attempts, read from the code and the response flags that a gateway counts them by."""

from collections.abc import Iterable, Mapping

from fairlead.statuses import Failure, meaning

Outcome = tuple[int, str]
"""HTTP status (0 without an answer) and Envoy's response flags, `-` for none."""
Counts = Mapping[Outcome, int]
BROKEN: Outcome = 502, "stream"
"""Of a stream that began with an error, or had nothing in it: the client got its 200, and the error."""
_WELL: Outcome = 200, "-"


_PROBES_SEE = frozenset(
    {
        Failure.CONNECTION_FAILED,
        Failure.CONNECTION_CUT,
        Failure.NO_HTTP,
        Failure.SERVER_ERROR,
        Failure.TIMED_OUT,
        Failure.UNRESOLVABLE,
    }
)
_BY_FLAG = {
    "UF": Failure.CONNECTION_FAILED,
    "UT": Failure.TIMED_OUT,
    "UPE": Failure.NO_HTTP,
    "UC": Failure.CONNECTION_CUT,
    "UR": Failure.CONNECTION_CUT,
    "LR": Failure.CONNECTION_CUT,
}
"""Of an attempt without an answer, or whose answer broke off. Not the client's own ends (`DC`, `DR`)."""
_WHOLE = frozenset({Failure.CONNECTION_FAILED, Failure.NO_HTTP, Failure.UNRESOLVABLE})
_ACCOUNT = frozenset({401, 402})
"""Not 403: a key may be good for some models only."""
_SUCCESSES = range(200, 300)
_GATEWAY_TIMEOUT = 504


def failure(outcome: Outcome) -> Failure | None:
    """Tell why an attempt failed; None where it did not, or where that is the request's or the client's doing."""
    status, flags = outcome
    for flag in flags.split(","):
        if flag in _BY_FLAG:
            # What cannot be understood behind a status that could be is half an answer.
            return Failure.CONNECTION_CUT if flag == "UPE" and status in _SUCCESSES else _BY_FLAG[flag]
    if status == _GATEWAY_TIMEOUT:
        return Failure.TIMED_OUT
    said = meaning(status)
    return said.failure if said else None


def went_well(outcome: Outcome) -> bool:
    """Tell whether an attempt brought an answer, whole as far as the gateway saw."""
    status, flags = outcome
    return status in _SUCCESSES and failure(outcome) is None and flags == "-"


def moves_traffic(outcome: Outcome) -> bool:
    """Tell whether a failed attempt counts against an endpoint's share.

    Not where a client's request can bring it about: that would move the traffic of everybody.
    """
    said = meaning(outcome[0])
    return failure(outcome) is not None and (said is None or said.ejects)


def tells_of_endpoint(outcome: Outcome) -> bool:
    """Tell whether a failure is the whole endpoint's, whatever the model: nothing connects, or the key or account."""
    return failure(outcome) in _WHOLE or outcome[0] in _ACCOUNT


def seen_by_probes(failure: Failure) -> bool:
    """Tell whether a probe without the credential would meet it, too: else its success says nothing of it."""
    return failure in _PROBES_SEE


def is_answer(outcome: Outcome) -> bool:
    """Tell whether a failure is the other side's own answer, whoever asks: no connection that one region lacks."""
    status, flags = outcome
    return status > 0 and not any(flag in _BY_FLAG for flag in flags.split(","))


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
        judged = _judged(now)
        return {outcome: count for outcome, count in judged.items() if went_well(outcome)} or judged
    if any(now.get(outcome, 0) < count for outcome, count in before.items()):
        return _judged(now)
    new = {outcome: count - before.get(outcome, 0) for outcome, count in now.items()}
    return _judged({outcome: count for outcome, count in new.items() if count > 0})


def _judged(counts: Counts) -> dict[Outcome, int]:
    """Take broken streams from the attempts that went well: those are counted when an answer's headers come."""
    found = dict(counts)
    if broken := found.get(BROKEN, 0):
        found[_WELL] = max(0, found.get(_WELL, 0) - broken)
    return {outcome: count for outcome, count in found.items() if count}
