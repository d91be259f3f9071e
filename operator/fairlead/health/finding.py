"""What real traffic says of an endpoint as a whole.

One model that fails is that target's matter (its ejection, its rollout), never the endpoint's; one region that does not
reach it is the path's. So models vote within a region, and regions vote.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from fairlead.health import attempts, window
from fairlead.health.attempts import Outcome
from fairlead.health.window import Attempts
from fairlead.statuses import Failure

REQUESTS = 10
"""No verdict on fewer attempts, unless gateways have ejected all that fail. So many good ones make a step good."""
RATED = 20
"""No rate of errors of fewer attempts, with the same exception."""
ERRORS_PERCENT = 25
"""A brown-out: so many of a hundred attempts fail."""


class Kind(StrEnum):
    """What is found."""

    SILENT = "silent"
    """Nothing was told."""
    FEW = "few"
    """Some went well; too few for a verdict."""
    FAILING = "failing"
    """None went well; too few for a verdict."""
    WELL = "well"
    SLOW = "slow"
    ERRORS = "errors"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is found, and what the failures mostly were."""

    kind: Kind
    failure: Failure | None = None
    status: int = 0
    poor: bool = False
    """Of FEW: so many of them failed that it would be a brown-out if there were more."""


def finding(
    places: Mapping[str, Attempts],
    *,
    models: int,
    ejected: Collection[str],
    nameless: bool,
    slow: bool,
    suspected: bool,
) -> Finding:
    """Weigh attempts by place. `models` is how many routes use there, `suspected` whether its last probe failed."""
    if nameless:
        return Finding(kind=Kind.DEAD, failure=Failure.UNRESOLVABLE)
    failing = {name: one for name, one in places.items() if _votes_bad(one)}
    whole = suspected or _is_whole(failing, models)
    counts = places if whole else {name: one for name, one in places.items() if name not in failing}
    kind = _kind(counts, ejected)
    if kind in (Kind.WELL, Kind.FEW, Kind.SILENT):
        return Finding(kind=Kind.SLOW if slow else kind, poor=kind is Kind.FEW and _is_poor(counts))
    worst = _foremost(counts.values())
    return Finding(kind=kind, failure=attempts.failure(worst), status=worst[0])


def _is_whole(failing: Mapping[str, Attempts], models: int) -> bool:
    """Tell whether what fails can be the endpoint: all that it has, several models, or what concerns every model."""
    if models <= 1 or len({window.target_of(name) for name in failing}) > 1:
        return True
    all_failures = sum(one.failures for one in failing.values())
    of_endpoint = sum(
        count
        for one in failing.values()
        for word, count in one.failed.items()
        if attempts.tells_of_endpoint(window.outcome(word))
    )
    return 2 * of_endpoint > all_failures


def _kind(places: Mapping[str, Attempts], ejected: Collection[str]) -> Kind:
    well = sum(one.well for one in places.values())
    failed = sum(one.failures for one in places.values())
    if not failed and not well:
        return Kind.SILENT
    if not well and not _is_limited(places):
        return Kind.DEAD if _is_enough(places, ejected, REQUESTS) else Kind.FAILING
    if _is_enough(places, ejected, RATED) and _is_brown_out(places, ejected):
        return Kind.ERRORS
    if well >= REQUESTS and not _is_bad(well, failed):
        return Kind.WELL
    return Kind.FEW if well else Kind.FAILING


def _is_enough(places: Mapping[str, Attempts], ejected: Collection[str], least: int) -> bool:
    """Tell whether a verdict stands on enough: requests, or the gateways' own verdicts."""
    failing = [name for name, one in places.items() if one.failures]
    return sum(one.all for one in places.values()) >= least or (bool(failing) and set(failing) <= set(ejected))


def _is_limited(places: Mapping[str, Attempts]) -> bool:
    """Tell whether a rate limit answers: whoever says 429 is alive."""
    return any(
        attempts.failure(window.outcome(word)) is Failure.RATE_LIMITED for one in places.values() for word in one.failed
    )


def _is_brown_out(places: Mapping[str, Attempts], ejected: Collection[str]) -> bool:
    regions: dict[str, dict[str, Attempts]] = {}
    for name, one in places.items():
        regions.setdefault(window.region_of(name), {})[name] = one
    voting = [seen for seen in regions.values() if _is_enough(seen, ejected, RATED)]
    return 2 * sum(_is_bad_in_region(seen) for seen in voting) > len(voting)


def _is_bad_in_region(seen: Mapping[str, Attempts]) -> bool:
    bad = sum(_votes_bad(one) for one in seen.values())
    well, failed = sum(one.well for one in seen.values()), sum(one.failures for one in seen.values())
    return 2 * bad > len(seen) and _is_bad(well, failed)


def _is_poor(places: Mapping[str, Attempts]) -> bool:
    return _is_bad(sum(one.well for one in places.values()), sum(one.failures for one in places.values()))


def _votes_bad(one: Attempts) -> bool:
    return _is_bad(one.well, one.failures)


def _is_bad(well: int, failed: int) -> bool:
    return failed > 0 and 100 * failed >= ERRORS_PERCENT * (well + failed)


def _foremost(counted: Collection[Attempts]) -> Outcome:
    """Return the outcome of most failures; there are some."""
    found = [(window.outcome(word), count) for one in counted for word, count in one.failed.items()]
    sums: dict[Outcome, int] = {}
    for outcome, count in found:
        sums[outcome] = sums.get(outcome, 0) + count
    return attempts.foremost(sums.items()) or (0, "-")
