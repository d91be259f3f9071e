"""What only shows once all routes are laid side by side: names lost, regions without an endpoint, timers too short."""

from collections.abc import Collection, Mapping

from fairlead.api.conditions import Reason
from fairlead.ir import ModelKind
from fairlead.translate.cache import judge_cache
from fairlead.translate.cascades import judge_cascade
from fairlead.translate.classifiers import judge_classifier
from fairlead.translate.diagnostics import Diagnostics
from fairlead.translate.downgrade import judge_stand_in, objection_to_downgrade
from fairlead.translate.gateways import Presence
from fairlead.translate.known_names import KnownNames
from fairlead.translate.routes import Claim, Route
from fairlead.translate.rules import judge_rules
from fairlead.translate.scopes import Outcome, Overlap
from fairlead.translate.suggestion import listed


def judge(
    route: Route,
    *,
    outcome: Outcome,
    presences: Collection[Presence],
    routes: Mapping[str, Route],
    written: KnownNames,
    diagnostics: Diagnostics,
) -> None:
    """Say what a served route loses, and to whom. `routes` are those that serve, by `namespace/name`."""
    _judge_consumers(route, written, diagnostics)
    _judge_names(route, outcome, diagnostics)
    _judge_residency(route, presences, diagnostics)
    _judge_downgrade(route, routes, written, diagnostics)
    judge_rules(route, routes, written, diagnostics)
    judge_cache(route, diagnostics)
    _judge_type(route, diagnostics)
    judge_classifier(route, routes, written, diagnostics)
    judge_cascade(
        wanted=route.wants_cascade,
        kinds=route.kinds,
        worded=[
            path
            for path, is_worded in (
                ("/v1/messages", route.translates_messages),
                ("/v1/chat/completions", route.translates_chat),
            )
            if is_worded
        ],
        alone=[presence.region for presence in presences if presence.models == 1],
        diagnostics=diagnostics,
    )
    _judge_timers(route, presences, diagnostics)


def _judge_type(route: Route, diagnostics: Diagnostics) -> None:
    """Say what does nothing for models that make no text and no vectors."""
    if not route.kinds or route.kinds.intersection({ModelKind.CHAT, ModelKind.EMBEDDING}):
        return
    if route.max_output_tokens is not None:
        diagnostics.note(
            Reason.MODEL_TYPE_MISMATCH,
            "spec.maxOutputTokens",
            f"got a limit on a route of {listed(sorted(route.kinds))} models, want none: their requests have no such"
            " limit, remove it, and write what a budget is to reserve as `maxOutputTokens` of the model",
        )


def _judge_consumers(route: Route, written: KnownNames, diagnostics: Diagnostics) -> None:
    if not route.audience.shared:
        written.check_consumers(route.key.namespace, route.audience.consumers, diagnostics)


def _judge_names(route: Route, outcome: Outcome, diagnostics: Diagnostics) -> None:
    by_place: dict[int, list[Claim]] = {}
    for claim in route.claims:
        if (route.name, claim.name) in outcome:
            by_place.setdefault(claim.written, []).append(claim)
    for _, claims in sorted(by_place.items()):
        lost = {claim.name: _lost(outcome[route.name, claim.name]) for claim in claims}
        overlaps = [overlap for found in lost.values() for overlap in found]
        if not overlaps:
            continue
        winners = listed({overlap.winner.name for overlap in overlaps})
        path = route.path_of(claims[0])
        names = [name for name, found in lost.items() if found]
        entirely = all(
            len(lost[claim.name]) == len(outcome[route.name, claim.name])
            and all(overlap.example is None for overlap in lost[claim.name])
            for claim in claims
        )
        if entirely:
            diagnostics.contest(
                Reason.NAME_CONFLICT,
                path,
                f"got {listed(names)}, which {winners} answers already, want a name of its own, rename one of them",
            )
        else:
            diagnostics.warn(
                path, f"got {listed(names)}, which {winners} answers already {_where(overlaps)}, want a name of its own"
            )


def _lost(found: list[Overlap | None]) -> list[Overlap]:
    return [overlap for overlap in found if overlap is not None]


def _where(overlaps: list[Overlap]) -> str:
    examples = sorted({str(overlap.example) for overlap in overlaps if overlap.example is not None})
    if examples:
        return f"for consumers such as `{examples[0]}`"
    return "for some consumers or in some regions"


def _judge_residency(route: Route, presences: Collection[Presence], diagnostics: Diagnostics) -> None:
    """Say where residency leaves names without an endpoint; an older version with a wider residency is no remedy."""
    empty = [presence.region for presence in presences if presence.rungs == 0]
    if presences and (len(empty) == len(presences) or (empty and route.regions_written)):
        diagnostics.note(
            Reason.NO_TARGET_IN_RESIDENCY,
            "spec.residency",
            f"got `{route.residency}`, which leaves no endpoint for requests that enter in {listed(empty)}, want"
            " endpoints there or a wider residency, or these requests get 404",
        )
    elif empty:
        diagnostics.warn(
            "spec.residency",
            f"got `{route.residency}`, which leaves no endpoint for requests that enter in {listed(empty)}, want"
            " `regions` without them, or these requests get 404",
        )
    for presence in presences:
        if presence.rungs and presence.unanswered:
            diagnostics.warn(
                "spec.residency",
                f"got `{route.residency}`, which leaves no endpoint in `{presence.region}` for"
                f" {listed(presence.unanswered)}",
            )
    bare = [presence.region for presence in presences if presence.rungs and not presence.shadowed]
    if bare:
        diagnostics.warn(
            "spec.shadow",
            f"got a model without an endpoint within residency for {listed(bare)}, want one, or no copies are sent",
        )


def _judge_downgrade(route: Route, routes: Mapping[str, Route], written: KnownNames, diagnostics: Diagnostics) -> None:
    name = route.downgrade_to
    if name is None:
        return
    path, namespace = "spec.downgradeTo", route.key.namespace
    if not written.check_route(namespace, name, path, diagnostics):
        return
    if ModelKind.CHAT not in route.kinds:
        diagnostics.note(
            Reason.MODEL_TYPE_MISMATCH,
            path,
            f"got `{name}`, want nothing: chat alone can be downgraded, and another model's vectors do not fit those"
            " that were stored, remove it",
        )
        return
    other = routes.get(f"{namespace}/{name}")
    if other is None or not other.candidates:
        return
    against = objection_to_downgrade(route, other)
    judge_stand_in(route, other, against, path=path, without="nothing changes there", diagnostics=diagnostics)


def _judge_timers(route: Route, presences: Collection[Presence], diagnostics: Diagnostics) -> None:
    rungs = max((presence.rungs for presence in presences), default=0)
    attempts = rungs if route.max_attempts is None else min(rungs, route.max_attempts)
    timeouts = route.timeouts
    needed = attempts * timeouts.first_byte_ms
    if attempts > 1 and timeouts.stream_idle_ms < needed:
        diagnostics.warn(
            "spec.timeouts.streamIdle",
            f"got `{_duration(timeouts.stream_idle_ms)}`, want at least {attempts} attempts x `firstByte` ="
            f" `{_duration(needed)}`, or a stream may end with 504 before the last rung was tried",
        )
    if attempts > 1 and timeouts.request_ms <= timeouts.response_ms:
        diagnostics.warn(
            "spec.timeouts.request",
            f"got `{_duration(timeouts.request_ms)}`, want more than `response`, or a rung that hangs ends the request"
            " before the next was tried",
        )


def _duration(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{milliseconds}ms" if rest else f"{seconds}s"
