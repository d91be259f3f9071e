"""Judging one step by what was counted in it: pure, and wrong seldom by a stated bound."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import log, sqrt

from fairlead.rollout.plan import Bounds, Query
from fairlead.rollout.sequential import is_broken, is_more
from fairlead.rollout.tally import ArmCounts, Tally

ALPHA = 0.01
"""How probable it may be that a whole rollout of a candidate that keeps all bounds is rolled back by a bound
that a sequential test judges, however often one looks."""
P95 = 0.95
_ALL_OF = 5
"""So many attempts that all failed need no statistics."""
_DEVIATION = 1.5
"""Standard deviation of a request's cost or tokens over its mean that their bounds allow for: in the shipped traces of
real conversations it is 1.2."""
_REASONS = ("stop", "length", "tool_calls", "content_filter", "other")
"""Why answers end, as gateways count it."""


class Outcome(StrEnum):
    """What a verdict says of a step."""

    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"


class Measure(StrEnum):
    """What a bound is about."""

    ERROR_RATE = "ErrorRate"
    FIRST_BYTE = "FirstByte"
    WORSE_RATE = "WorseRate"
    FINISH_REASON = "FinishReason"
    COST = "Cost"
    TOKENS = "Tokens"
    EJECTED = "Ejected"
    REQUESTS = "Requests"
    PROMETHEUS = "Prometheus"
    SOURCE = "Source"
    HEALTH = "Health"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one look at a step came to."""

    outcome: Outcome
    measure: Measure | None
    """What decided; None of a success."""
    message: str
    """One line without a final period."""
    at_ms: int = 0


def judge(tally: Tally, bounds: Bounds, *, steps: int) -> Verdict:
    """Judge a step of a rollout that has so many: Failed as soon as a bound is shown to be broken.

    Successful means that there were enough attempts and that nothing is shown; the hold is not looked at here.
    """
    mine, stable = tally.candidate, tally.stable
    alpha = ALPHA / (max(1, steps) * max(1, _sequential(bounds)))
    broken = (
        _errors(mine, bounds, alpha)
        or _first_bytes(mine, stable, bounds, alpha)
        or _worse(mine, stable, bounds, alpha)
        or _finish_reasons(mine, stable, bounds, alpha)
        or _cost(mine, stable, bounds)
        or _tokens(mine, stable, bounds)
    )
    if broken is not None:
        return broken
    if mine.attempts < bounds.min_requests:
        message = f"{mine.attempts} of {bounds.min_requests} requests that a verdict needs"
        return Verdict(outcome=Outcome.INCONCLUSIVE, measure=Measure.REQUESTS, message=message)
    if bounds.cost_increase is not None and (mine.unpriced_tokens or stable.unpriced_tokens):
        message = f"the {'candidate' if mine.unpriced_tokens else 'stable target'} has no price to compare costs by"
        return Verdict(outcome=Outcome.INCONCLUSIVE, measure=Measure.COST, message=message)
    return Verdict(outcome=Outcome.SUCCESSFUL, measure=None, message=f"{mine.attempts} requests, every bound kept")


def judge_measured(queries: Iterable[Query], measured: Mapping[str, float | None]) -> Verdict | None:
    """Judge what a plan's queries were answered; None where each keeps its bound. Without an answer none does."""
    missing = None
    for query in queries:
        value = measured.get(query.name)
        if value is None:
            message = f"`{query.name}` has no data"
            missing = missing or Verdict(outcome=Outcome.INCONCLUSIVE, measure=Measure.PROMETHEUS, message=message)
        elif query.at_most is not None and not value <= query.at_most:
            return _failed(Measure.PROMETHEUS, f"`{query.name}` is {value:g}, at most {query.at_most:g} may be")
        elif query.at_least is not None and not value >= query.at_least:
            return _failed(Measure.PROMETHEUS, f"`{query.name}` is {value:g}, at least {query.at_least:g} must be")
    return missing


def _sequential(bounds: Bounds) -> int:
    """Count the bounds that are judged by a sequential test: they share its error."""
    judged = (bounds.error_rate, bounds.first_byte_p95_increase, bounds.worse_rate, bounds.finish_reason_shift)
    return sum(bound is not None for bound in judged)


def _errors(mine: ArmCounts, bounds: Bounds, alpha: float) -> Verdict | None:
    if bounds.error_rate is None:
        return None
    certain = mine.failed == mine.attempts >= _ALL_OF
    if not certain and not is_broken(mine.failed, mine.attempts, bounds.error_rate, alpha):
        return None
    share = f"{mine.failed} of {mine.attempts} requests failed ({mine.failed / mine.attempts:.1%})"
    return _failed(Measure.ERROR_RATE, f"{share}, {bounds.error_rate:.1%} may")


def _first_bytes(mine: ArmCounts, stable: ArmCounts, bounds: Bounds, alpha: float) -> Verdict | None:
    """Count the candidate's first bytes that are later than the stable target's percentile allows: 5 % may be."""
    if bounds.first_byte_p95_increase is None or stable.streams < bounds.min_requests:
        return None
    theirs = stable.quantile_ms(P95)
    if theirs is None or theirs == float("inf"):
        return None
    limit_ms = theirs * (1 + bounds.first_byte_p95_increase)
    late = mine.later_than(limit_ms)
    if not is_broken(late, mine.streams, 1 - P95, alpha):
        return None
    return _failed(
        Measure.FIRST_BYTE,
        f"{late / mine.streams:.0%} of {mine.streams} streams began after {limit_ms:.0f} ms, 5% may; stable's"
        f" 95th percentile is {theirs:.0f} ms, and {bounds.first_byte_p95_increase:.0%} more is allowed",
    )


def _worse(mine: ArmCounts, stable: ArmCounts, bounds: Bounds, alpha: float) -> Verdict | None:
    """Compare how often the sides brought no whole answer, in the same minutes."""
    allowed = bounds.worse_rate
    ours, theirs = (mine.worse, mine.attempts), (stable.worse, stable.attempts)
    if allowed is None or not is_more(ours, theirs, allowed, alpha):
        return None
    return _failed(
        Measure.WORSE_RATE,
        f"{_share(ours)} of {mine.attempts} requests failed or had no whole answer, {_share(theirs)} of stable's;"
        f" {allowed:.1%} more may",
    )


def _finish_reasons(mine: ArmCounts, stable: ArmCounts, bounds: Bounds, alpha: float) -> Verdict | None:
    """Compare why answers ended, each reason by itself and in both directions."""
    allowed = bounds.finish_reason_shift
    if allowed is None:
        return None
    each = alpha / (2 * len(_REASONS))
    for reason in _REASONS:
        ours = mine.finish_reasons.get(reason, 0), mine.ended
        theirs = stable.finish_reasons.get(reason, 0), stable.ended
        if is_more(ours, theirs, allowed, each) or is_more(theirs, ours, allowed, each):
            return _failed(
                Measure.FINISH_REASON,
                f"{_share(ours)} of {mine.ended} answers ended with `{reason}`, {_share(theirs)} of stable's;"
                f" {allowed:.1%} more or less may",
            )
    return None


def _share(part: tuple[int, int]) -> str:
    count, of = part
    return f"{count / of:.1%}" if of else "none"


def _cost(mine: ArmCounts, stable: ArmCounts, bounds: Bounds) -> Verdict | None:
    ours, theirs = mine.mean_nano_usd, stable.mean_nano_usd
    if bounds.cost_increase is None or ours is None or theirs is None or not _are_enough(mine, stable, bounds):
        return None
    if theirs == 0:
        return _failed(Measure.COST, "its requests cost money, the stable target's do not") if ours else None
    if not _is_above(ours / theirs, bounds.cost_increase, mine, stable):
        return None
    return _failed(
        Measure.COST, f"a request costs {ours / theirs - 1:.0%} more, {bounds.cost_increase:.0%} more may be"
    )


def _tokens(mine: ArmCounts, stable: ArmCounts, bounds: Bounds) -> Verdict | None:
    ours, theirs = mine.tokens_per_request, stable.tokens_per_request
    if bounds.tokens_increase is None or ours is None or not theirs or not _are_enough(mine, stable, bounds):
        return None
    if not _is_above(ours / theirs, bounds.tokens_increase, mine, stable):
        return None
    return _failed(
        Measure.TOKENS, f"a request has {ours / theirs - 1:.0%} more tokens, {bounds.tokens_increase:.0%} more may be"
    )


def _are_enough(mine: ArmCounts, stable: ArmCounts, bounds: Bounds) -> bool:
    return min(mine.attempts, stable.attempts) >= bounds.min_requests


def _is_above(ratio: float, increase: float, mine: ArmCounts, stable: ArmCounts) -> bool:
    """Compare means, with a margin that shrinks with the smaller number of requests.

    The margin is a boundary that a random walk with the allowed deviation passes at any time with probability ALPHA at
    most, by the law of the iterated logarithm's finite form (Howard et al., Ann. Statist. 49, 2021, equation 2).
    """
    margin = _margin(mine.attempts - mine.failed) + _margin(stable.attempts - stable.failed)
    return ratio > (1 + increase) * (1 + margin)


def _margin(answered: int) -> float:
    return _DEVIATION * 1.7 * sqrt((log(log(2 * max(2, answered))) + 0.72 * log(5.2 / ALPHA)) / answered)


def _failed(measure: Measure, message: str) -> Verdict:
    return Verdict(outcome=Outcome.FAILED, measure=measure, message=message)
