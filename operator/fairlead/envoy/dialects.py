"""Ladders of one dialect: what requests meet that not every rung of their plan can answer.

Requests to `/v1/messages` meet all rungs. Those to OpenAI's own paths meet the rungs that speak OpenAI's API, those to
`/v1/chat/completions` also the ones that want them in other words, those to `/v1/messages/count_tokens` the ones that
speak Anthropic's. Where a plan has others, each has a ladder without them: a rung that cannot serve is never asked, so
it costs no attempt and counts towards no ejection.
"""

from collections.abc import Iterator

from fairlead.envoy import names
from fairlead.ir import Arm, Gateway, Need, Plan, Route, Side


def ladders(gateway: Gateway) -> Iterator[tuple[Route, str, tuple[str, ...], str]]:
    """Yield the route, the cluster's name, the targets and the last resort of each ladder of one dialect."""
    targets, declared = gateway.targets_by_name, gateway.ladders_by_name
    for route, plan in ((one, plan) for one in gateway.routes for plan in one.plans):
        for dialect in (one for one in plan.dialects if one.apart):
            for arm in plan.arms:
                rungs = tuple(rung for rung in declared[arm.ladder].rungs if dialect.need.met_by(targets[rung]))
                yield route, cluster(arm, plan, dialect.need, gateway), rungs, dialect.last_resort


def cluster(arm: Arm, plan: Plan, need: Need | None, gateway: Gateway) -> str:
    """Name the cluster that requests take on an arm which need so much of a rung."""
    dialect = None if need is None else plan.apart(need)
    if dialect is None:
        return names.ladder_cluster(arm.ladder)
    if arm.side is Side.STABLE:
        return names.dialect_cluster(arm.ladder, dialect.need)
    first = gateway.targets_by_name[gateway.ladders_by_name[arm.ladder].rungs[0]]
    return names.dialect_cluster(arm.ladder, dialect.need, counted=dialect.need.met_by(first))
