"""Tests of rates that may be looked at after every request without inflating their error.

The first compares one rate with a bound, the second the rates of two sides. Of the first:

H0: each attempt fails with probability p0 or less, given those before. The statistic is a mixture of likelihood ratios
of fixed alternatives p > p0 against p0. Under H0 each of them is a supermartingale that starts at 1, and so is their
mean; by Ville's inequality it ever reaches 1/alpha with probability alpha at most, however often one looks and whenever
one stops. (Wald, Sequential Analysis, 1947; Robbins, Ann. Math. Statist. 41, 1970; Ramdas et al., Game-Theoretic
Statistics and Safe Anytime-Valid Inference, 2023.) A finite mixture needs no integral, hence no scipy.

Of two sides nobody knows either rate. Each has an interval that holds its rate at all times but with half the error:
the rates against which a mixture of likelihood ratios over Beta(1/2, 1/2), again a martingale, brings no evidence. What
lies between both is shown. (Robbins, 1970; Howard et al., Ann. Statist. 49, 2021, call it a confidence sequence.)
"""

from functools import cache
from math import exp, inf, lgamma, log, log1p, pi

_FACTORS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
"""Alternatives as multiples of p0: tight enough to lose a factor of 2 in requests at most against the best of them."""
_SEARCH = 40
"""Halvings of a range of rates, down to 1e-12."""
_MOST = 0.95
"""The largest alternative: a rate that is all but certain to fail is caught by it within a few attempts."""


def log_evidence(failed: int, of: int, bound: float) -> float:
    """Return the logarithm of the evidence that the rate is above `bound`, from `failed` of so many attempts.

    Without evidence it is 0 or less. A bound of 0 is broken by one failure (infinity), a bound of 1 by none.
    """
    if not 0 <= failed <= of:
        raise ValueError(f"got {failed} failures of {of} attempts, want 0 <= failed <= of")
    if bound <= 0:
        return float("inf") if failed else 0.0
    alternatives = _alternatives(bound)
    if not alternatives or not of:
        return 0.0
    good = of - failed
    terms = [failed * log(rate / bound) + good * (log1p(-rate) - log1p(-bound)) for rate in alternatives]
    largest = max(terms)
    return largest + log(sum(exp(term - largest) for term in terms) / len(terms))


def is_broken(failed: int, of: int, bound: float, alpha: float) -> bool:
    """Tell whether the rate is shown to be above `bound`; wrong with probability `alpha` at most over all looks."""
    return log_evidence(failed, of, bound) >= -log(alpha)


def is_more(mine: tuple[int, int], theirs: tuple[int, int], margin: float, alpha: float) -> bool:
    """Tell whether one side's rate is shown to be above the other's by more than `margin`; both are `count, of`.

    Wrong with probability `alpha` at most over all looks, whatever either rate is.
    """
    for count, of in (mine, theirs):
        if not 0 <= count <= of:
            raise ValueError(f"got {count} of {of} attempts, want 0 <= count <= of")
    if not mine[1] or not theirs[1]:
        return False
    bound = _most(*theirs, -log(alpha / 2)) + margin
    return bound < mine[0] / mine[1] and _mixture(*mine, bound) >= -log(alpha / 2)


def _most(count: int, of: int, threshold: float) -> float:
    """Return the largest rate that the counts of one side do not speak against: evidence grows above what they show."""
    low, high = count / of, 1.0
    for _ in range(_SEARCH):
        middle = (low + high) / 2
        if _mixture(count, of, middle) < threshold:
            low = middle
        else:
            high = middle
    return high


def needed(rate: float, bound: float, alpha: float) -> int | None:
    """Return about how many attempts show a true `rate` to be above `bound`; None where it is not.

    It is where the expected evidence of the best alternative passes the threshold: half of all runs take fewer.
    """
    if rate <= bound:
        return None
    if bound <= 0:
        return max(1, round(1 / rate))
    gains = [rate * log(other / bound) + (1 - rate) * (log1p(-other) - log1p(-bound)) for other in _alternatives(bound)]
    best = max(gains, default=0.0)
    if best <= 0:
        return None
    return max(1, round((-log(alpha) + log(len(gains))) / best))


def _mixture(count: int, of: int, rate: float) -> float:
    """Return the logarithm of a Beta(1/2, 1/2) mixture's likelihood over that of one rate."""
    rest = of - count
    if (count and rate <= 0) or (rest and rate >= 1):
        return inf
    mixed = lgamma(count + 0.5) + lgamma(rest + 0.5) - lgamma(of + 1) - log(pi)
    return mixed - (count * log(rate) if count else 0.0) - (rest * log1p(-rate) if rest else 0.0)


@cache
def _alternatives(bound: float) -> tuple[float, ...]:
    if bound >= _MOST:
        return ()
    return tuple(sorted({min(_MOST, bound * factor) for factor in _FACTORS} | {_MOST}))
