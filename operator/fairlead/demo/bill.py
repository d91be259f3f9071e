"""What traffic costs: prices from the resources, tokens from the gateways' own log lines. Money in nano-dollars."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.api.quantity import nanodollars
from fairlead.demo.speed import percentile

MILLION = 1_000_000
NANO = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Nano-dollars per million tokens."""

    input: int
    cached: int
    output: int

    def of(self, usage: "Tokens") -> int:
        """Price some tokens; the cached ones are part of the prompt. Rounded down to a nano-dollar."""
        fresh = usage.prompt - usage.cached
        return (fresh * self.input + usage.cached * self.cached + usage.completion * self.output) // MILLION


@dataclass(slots=True, kw_only=True)
class Tokens:
    """A sum over requests."""

    requests: int = 0
    prompt: int = 0
    cached: int = 0
    completion: int = 0

    def add(self, other: "Tokens") -> None:
        """Add another sum."""
        self.requests += other.requests
        self.prompt += other.prompt
        self.cached += other.cached
        self.completion += other.completion


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Line:
    """What a row of the bill stands for."""

    region: str
    """Of the endpoint that answered."""
    provider: str
    model: str


@dataclass(slots=True, kw_only=True)
class Bill:
    """Tokens by region and model, and how long answers took."""

    lines: dict[Line, Tokens] = field(default_factory=dict)
    took_ms: dict[Line, Counter[float]] = field(default_factory=dict)
    """How many requests of a line had their whole answer after how long, as the gateway saw it."""

    def add(self, other: "Bill") -> None:
        """Add what another gateway logged."""
        for line, tokens in other.lines.items():
            self.lines.setdefault(line, Tokens()).add(tokens)
            self.took_ms.setdefault(line, Counter()).update(other.took_ms[line])

    def total(self) -> Tokens:
        """Sum over all lines."""
        everything = Tokens()
        for tokens in self.lines.values():
            everything.add(tokens)
        return everything

    def cost(self, prices: Mapping[tuple[str, str], Price]) -> int:
        """Price every line by its provider and model."""
        return sum(prices[line.provider, line.model].of(tokens) for line, tokens in self.lines.items())


def prices(documents: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Price]:
    """Read the prices of all models from the resources, by provider and model."""
    return {
        (document["metadata"]["name"], model["name"]): _price(model["usdPerMillionTokens"])
        for document in documents
        if document["kind"] == "ModelProvider"
        for model in document["spec"]["models"]
    }


def _price(usd: Mapping[str, str]) -> Price:
    fresh = nanodollars(usd["input"])
    cached = nanodollars(usd["cachedInput"]) if "cachedInput" in usd else fresh
    return Price(input=fresh, cached=cached, output=nanodollars(usd.get("output", "0")))


def read_log(lines: Iterable[str], routes: frozenset[str]) -> Bill:
    """Sum up the log lines of a gateway's answered requests on some routes (`namespace/name`)."""
    bill = Bill()
    for text in lines:
        entry = json.loads(text)
        if entry.get("kind") != "request" or entry.get("route") not in routes or entry.get("status") != 200:  # noqa: PLR2004 - HTTP
            continue
        provider, _, rest = entry["target"].partition("/")
        line = Line(region=entry["region"], provider=provider, model=rest.partition("/")[2])
        tokens = Tokens(
            requests=1,
            prompt=_count(entry, "prompt_tokens"),
            cached=_count(entry, "cached_tokens"),
            completion=_count(entry, "completion_tokens"),
        )
        bill.lines.setdefault(line, Tokens()).add(tokens)
        bill.took_ms.setdefault(line, Counter())[float(entry["latency_ms"])] += 1
    return bill


def _count(entry: Mapping[str, Any], name: str) -> int:
    return int(entry.get(name) or 0)


def dollars(nano: int) -> str:
    """Write an amount: `$1.2345`."""
    return f"${nano / NANO:,.4f}"


def exact(nano: int) -> str:
    """Write an amount with all digits that there are, at least cents: `$0.99225`."""
    whole, rest = divmod(nano, NANO)
    return f"${whole:,}.{f'{rest:09d}'.rstrip('0').ljust(2, '0')}"


def table(bill: Bill, prices: Mapping[tuple[str, str], Price], premium: Price) -> tuple[str, ...]:
    """Write the bill as lines of text, with what the same tokens cost at the premium model's price.

    Times are until the whole answer is there.
    """
    head = f"{'region':<16}{'model':<12}{'requests':>9}{'prompt':>12}{'cached':>11}{'answer':>10}"
    head += f"{'median':>10}{'99th pct.':>10}{'dollars':>12}{'premium':>12}"
    rows = [head]
    for line in sorted(bill.lines):
        tokens = bill.lines[line]
        cost = prices[line.provider, line.model].of(tokens)
        place = f"{line.region:<16}{line.model:<12}"
        rows.append(_row(place, tokens, bill.took_ms[line], cost, premium.of(tokens)))
    total, took = bill.total(), sum(bill.took_ms.values(), Counter[float]())
    rows.append(_row(f"{'total':<28}", total, took, bill.cost(prices), premium.of(total)))
    return tuple(rows)


def _row(place: str, tokens: Tokens, took_ms: Counter[float], cost: int, premium: int) -> str:
    counts = f"{tokens.requests:>9,}{tokens.prompt:>12,}{tokens.cached:>11,}{tokens.completion:>10,}"
    times = "".join(f"{f'{percentile(took_ms, share):,.0f} ms':>10}" for share in (0.5, 0.99))
    return f"{place}{counts}{times}{dollars(cost):>12}{dollars(premium):>12}"
