"""How a change of a route's primary takes its traffic: steps, holds, the analysis that judges them."""

from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from fairlead.api import quantity
from fairlead.api.form import Items, LongDuration, Number, Percent, PositiveShare, Share
from fairlead.api.resource import Part
from fairlead.api.rule import Rule


class RolloutStickiness(StrEnum):
    """What keeps a request on its side while a rollout runs."""

    CONSUMER = "Consumer"
    REQUEST = "Request"


class RolloutStep(Part):
    """One step: copies to the new target, or requests themselves."""

    shadow: PositiveShare | None = None
    """The share of requests that is copied to the new target; its answers go to no client. Either this or `traffic`."""
    traffic: PositiveShare | None = None
    """The share of requests that the new target answers; more than in the step before. Either this or `shadow`."""
    hold: LongDuration | None = None
    """How long the step lasts before it is judged for promotion. Absent: until promoted by hand."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: not ("shadow" in value and "traffic" in value),
            cel="!(has(self.shadow) && has(self.traffic))",
            message="got both `shadow` and `traffic`, want one of them, write two steps",
            reads=("shadow", "traffic"),
        ),
        Rule(
            holds=lambda value: "shadow" in value or "traffic" in value,
            cel="has(self.shadow) || has(self.traffic)",
            message="got neither `shadow` nor `traffic`, want one of them, add it",
            reads=("shadow", "traffic"),
        ),
    )


class Analysis(Part):
    """What a step is judged by, on the gateways' own metrics: the new target against the stable one."""

    max_error_rate: Share | None = None
    """The largest share of failed requests at the new target. Absent: errors are not judged."""
    max_first_byte_p95_increase: Percent | None = None
    """How much longer than the stable target's its 95th percentile of the time to the first byte may be. Absent: not
    judged."""
    max_cost_increase: Percent | None = None
    """How much dearer than the stable target's its mean request may be. Absent: not judged."""
    min_requests: Annotated[int, Number(minimum=1)] = 100
    """Requests that a verdict needs; with fewer the step is inconclusive and the rollout pauses."""
    failure_limit: Annotated[int, Number(minimum=0, maximum=100)] = 2
    """Failed verdicts that a step may have; one more rolls back."""


def _shadow_comes_first(steps: Any) -> bool:
    kinds = ["traffic" in step for step in steps]
    return kinds == sorted(kinds)


def _traffic_grows(steps: Any) -> bool:
    shares = [quantity.basis_points(step["traffic"]) for step in steps if "traffic" in step]
    return all(before < after for before, after in pairwise(shares))


class Rollout(Part):
    """The steps by which a new primary takes over from the last promoted one."""

    stickiness: RolloutStickiness = RolloutStickiness.CONSUMER
    """`Consumer`: a caller stays on its side. `Request`: each request is drawn anew."""
    steps: Annotated[tuple[RolloutStep, ...], Items(max_items=16, min_items=1)]
    """Shadow steps first, then traffic steps that grow; after the last one the new primary has all traffic."""
    analysis: Analysis = Analysis()
    """What each step is judged by."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: _shadow_comes_first(value["steps"]),
            cel="self.steps.map(s, has(s.traffic) ? 1 : 0).isSorted()",
            message="got a shadow step after a traffic step, want shadow steps first, move it up",
            reads=("steps",),
            field="steps",
        ),
        Rule(
            holds=lambda value: _traffic_grows(value["steps"]),
            cel="self.steps.filter(s, has(s.traffic)).map(s, double(s.traffic.substring(0, s.traffic.size() - 1)))"
            ".isSorted() && self.steps.filter(s, has(s.traffic)).all(s, self.steps.filter(t, has(t.traffic))"
            ".exists_one(t, double(s.traffic.substring(0, s.traffic.size() - 1))"
            " == double(t.traffic.substring(0, t.traffic.size() - 1))))",
            message="got traffic that does not grow, want more than in the step before, raise it or remove the step",
            reads=("steps",),
            field="steps",
        ),
    )
