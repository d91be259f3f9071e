"""What a route's shadow may spend, and on which counters it spends: the route's own, and nobody's budget.

A copy of a request draws on two counters. One is of its route, target and month (UTC): what is shown. The other, where
the shadow has a limit, is of its route and the limit's window: what stops the copies.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fairlead.budget.policy import UNBUDGETED_WINDOW
from fairlead.budget.window import Span, Window, span

SHADOW = "shadow"
"""The policy's place in the counters of shadows, and the payer's before the route. Real names contain a slash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowLimit:
    """How much a route's copies may cost together in a window."""

    limit: int
    """Nano-dollars; 0 stops them."""
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowTerms:
    """The shadow of a route."""

    targets: tuple[str, ...]
    """Where copies go; regions may have one each."""
    limit: ShadowLimit | None = None
    """None: copies are counted, and not bounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowCounter:
    """A counter of shadows, with its window."""

    name: str
    window: Span
    cap: int | None
    """Nano-dollars that spent and reserved may reach together; None: no cap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowAccount:
    """What the copies of one route cost at one target in the window that runs."""

    route: str
    """`namespace/name`."""
    target: str
    spent: int
    """Nano-dollars."""
    since_ms: int


def lines(shadows: Sequence[Mapping[str, str]]) -> list[str]:
    """Write for a person what `fairlead budgets` says of shadows; nothing where no route has one."""
    written = [
        f"  {one['route']:<40} {'$' + one['spentUSD']:>14} spent at {one['target']}, since {one['since']}"
        for one in shadows
    ]
    return ["shadows, in nobody's budget:", *written] if shadows else []


def payer(route: str) -> str:
    """Name who pays for a route's copies; no consumer has such a name."""
    return f"{SHADOW}|{route}"


def shown(route: str, target: str, now_ms: int) -> ShadowCounter:
    """Return the counter of what a route's copies cost at a target this month."""
    window = span(UNBUDGETED_WINDOW, now_ms)
    return ShadowCounter(name=f"{SHADOW}|{route}|{target}|{window.start_ms}", window=window, cap=None)


def drawn_on(route: str, target: str, terms: ShadowTerms | None, now_ms: int) -> Iterable[ShadowCounter]:
    """Return the counters that a copy draws on."""
    yield shown(route, target, now_ms)
    if terms is not None and terms.limit is not None:
        window = span(terms.limit.window, now_ms)
        yield ShadowCounter(name=f"{SHADOW}|{route}|*|{window.start_ms}", window=window, cap=terms.limit.limit)
