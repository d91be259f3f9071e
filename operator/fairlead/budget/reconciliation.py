"""What the gateways counted and no report booked.

A gateway counts the tokens of every request in counters that only grow, beside the report that it sends. Reading the
counters at intervals finds what reports lost: `missing = due - booked - reconciled`, per gateway, consumer, route and
target. Three rules keep money from being booked twice:

- the counters are read first and the bookings after, so a report on its way is not taken for a lost one;
- what is missing is booked when two readings in a row agree on it;
- a counter that went back is a gateway that started again: it counts from zero, and what it had counted since the last
  reading is forgiven (its reservations expire and book it).

The counters of a gateway that is older than the store, and was never read before, are taken as booked: a store that was
lost must not turn a month of traffic into spend of today.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class UsageCounterKey:
    """Whose tokens a counter counts."""

    gateway: str
    consumer: str
    route: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Requests whose tokens were counted, and those tokens."""

    requests: int = 0
    input: int = 0
    output: int = 0
    cached: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(
            requests=self.requests + other.requests,
            input=self.input + other.input,
            output=self.output + other.output,
            cached=self.cached + other.cached,
        )

    def __sub__(self, other: "Count") -> "Count":
        return Count(
            requests=self.requests - other.requests,
            input=self.input - other.input,
            output=self.output - other.output,
            cached=self.cached - other.cached,
        )

    def __bool__(self) -> bool:
        return self != NOTHING

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input + self.output


NOTHING = Count()


def least(left: Count, right: Count) -> Count:
    """Return the smaller of each number."""
    return Count(
        requests=min(left.requests, right.requests),
        input=min(left.input, right.input),
        output=min(left.output, right.output),
        cached=min(left.cached, right.cached),
    )


def most(left: Count, right: Count) -> Count:
    """Return the larger of each number."""
    return Count(
        requests=max(left.requests, right.requests),
        input=max(left.input, right.input),
        output=max(left.output, right.output),
        cached=max(left.cached, right.cached),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCounter:
    """What is known of one key's counters between two readings."""

    seen: Count = NOTHING
    """The gateway's counters at the last reading."""
    due: Count = NOTHING
    """All that must be booked so far."""
    reconciled: Count = NOTHING
    """What reconciliation has booked."""
    missing: Count = NOTHING
    """What was found missing at the last reading, and not booked yet."""


NEW = UsageCounter()


def observe(counter: UsageCounter, *, scraped: Count, booked: Count) -> tuple[UsageCounter, Count]:
    """Take a reading of one key; return its new state and what is to be booked now.

    `booked` is the sum of the reports of this key, read after `scraped`.
    """
    settled = booked + counter.reconciled
    due = (
        most(counter.due + scraped, settled)
        if _went_back(counter.seen, scraped)
        else counter.due + (scraped - counter.seen)
    )
    missing = most(due - settled, NOTHING)
    bookings = least(missing, counter.missing)
    return UsageCounter(
        seen=scraped, due=due, reconciled=counter.reconciled + bookings, missing=missing - bookings
    ), bookings


def adopt(*, scraped: Count, booked: Count) -> UsageCounter:
    """Return the state of a key of a gateway that was never read before: all it counted is taken as booked."""
    return UsageCounter(seen=scraped, due=booked)


def _went_back(before: Count, after: Count) -> bool:
    return least(before, after) != before


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The outcome of one reading of all gateways."""

    usage_counters: dict[UsageCounterKey, UsageCounter]
    bookings: Mapping[UsageCounterKey, Count]
    """What is missing for sure: to be booked, in the same step that stores `usage_counters`."""


def read(
    *,
    usage_counters: Mapping[UsageCounterKey, UsageCounter],
    known_gateways: frozenset[str],
    scraped: Mapping[UsageCounterKey, Count],
    booked: Mapping[UsageCounterKey, Count],
) -> Reading:
    """Compare one reading of the gateways with what was booked. Keys that were not scraped keep their state.

    `known_gateways` are those whose whole life this store knows: they were read before, or are younger than it.
    """
    after: dict[UsageCounterKey, UsageCounter] = {}
    bookings: dict[UsageCounterKey, Count] = {}
    for key, count in sorted(scraped.items()):
        reported = booked.get(key, NOTHING)
        if key not in usage_counters and key.gateway not in known_gateways:
            after[key] = adopt(scraped=count, booked=reported)
            continue
        after[key], found = observe(usage_counters.get(key, NEW), scraped=count, booked=reported)
        if found:
            bookings[key] = found
    return Reading(usage_counters=after, bookings=bookings)


def share_captured(usage_counters: Iterable[UsageCounter]) -> float:
    """Return which share of the tokens that gateways counted was booked by reports; 1 while nobody counted any."""
    due = missed = 0
    for counter in usage_counters:
        due += counter.due.tokens
        missed += counter.reconciled.tokens
    return 1 - missed / due if due else 1
