"""What a route asks of its rollout: the wanted primary, the steps there, and what each is judged by."""

from dataclasses import dataclass

WHOLE = 10_000
"""All traffic, in basis points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: a share of the requests is copied to the candidate, or answered by it. One of the two shares is 0."""

    traffic: int = 0
    """Basis points of the requests that the candidate answers."""
    shadow: int = 0
    """Basis points of the requests that are copied to it; its answers reach nobody."""
    hold_ms: int | None = None
    """How long it lasts before it may be promoted; None: until promoted by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question to somebody who measures elsewhere; one of the two bounds is None."""

    name: str
    expression: str
    """With its placeholders."""
    at_most: float | None = None
    at_least: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who answers queries."""

    url: str
    timeout_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a step is judged by. A bound that is None is not judged."""

    error_rate: float | None = None
    """Largest share of failed attempts at the candidate, 0 to 1."""
    first_byte_p95_increase: float | None = None
    """How much later than the stable target's the 95th percentile of the candidate's first byte may be: 0.25 = 25 %."""
    cost_increase: float | None = None
    """How much dearer than the stable target's the candidate's mean request may be."""
    tokens_increase: float | None = None
    """How many more tokens than the stable target's the candidate's mean request may have."""
    worse_rate: float | None = None
    """By how much the candidate's share of attempts without a whole answer may be above the stable target's, 0 to 1."""
    finish_reason_shift: float | None = None
    """By how much the share of answers that end for one reason may differ between both sides, 0 to 1."""
    queries: tuple[Query, ...] = ()
    interval_ms: int = 30_000
    """Between two verdicts."""
    min_requests: int = 100
    """Attempts at the candidate in this step that a Successful verdict needs."""
    failure_limit: int = 0
    """Failed verdicts in a row that a step survives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked now. A target here is `provider/model`."""

    primary: str
    steps: tuple[Step, ...] = ()
    """Empty: a change of `primary` acts at once."""
    bounds: Bounds = Bounds()
    source: Source | None = None
    """Who answers the queries of `bounds`; None: nobody does."""
    reachable: bool = True
    """Whether `primary` can be served: a rollout of one that cannot ends, or does not begin."""
    stable_reachable: bool = True
    """Whether the stable target can be served still: while it cannot, a rollout that is under way stays where it is."""
