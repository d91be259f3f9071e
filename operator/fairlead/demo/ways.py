"""The bill of one production hour, several ways: each request goes as its route says, at what its tokens cost there.

Nothing is sent. Who answers is what the gateways' rules and ladders say of a body of the trace's size; dollars are what
the budget server books for the tokens. A trace has sizes and no words: what depends on words is assumed, and said.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from fairlead import ir
from fairlead.budget.configuration import BudgetConfiguration, decode
from fairlead.budget.price import Tokens, cost
from fairlead.demo import ledger
from fairlead.demo.bill import dollars
from fairlead.demo.replay import body
from fairlead.demo.trace import Arrival
from fairlead.matching.explanation import explain

FOLDER = "hour"
"""Beside the demo's resources: the routes of the ways."""
REGION = "us-east-1"
_PATH = "/v1/chat/completions"
_SIZES = 16_384
"""Prompts whose way is remembered: bodies of one size differ in nothing that rules ask for."""
_LABEL, _COLUMN = 30, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A column of the bill."""

    title: str
    route: str
    """The route that is asked, `namespace/name`."""


@dataclass(slots=True, kw_only=True)
class Column:
    """What came of a way."""

    title: str
    nano_usd: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    """By `provider/model`."""


WAYS = (Way(title="plain", route=f"{ledger.NAMESPACE}/plain"), Way(title="rules", route=f"{ledger.NAMESPACE}/ruled"))


class Hour:
    """The demo's resources with the ways' own routes, compiled."""

    def __init__(self, folder: Path) -> None:
        made = ledger.compiled(folder, folder / FOLDER)
        self.configuration: BudgetConfiguration = decode(made.configuration)
        self._gateways: Mapping[str, ir.Gateway] = {REGION: made.gateways[REGION].ir}
        self.answered = lru_cache(maxsize=_SIZES)(self._answered)

    def _answered(self, route: str, prompt_tokens: int) -> tuple[str, str]:
        """Return the route that answers a prompt of this size, and the target."""
        asked = body(route.rpartition("/")[2], prompt_tokens)
        (found,) = explain(self._gateways, self.configuration, route, asked, _PATH)
        return found.route, found.ladders[0].rungs[0].target

    def column(self, way: Way, trace: Iterable[Arrival]) -> Column:
        """Let a trace go one way."""
        column = Column(title=way.title)
        for arrival in trace:
            _, target = self.answered(way.route, arrival.prompt_tokens)
            provider, _, rest = target.partition("/")
            column.answers[f"{provider}/{rest.partition('/')[2]}"] += 1
            used = Tokens(input=arrival.prompt_tokens, output=arrival.completion_tokens)
            column.nano_usd += cost(self.configuration.targets[target].price, used)
        return column


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
        *((f"answered by {model}", [_share(column, model) for column in found]) for model in models),
    ]
    return (
        f"The bill of {first.answers.total():,} requests, by the way that they go:",
        *(f"  {label:<{_LABEL}}" + "".join(f"{cell:>{_COLUMN}}" for cell in cells) for label, cells in rows),
        "  Latency is not told: nothing was sent. What each way adds to a request is measured in docs/benchmarks.md.",
    )


def _share(column: Column, model: str) -> str:
    return _percent(column.answers[model], column.answers.total()) if column.answers[model] else "-"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
