"""How a change of a route's primary takes its traffic: steps, holds, the analysis that judges them."""

import re
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from fairlead.api import quantity
from fairlead.api.form import Items, ListType, LongDuration, Name, Number, Percent, PositiveShare, Share, Text
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


_PLACEHOLDERS = ("route", "stable", "stableModel", "candidate", "candidateModel")
_KNOWN = re.compile(r"\{\{(" + "|".join(_PLACEHOLDERS) + r")\}\}")

Threshold = Annotated[
    str,
    Text(
        pattern=r"^-?[0-9]{1,12}([.][0-9]{1,9})?$",
        want='a number in quotes, such as `"0.95"`',
        max_length=24,
    ),
]
Expression = Annotated[
    str,
    Text(
        pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]+$",
        want="a query in PromQL",
        max_length=2048,
        rules=(
            Rule(
                holds=lambda value: "{{" not in _KNOWN.sub("", value),
                cel=None,
                message="got a placeholder that there is not, want "
                + ", ".join(f"`{{{{{p}}}}}`" for p in _PLACEHOLDERS),
            ),
        ),
    ),
]


class PrometheusQuery(Part):
    """What a Prometheus says of the candidate: one number, and its bound."""

    name: Name
    """What verdicts call it."""
    query: Expression
    """PromQL whose answer is one number. `{{candidate}}` and `{{stable}}` are `provider/model`, `{{candidateModel}}`
    and `{{stableModel}}` the model alone, `{{route}}` is `namespace/name`; write them inside double quotes."""
    at_most: Threshold | None = None
    """The bound above. A larger number is a broken bound. Either this or `atLeast`."""
    at_least: Threshold | None = None
    """The bound below. A smaller number is a broken bound. Either this or `atMost`."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: ("atMost" in value) != ("atLeast" in value),
            cel="has(self.atMost) != has(self.atLeast)",
            message="got both or none of `atMost` and `atLeast`, want one of them, write one bound",
            reads=("atMost", "atLeast"),
        ),
    )


class Analysis(Part):
    """What a step is judged by, on the gateways' own metrics: the new target against the stable one."""

    max_error_rate: Share | None = None
    """The largest share of failed requests at the new target. Absent: `maxWorseRate` judges them."""
    max_first_byte_p95_increase: Percent | None = None
    """How much longer than the stable target's its 95th percentile of the time to the first byte may be. Absent: not
    judged."""
    max_cost_increase: Percent | None = None
    """How much dearer than the stable target's its mean request may be. Absent: not judged."""
    max_tokens_increase: Percent | None = None
    """How many more tokens, in and out, than the stable target's its mean request may have. Absent: not judged."""
    max_worse_rate: Share | None = None
    """By how many points its share of requests without a whole answer may be above the stable target's in the same
    minutes: those that fail, are cut, or end without saying why. Absent: not judged beside a `maxErrorRate`, else `1%`,
    so that a target that fails more than the stable one is never promoted for want of a bound."""
    max_finish_reason_shift: Share | None = None
    """By how many points the share of answers that end for any one reason (`stop`, `length`, `tool_calls`,
    `content_filter`, another) may differ from the stable target's. Absent: not judged."""
    prometheus: Annotated[tuple[PrometheusQuery, ...], Items(max_items=8, list_type=ListType.MAP, keys=("name",))] = ()
    """Queries to the installation's Prometheus, beside what gateways count. What they say is taken as it is: choose
    their windows, and `failureLimit`, so that chance breaks no bound."""
    min_requests: Annotated[int, Number(minimum=1)] = 100
    """Requests that a verdict needs; with fewer the step is inconclusive and the rollout pauses."""
    interval: LongDuration = "30s"
    """Between two verdicts."""
    failure_limit: Annotated[int, Number(minimum=0, maximum=100)] = 0
    """Failed verdicts in a row that a step survives; one more rolls back. A verdict fails only where a bound is shown
    to be broken, so that looking often is no reason for more than 0."""


def _late_shadows(rollout: Any) -> tuple[str, ...]:
    steps = rollout["steps"]
    return tuple(
        f"steps[{index}].shadow"
        for index, step in enumerate(steps)
        if "shadow" in step and any("traffic" in before for before in steps[:index])
    )


def _stalled_traffic(rollout: Any) -> tuple[str, ...]:
    shares = [
        (i, quantity.basis_points(step["traffic"])) for i, step in enumerate(rollout["steps"]) if "traffic" in step
    ]
    return tuple(f"steps[{index}].traffic" for (_, before), (index, share) in pairwise(shares) if share <= before)


# Written so that the API server's cost estimate holds: `filter` and `replace` would lose the bounds of list and string.
_SHADOW_FIRST = "self.steps.map(s, has(s.traffic) ? 1 : 0).isSorted()"
_TRAFFIC_SORTED = (
    "self.steps.map(s, has(s.traffic) ? double(s.traffic.substring(0, s.traffic.size() - 1)) : 0.0).isSorted()"
)
_TRAFFIC_DISTINCT = (
    "self.steps.all(s, !has(s.traffic) || self.steps.exists_one(t, has(t.traffic)"
    " && double(t.traffic.substring(0, t.traffic.size() - 1)) == double(s.traffic.substring(0, s.traffic.size() - 1))))"
)


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
            places=_late_shadows,
            cel=_SHADOW_FIRST,
            message="got a shadow step after a traffic step, want shadow steps first, move it up",
            reads=("steps",),
            field="steps",
        ),
        Rule(
            holds=lambda value: bool(_late_shadows(value)) or not _stalled_traffic(value),
            places=_stalled_traffic,
            cel=f"!({_SHADOW_FIRST}) || ({_TRAFFIC_SORTED} && {_TRAFFIC_DISTINCT})",
            message="got traffic that does not grow, want more than in the step before, raise it or remove the step",
            reads=("steps",),
            field="steps",
        ),
    )
