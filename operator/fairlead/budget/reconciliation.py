"""What the gateways counted and no report booked.

A gateway counts the tokens of every request in counters that only grow, beside the report that it sends. Reading the
counters at intervals finds what reports lost: `missing = due - booked - reconciled`, per gateway, consumer, route and
target. Three rules keep money from being booked twice:

- the bookings are read after the counters, so a report on its way is not taken for a lost one;
- what is missing is booked when two readings in a row agree on it;
- a counter that went back is a gateway that started again: it counts from zero, and what it had counted since the last
  reading is forgiven (its reservations expire and book it), but for what reports booked of it. That say the bookings
  that were read before the counters: those read after have reports of requests that only the next reading counts.

The first rule has a price. Reports that come between counters and bookings, of requests that these counters lack, hide
as many that are missing. Under steady traffic of a key some always do; two readings in a row that meet none find them
(docs/adr/lost-reports-by-counters.md).

Of requests that were moved (by a rule, a downgrade) a gateway has such counters twice: by the route that answered, with
all others, and by the routes that were asked as well. How much is missing only the former say; the latter say how much
of it is paid by policies of the routes that were asked, too.

The counters of a gateway that is older than the store, and was never read before, are taken as booked: a store that was
lost must not turn a month of traffic into spend of today.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class UsageCounterKey:
    """Whose tokens a counter counts."""

    gateway: str
    consumer: str
    route: str
    """The one that answered; `joined` to those that were asked, where it counts what these moved there."""
    target: str

    @property
    def routes(self) -> tuple[str, ...]:
        """The routes that were asked, and the one that answered."""
        return tuple(self.route.split(","))

    @property
    def answered(self) -> str:
        """The route that answered."""
        return self.routes[-1]

    @property
    def whole(self) -> "UsageCounterKey":
        """The key that counts these requests with all others which the route answered; itself, where it is that one."""
        return self if "," not in self.route else replace(self, route=self.answered)

    @property
    def counted(self) -> tuple["UsageCounterKey", ...]:
        """The keys under which a request is counted."""
        return (self,) if "," not in self.route else (self, self.whole)


def joined(routes: Iterable[str]) -> str:
    """Write the routes of a key: those that were asked, then the one that answered."""
    return ",".join(routes)


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


def observe(
    counter: UsageCounter, *, booked_before: Count, scraped: Count, booked: Count
) -> tuple[UsageCounter, Count]:
    """Take a reading of one key; return its new state and what is to be booked now.

    `booked_before` and `booked` are the sums of the reports of this key, read before and after `scraped`.
    """
    settled = booked + counter.reconciled
    due = (
        most(counter.due + scraped, booked_before + counter.reconciled)
        if _went_back(counter.seen, scraped)
        else counter.due + (scraped - counter.seen)
    )
    missing = most(due - settled, NOTHING)
    bookings = least(missing, counter.missing)
    return UsageCounter(
        seen=scraped, due=due, reconciled=counter.reconciled + bookings, missing=missing - bookings
    ), bookings


def observe_moved(
    counter: UsageCounter | None,
    *,
    booked_before: Count,
    scraped: Count,
    booked: Count,
    grown: Count,
    found: Count,
) -> tuple[UsageCounter, Count]:
    """Take a reading of one key of requests that were moved; return its new state and its part of `found`.

    `grown` and `found`: by how much the counters of the whole grew since the last reading, and what of it is to be
    booked now. `found` is never exceeded, nor `grown` by a key that is new: a server of the version before books
    reports without this key, and reads gateways without it, so what seems to be missing here need not be. What was not
    found stays missing, and may be found later.
    """
    known = UsageCounter(seen=scraped, due=least(scraped, grown)) if counter is None else counter
    after, missing = observe(known, booked_before=booked_before, scraped=scraped, booked=booked)
    part = least(missing, found)
    left = missing - part
    return replace(after, reconciled=after.reconciled - left, missing=after.missing + left), part


def adopt(*, booked_before: Count, scraped: Count) -> UsageCounter:
    """Return the state of a key of a gateway that was never read before: all it counted is taken as booked."""
    return UsageCounter(seen=scraped, due=booked_before)


def _went_back(before: Count, after: Count) -> bool:
    return least(before, after) != before


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The outcome of one reading of all gateways."""

    usage_counters: dict[UsageCounterKey, UsageCounter]
    bookings: Mapping[UsageCounterKey, Count]
    """What is missing for sure: to be booked, in the same step that stores `usage_counters`. Each request once: what is
    under a key of requests that were moved is not under the key of the whole."""


def read(
    *,
    usage_counters: Mapping[UsageCounterKey, UsageCounter],
    known_gateways: frozenset[str],
    booked_before: Mapping[UsageCounterKey, Count],
    scraped: Mapping[UsageCounterKey, Count],
    booked: Mapping[UsageCounterKey, Count],
) -> Reading:
    """Compare one reading of the gateways with what was booked. Keys that were not scraped keep their state.

    `booked_before` was read before `scraped`, `booked` after it; nobody else stored a reading in between.
    `known_gateways` are those whose whole life this store knows: they were read before, or are younger than it.
    """
    after: dict[UsageCounterKey, UsageCounter] = {}
    bookings: dict[UsageCounterKey, Count] = {}
    for key, count in sorted(scraped.items(), key=_wholes_first):
        before, reported = booked_before.get(key, NOTHING), booked.get(key, NOTHING)
        whole, counter = key.whole, usage_counters.get(key)
        if counter is None and key.gateway not in known_gateways:
            after[key] = adopt(booked_before=before, scraped=count)
        elif whole is key:
            after[key], bookings[key] = observe(counter or NEW, booked_before=before, scraped=count, booked=reported)
        else:
            grown = after[whole].due - usage_counters.get(whole, NEW).due if whole in after else NOTHING
            left = bookings.get(whole, NOTHING)
            after[key], part = observe_moved(
                counter, booked_before=before, scraped=count, booked=reported, grown=grown, found=left
            )
            bookings |= {key: part, whole: left - part}
    return Reading(usage_counters=after, bookings={key: found for key, found in bookings.items() if found})


def _wholes_first(scraped: tuple[UsageCounterKey, Count]) -> tuple[bool, UsageCounterKey]:
    key, _ = scraped
    return key.whole is not key, key


def share_captured(usage_counters: Mapping[UsageCounterKey, UsageCounter]) -> float:
    """Return which share of the tokens that gateways counted was booked by reports; 1 while nobody counted any."""
    due = missed = 0
    for key, counter in usage_counters.items():
        if key.whole is key:
            due += counter.due.tokens
            missed += counter.reconciled.tokens
    return 1 - missed / due if due else 1
