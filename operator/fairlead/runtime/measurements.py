"""What a Prometheus says of rollouts' candidates: each plan's queries, with the names of the sides in them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fairlead.adapters.prometheus import Measuring
from fairlead.errors import AnswerError
from fairlead.rollout.plan import Plan, Query
from fairlead.rollout.state import State
from fairlead.runtime.parallel import each

AT_ONCE = 4
_PLACEHOLDER = re.compile(r"\{\{([A-Za-z]+)\}\}")
NOBODY = "the installation names no `prometheus`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the queries of one plan were answered."""

    values: Mapping[str, float | None] = field(default_factory=dict)
    problem: str = ""
    """Why one has no answer; empty where all have."""


async def measured(measuring: Measuring, plan: Plan, route: str, state: State) -> Measured:
    """Ask everything that a plan asks, each query for so long as its source may take."""
    queries, source = plan.bounds.queries, plan.source
    if not queries or state.candidate is None:
        return Measured()
    if source is None:
        return Measured(problem=NOBODY)
    problems: list[str] = []
    names = placeholders(route, state)

    async def one(query: Query) -> tuple[str, float | None] | None:
        try:
            written = expression(query.expression, names)
            return query.name, await measuring.value(source.url, written, timeout_s=source.timeout_ms / 1000)
        except AnswerError as error:
            problems.append(f"`{query.name}`: {error}")
            return None

    found = await each(queries, one, at_once=AT_ONCE)
    return Measured(values=dict(one for one in found if one is not None), problem=min(problems, default=""))


def placeholders(route: str, state: State) -> Mapping[str, str]:
    """Return what stands for each placeholder of a query."""
    candidate = state.candidate or ""
    return {
        "route": route,
        "stable": state.stable,
        "stableModel": state.stable.partition("/")[2],
        "candidate": candidate,
        "candidateModel": candidate.partition("/")[2],
    }


def expression(written: str, names: Mapping[str, str]) -> str:
    """Put names into a query, as they are written inside double quotes of PromQL."""

    def name(found: re.Match[str]) -> str:
        value = names.get(found[1], found[0])
        return value.replace("\\", "\\\\").replace('"', '\\"')

    return _PLACEHOLDER.sub(name, written)
