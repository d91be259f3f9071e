"""The bill of one production hour, several ways: each request goes as its route says, at what its tokens cost there.

Nothing is sent. Who answers is what the gateways' rules, ladders and cascades say of a body of the trace's size;
dollars are what the budget server books for the tokens. A trace has sizes and no words, so what depends on words has
bounds: none or all of the answers that a cascade judges are rejected; no request is one of before, or each that can be.
Latency is what the declared speeds of the models make of the answers' sizes, one call of a cascade after the other.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import inf
from pathlib import Path

from fairlead import ir
from fairlead.budget.configuration import BudgetConfiguration, decode
from fairlead.budget.price import Tokens, cost
from fairlead.demo import ledger
from fairlead.demo.bill import dollars
from fairlead.demo.replay import body
from fairlead.demo.speed import FILE, percentile, speeds
from fairlead.demo.trace import Arrival, Service
from fairlead.matching.explanation import explain

FOLDER = "hour"
"""Beside the demo's resources: the routes of the ways."""
REGION = "us-east-1"
_PATH = "/v1/chat/completions"
_SIZES = 16_384
"""Prompts whose way is remembered: bodies of one size differ in nothing that rules ask for."""
_LABEL, _COLUMN = 30, 16
CACHE = "the cache"
"""Who answers a request that is one of before."""
HIT_MS = 0.4
"""What a kept answer takes: a gateway's own time, as docs/benchmarks.md measures it (0.65 of a plain request's)."""
LATENCIES = {"whole answer, median": 0.5, "whole answer, 99th percentile": 0.99}
_SECOND_MS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A column of the bill."""

    title: str
    route: str
    """The route that is asked, `namespace/name`."""
    rejects: bool = False
    """Every answer that a cascade judges fails a check; else none does."""
    repeats: bool = False
    """Every request of a size that came within the cache's `ttl` is the one of then; else none is."""


@dataclass(slots=True, kw_only=True)
class Column:
    """What came of a way."""

    title: str
    nano_usd: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    """By `provider/model`."""
    took_ms: Counter[float] = field(default_factory=Counter)
    """How many requests had their whole answer after how long."""


WAYS = (
    Way(title="plain", route=f"{ledger.NAMESPACE}/plain"),
    Way(title="rules", route=f"{ledger.NAMESPACE}/ruled"),
    Way(title="cascade, best", route=f"{ledger.NAMESPACE}/cascaded"),
    Way(title="cascade, worst", route=f"{ledger.NAMESPACE}/cascaded", rejects=True),
    Way(title="cache, best", route=f"{ledger.NAMESPACE}/cached", repeats=True),
)
NOTES = (
    "A trace has no words to judge. cascade: none, or all, of the answers that it judges are rejected; streams pass.",
    "cache: every request as long as one within its ttl is that one again, which is the most that it can be; at worst",
    "it is plain. Latency is derived, since nothing was sent: until the whole answer is there, at the times to a first",
    f"token and the tokens per second that hour/{FILE} declares; calls of a cascade add up. A kept answer takes",
    f"{HIT_MS:g} ms, as measured: docs/benchmarks.md, which has what else a gateway adds.",
)


class Hour:
    """The demo's resources with the ways' own routes, compiled."""

    def __init__(self, folder: Path) -> None:
        made = ledger.compiled(folder, folder / FOLDER)
        self.configuration: BudgetConfiguration = decode(made.configuration)
        self._gateways: Mapping[str, ir.Gateway] = {REGION: made.gateways[REGION].ir}
        self._speeds = speeds(folder / FOLDER)
        self._asked = lru_cache(maxsize=_SIZES)(self._explained)

    def _explained(self, route: str, prompt_tokens: int, *, stream: bool) -> tuple[tuple[str, ...], bool]:
        """Return the first target of each model that such a prompt can meet, and whether the first one is judged."""
        asked = body(route.rpartition("/")[2], prompt_tokens, stream=stream)
        (found,) = explain(self._gateways, self.configuration, route, asked, _PATH)
        rungs = found.ladders[0].rungs
        return tuple({_model(rung.target): rung.target for rung in reversed(rungs)}.values())[::-1], rungs[0].judged

    def column(self, way: Way, trace: Iterable[Arrival]) -> Column:
        """Let a trace go one way."""
        column = Column(title=way.title)
        kept: dict[tuple[Service, int], float] = {}
        for arrival in trace:
            if way.repeats and self._is_kept(way.route, arrival, kept):
                column.answers[CACHE] += 1
                column.took_ms[HIT_MS] += 1
                continue
            stream = arrival.service is Service.CONVERSATION
            targets, judged = self._asked(way.route, arrival.prompt_tokens, stream=stream)
            paid = targets if judged and way.rejects else targets[:1]
            used = Tokens(input=arrival.prompt_tokens, output=arrival.completion_tokens)
            column.nano_usd += sum(cost(self.configuration.targets[target].price, used) for target in paid)
            column.answers[_model(paid[-1])] += 1
            column.took_ms[sum(self._whole_ms(target, arrival) for target in paid)] += 1
        return column

    def _whole_ms(self, target: str, arrival: Arrival) -> float:
        return self._speeds[_model(target).partition("/")[2]].whole_ms(arrival.completion_tokens)

    def _is_kept(self, route: str, arrival: Arrival, kept: dict[tuple[Service, int], float]) -> bool:
        """Tell whether an answer can be there still, and keep the one that is made where it cannot."""
        (cache,) = (one.cache for one in self._gateways[REGION].routes if one.name == route)
        size = arrival.service, arrival.prompt_tokens
        if cache is not None and arrival.at_s - kept.get(size, -inf) < cache.ttl_ms / 1000:
            return True
        kept[size] = arrival.at_s
        return False


def _model(target: str) -> str:
    """Return `provider/model` of a target."""
    provider, _, rest = target.partition("/")
    return f"{provider}/{rest.partition('/')[2]}"


def columns(folder: Path, trace: Sequence[Arrival]) -> tuple[Column, ...]:
    """Let a trace go every way."""
    hour = Hour(folder)
    return tuple(hour.column(way, trace) for way in WAYS)


def table(found: Sequence[Column]) -> tuple[str, ...]:
    """Write the bill side by side; the first column is what the others are compared with."""
    first = found[0]
    models = sorted({model for column in found for model in column.answers})
    rows = [
        ("", [column.title for column in found]),
        ("dollars", [dollars(column.nano_usd) for column in found]),
        (f"of {first.title}", [_percent(column.nano_usd, first.nano_usd) for column in found]),
        *(
            (label, [_time(percentile(column.took_ms, share)) for column in found])
            for label, share in LATENCIES.items()
        ),
        *((f"answered by {model}", [_share(column, model) for column in found]) for model in models),
    ]
    return (
        f"The bill of {first.answers.total():,} requests, by the way that they go:",
        *(f"  {label:<{_LABEL}}" + "".join(f"{cell:>{_COLUMN}}" for cell in cells) for label, cells in rows),
        *(f"  {note}" for note in NOTES),
    )


def _share(column: Column, model: str) -> str:
    return _percent(column.answers[model], column.answers.total()) if column.answers[model] else "-"


def _time(ms: float) -> str:
    return f"{ms / _SECOND_MS:.2f} s" if ms >= 1 else f"{ms:.1f} ms"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
