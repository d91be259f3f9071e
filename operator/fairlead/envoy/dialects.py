"""Ladders of one protocol: what requests meet that not every rung of their plan can answer.

Requests to `/v1/messages` meet all rungs. Those to OpenAI's own paths meet the rungs that speak OpenAI's API, those to
`/v1/messages/count_tokens` the ones that speak Anthropic's. Where a plan has both, each has a ladder without the
others: a rung that cannot serve is never asked, so it costs no attempt and counts towards no ejection.
"""

from collections.abc import Iterator, Mapping

from fairlead.envoy import names
from fairlead.ir import Arm, Gateway, Ladder, Plan, Protocol, Route, Side

NEEDS: Mapping[tuple[str, ...], Protocol | None] = {
    ("chat/completions", "completions", "responses"): Protocol.OPENAI,
    ("messages",): None,
    ("messages/count_tokens",): Protocol.ANTHROPIC,
}
"""Paths below `/v1` that chat models answer, and the protocol that they need; None = a provider takes it as it is."""


def ladders(route: Route, gateway: Gateway) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Yield the cluster's name, the targets and the last resort of each ladder of one protocol."""
    protocols = {target.name: target.protocol for target in gateway.targets}
    declared = {ladder.name: ladder for ladder in gateway.ladders}
    for plan in route.plans:
        for dialect in (one for one in plan.dialects if one.apart):
            for arm in plan.arms:
                rungs = tuple(rung for rung in declared[arm.ladder].rungs if protocols[rung] is dialect.protocol)
                yield cluster(arm, plan, dialect.protocol, gateway), rungs, dialect.last_resort


def cluster(arm: Arm, plan: Plan, protocol: Protocol | None, gateway: Gateway) -> str:
    """Name the cluster that requests take on an arm which need a protocol."""
    if protocol is None or plan.apart(protocol) is None:
        return names.ladder_cluster(arm.ladder)
    if arm.side is Side.STABLE:
        return names.dialect_cluster(arm.ladder, protocol)
    first = _ladder(arm.ladder, gateway).rungs[0]
    (spoken,) = {target.protocol for target in gateway.targets if target.name == first}
    return names.dialect_cluster(arm.ladder, protocol, counted=spoken is protocol)


def _ladder(name: str, gateway: Gateway) -> Ladder:
    return next(ladder for ladder in gateway.ladders if ladder.name == name)
