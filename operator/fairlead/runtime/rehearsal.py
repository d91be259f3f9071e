"""What gateways counted of clients' requests, and what a drill makes of it."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fairlead.adapters.exposition import Sample, samples
from fairlead.adapters.gateway_metrics import GatewayMetrics
from fairlead.budget.price import FREE, NO_TOKENS, Price, Tokens, cost_of_sum, decimal
from fairlead.budget.unit import Unit
from fairlead.errors import EnvoyError
from fairlead.health.rehearsal import SETTLE_S, Bounds, Outcome, Span, Watched, is_error, notes
from fairlead.ir import word

_ONLY = (
    r"^fairlead\.(requests|first_byte_ms|prompt_tokens|completion_tokens|cached_tokens|units|unit_answers)"
    r"|^cluster\..*\.upstream_rq_active$"
)
_REQUESTS, _FIRST_BYTES = "envoy_fairlead_requests", "envoy_fairlead_first_byte_ms_bucket"
_TOKENS = {f"envoy_fairlead_{name}_tokens": name for name in ("prompt", "completion", "cached")}
_MADE, _MADE_ANSWERS = "envoy_fairlead_units", "envoy_fairlead_unit_answers"
_UNITS = {unit.name.lower(): unit for unit in Unit}
"""By the label of a series."""
_ACTIVE = "envoy_cluster_upstream_rq_active"
_NAMES = frozenset({_REQUESTS, _FIRST_BYTES, _ACTIVE, _MADE, _MADE_ANSWERS, *_TOKENS})
_WELL = 2
"""Hundreds of a status that says so."""
Series = tuple[str, str, tuple[tuple[str, str], ...]]
"""Gateway, name and labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """All series of one moment."""

    at_s: float
    series: Mapping[Series, int] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()
    """Gateways that did not answer."""


async def read(metrics: GatewayMetrics, gateways: Iterable[str]) -> Counted:
    """Read gateways' metrics, `host:port` each; one that does not answer is named."""
    found: dict[Series, int] = {}
    unread = set()
    for gateway in gateways:
        try:
            text = await metrics.read(gateway, only=_ONLY)
        except EnvoyError:
            unread.add(gateway)
            continue
        found |= {
            (gateway, sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for sample in samples(text, _NAMES)
        }
    return Counted(at_s=asyncio.get_running_loop().time(), series=found, unread=frozenset(unread))


def between(before: Counted, now: Counted, prices: Mapping[str, Price]) -> Span:
    """Return what clients met from one moment to another; gateways that were not read at both count for nothing.

    A series that shrank was dropped in between and began anew.
    """
    left_out = before.unread | now.unread
    grown = [
        Sample(name=name, labels=dict(labels), value=value - (then if then <= value else 0))
        for (gateway, name, labels), value in now.series.items()
        for then in (before.series.get((gateway, name, labels), 0),)
        if gateway not in left_out
    ]
    requests = [one for one in grown if one.name == _REQUESTS and one.value]
    served: dict[str, int] = {}
    for one in requests:
        endpoint = "/".join(one.labels.get("target", "-").split("/")[:2])
        if "/" in endpoint:
            served[endpoint] = served.get(endpoint, 0) + one.value
    return Span(
        seconds=now.at_s - before.at_s,
        requests=sum(one.value for one in requests),
        errors=sum(one.value for one in requests if is_error(_status(one), one.labels.get("target", ""))),
        first_bytes=_buckets(grown),
        nanodollars=_spent(grown, prices),
        uncounted=_uncounted(grown, prices),
        served=dict(sorted(served.items())),
    )


def spent_by_consumer(now: Counted, prices: Mapping[str, Price]) -> dict[str, int]:
    """Return nano-dollars by consumer since the gateways began to count, at the prices of now."""
    counted: dict[str, list[Sample]] = {}
    for (_, name, labels), value in now.series.items():
        if name in _TOKENS or name == _MADE:
            found = dict(labels)
            counted.setdefault(word.decode(found.get("consumer", "")), []).append(
                Sample(name=name, labels=found, value=value)
            )
    return {consumer: _spent(found, prices) for consumer, found in counted.items() if consumer not in {"", "-"}}


def _target(sample: Sample) -> str:
    """Return the name that people know, by which prices are found."""
    return word.decode(sample.labels.get("target", ""))


def _status(sample: Sample) -> int:
    code = sample.labels.get("code", "")
    return int(code) if code.isdecimal() else 0


def _buckets(grown: Iterable[Sample]) -> dict[int, int]:
    """Sum up cumulative histograms; each bucket then counts for itself, and those above all bounds at the last."""
    upto: dict[int, int] = {}
    total = 0
    for one in grown:
        written = one.labels.get("le", "")
        if one.name == _FIRST_BYTES and written.isdecimal():
            upto[int(written)] = upto.get(int(written), 0) + one.value
        elif one.name == _FIRST_BYTES and written == "+Inf":
            total += one.value
    found: dict[int, int] = {}
    below = 0
    for bound, count in sorted(upto.items()):
        if count > below:
            found[bound] = count - below
            below = count
    if upto and total > below:
        last = max(upto)
        found[last] = found.get(last, 0) + total - below
    return found


def _spent(grown: Iterable[Sample], prices: Mapping[str, Price]) -> int:
    tokens: dict[str, dict[str, int]] = {}
    for one in grown:
        if one.name in _TOKENS:
            counts = tokens.setdefault(_target(one), {})
            counts[_TOKENS[one.name]] = counts.get(_TOKENS[one.name], 0) + one.value
    return sum(
        cost_of_sum(
            prices.get(target, FREE),
            Tokens(input=counts.get("prompt", 0), output=counts.get("completion", 0), cached=counts.get("cached", 0)),
        )
        for target, counts in tokens.items()
    ) + sum(
        cost_of_sum(prices.get(target, FREE), NO_TOKENS, unit, count) for (target, unit), count in _made(grown).items()
    )


def _made(grown: Iterable[Sample]) -> dict[tuple[str, Unit], int]:
    """Sum up what targets made by other units than tokens."""
    made: dict[tuple[str, Unit], int] = {}
    for one in grown:
        unit = _UNITS.get(one.labels.get("unit", ""))
        if one.name == _MADE and unit is not None:
            key = (_target(one), unit)
            made[key] = made.get(key, 0) + one.value
    return made


def _uncounted(grown: Iterable[Sample], prices: Mapping[str, Price]) -> int:
    """Count the answers of targets that are billed by other units than tokens, too, and of which nobody counted any."""
    left: dict[str, int] = {}
    for one in grown:
        target = _target(one)
        if prices.get(target, FREE).by_units:
            if one.name == _REQUESTS and _status(one) // 100 == _WELL:
                left[target] = left.get(target, 0) + one.value
            elif one.name == _MADE_ANSWERS:
                left[target] = left.get(target, 0) - one.value
    return sum(max(0, count) for count in left.values())


@dataclass(slots=True, kw_only=True)
class Drill:
    """The readings of one drill, as they come."""

    first: Counted
    clusters: Mapping[str, str] = field(default_factory=dict)
    """Of the region's endpoints: by the name of an Envoy's cluster, `provider/endpoint`."""
    start: Counted | None = None
    """When the drain began."""
    settled: Counted | None = None
    end: Counted | None = None
    """When the drain ended."""
    seen: Watched = field(default_factory=Watched)

    def drains(self, start: Counted, prices: Mapping[str, Price], drained: Collection[str]) -> None:
        """Note that the drain begins now."""
        self.start = start
        self.seen = Watched(before=between(self.first, start, prices), drained=frozenset(drained))

    def look(self, now: Counted, prices: Mapping[str, Price], *, drained_s: float) -> Watched:
        """Return what was seen up to now; `drains` was called before."""
        if self.start is None:
            return self.seen
        if self.settled is None and drained_s >= SETTLE_S:
            self.settled = now
        since = self.settled or now
        self.seen = Watched(
            before=self.seen.before,
            during=between(self.start, now, prices),
            settled=between(since, now, prices),
            in_flight=sum(
                value
                for (_, name, labels), value in since.series.items()
                if name == _ACTIVE and dict(labels).get("envoy_cluster_name") in self.clusters
            ),
            drained=self.seen.drained,
            drained_s=drained_s,
        )
        return self.seen

    def look_after(self, now: Counted, prices: Mapping[str, Price], *, is_back: bool) -> Watched:
        """Return what was seen up to now of the way back; the first call is for the end of the drain.

        `is_back`: the region's endpoints have their share again, or what they had of it before.
        """
        self.end = self.end or now
        after = between(self.end, now, prices)
        self.seen = replace(self.seen, after=after, back_s=after.seconds if is_back else None)
        return self.seen


def report(
    region: str,
    *,
    began: str,
    ended: str,
    bounds: Bounds,
    outcome: Outcome,
    reason: str = "",
    seen: Watched | None = None,
    remarks: Collection[str] = (),
) -> dict[str, Any]:
    """Write down a drill; of JSON's types only. `reason` is why it did not hold, `remarks` what was said before it."""
    found = Watched() if seen is None else seen
    return {
        "region": region,
        "began": began,
        "ended": ended,
        "outcome": outcome.value,
        "reason": reason,
        "notes": [*remarks, *(() if outcome is Outcome.REFUSED else notes(found))],
        "bounds": {
            "maxErrorRate": f"{bounds.error_rate_bp / 100:g}%",
            "maxFirstByteP95Increase": f"{bounds.first_byte_increase_bp / 100:g}%",
        },
        "before": _span(found.before),
        "drained": {**_span(found.during), "servedByTheRegion": found.stranded},
        "after": None
        if found.after is None
        else {
            **_span(found.after),
            "backAfterSeconds": None if found.back_s is None else round(found.back_s, 1),
        },
    }


def _span(span: Span) -> dict[str, Any]:
    return {
        "seconds": round(span.seconds, 1),
        "requests": span.requests,
        "errors": span.errors,
        "errorRate": f"{span.error_rate_bp / 100:g}%",
        "firstByteP95Ms": span.first_byte_p95_ms,
        "usdPerMinute": decimal(round(span.per_minute(span.nanodollars))),
        "servedBy": dict(span.served),
    }
