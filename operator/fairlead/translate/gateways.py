"""One `ir.Gateway` per region that runs here, from routes and consumers whose references were followed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from fairlead import ir
from fairlead.api import quantity
from fairlead.api.installation import FailurePolicy, Installation
from fairlead.ir import word
from fairlead.memo import Itself, Memo
from fairlead.translate.budgets import Bounds, is_bounded
from fairlead.translate.cache import cache, is_stored
from fairlead.translate.classifiers import classifier
from fairlead.translate.consumers import Consumer
from fairlead.translate.downgrade import downgrade
from fairlead.translate.plans import Draft, Planner, planned
from fairlead.translate.providers import Provider
from fairlead.translate.references import References, SecretRef
from fairlead.translate.routes import Route
from fairlead.translate.rules import rules
from fairlead.translate.scopes import Directory, Outcome, Scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """How one route stands at one gateway where requests may enter."""

    region: str
    unanswered: tuple[str, ...]
    """Names that residency leaves without an endpoint here, sorted."""
    shadowed: bool
    """Whether a shadow that the route wants has an endpoint within residency here."""
    rungs: int
    """Length of the longest ladder, the last resort included; 0 = the route answers nothing here."""
    models: int
    """How many models may answer, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """All gateways that run here, and what came of each route."""

    gateways: tuple[ir.Gateway, ...]
    """In the installation's order."""
    outcome: Outcome
    presences: Mapping[str, tuple[Presence, ...]]
    """By route."""


def fleet(
    *,
    installation: Installation,
    references: References,
    providers: Mapping[str, Provider],
    routes: Sequence[Route],
    consumers: Sequence[Consumer],
    bounds: Bounds,
    memo: Memo,
) -> Fleet:
    """Make every gateway. Routes without candidates keep their names, which are then refused.

    As soon as somebody has a budget, or a limit in flight, gateways ask before each request. Where only a route has a
    baseline, takes feedback or shares kept answers, they tell what each cost and who answered, and ask nobody first.
    """
    callers = [consumer.caller for consumer in consumers]
    told = any(route.baseline is not None or route.feedback or is_stored(route) for route in routes)
    budget = _budget(installation, bounded=is_bounded(bounds, consumers), told=told)
    directory = Directory(routes, callers, references)
    outcome: Outcome = {}
    presences: dict[str, list[Presence]] = {route.name: [] for route in routes}
    gateways = []
    for region in installation.served:
        planner = Planner(region=region.name, geography=references.geography, providers=providers, memo=memo)
        entering = [route for route in routes if region.name in route.regions]
        answered = {route.name: _answered(route, planner) for route in entering}
        scopes = directory.scopes(answered, outcome)
        gateways.append(
            _gateway(
                region=region.name,
                limits=_limits(installation),
                telemetry=_telemetry(installation),
                allow_origins=None if installation.cors is None else tuple(sorted(installation.cors.allow_origins)),
                anonymous=None if references.anonymous is None else f"{references.home}/{references.anonymous}",
                consumers=consumers,
                routes=[(route, scopes.won[route.name]) for route in entering if route.name in scopes.won],
                scopes=scopes,
                planner=planner,
                bounds=bounds,
                cache_bytes=installation.cache.bytes_per_worker,
                budget=budget,
                in_cluster=references.in_cluster,
                budget_server=references.budget_server,
                memo=memo,
            )
        )
        for route in entering:
            presences[route.name].append(_presence(route, region.name, answered[route.name], planner))
    return Fleet(
        gateways=tuple(_with_absent(gateway, references) for gateway in gateways),
        outcome=outcome,
        presences={name: tuple(found) for name, found in presences.items()},
    )


def _answered(route: Route, planner: Planner) -> frozenset[str]:
    """Return the names of a route for which there is a rung within residency."""
    if not route.wildcard:
        candidates = route.candidates.get("")
        if candidates is None or planner.ladder_set(candidates, route.residency) is None:
            return frozenset()
        return frozenset(claim.name for claim in route.claims)
    return frozenset(
        name
        for name, candidates in route.candidates.items()
        if planner.ladder_set(candidates, route.residency) is not None
    )


def _presence(route: Route, region: str, answered: frozenset[str], planner: Planner) -> Presence:
    ladder_sets = (planner.ladder_set(candidates, route.residency) for candidates in route.candidates.values())
    sizes = [planner.size(ladder_set) for ladder_set in ladder_sets if ladder_set is not None]
    return Presence(
        region=region,
        unanswered=tuple(claim.name for claim in route.claims if claim.name not in answered),
        shadowed=route.shadow is None or planner.nearest(route.shadow.candidate, route.residency) is not None,
        rungs=max((rungs for rungs, _ in sizes), default=0),
        models=max((models for _, models in sizes), default=0),
    )


def _gateway(
    *,
    region: str,
    limits: ir.Limits,
    telemetry: ir.Telemetry | None,
    allow_origins: tuple[str, ...] | None,
    anonymous: str | None,
    consumers: Iterable[Consumer],
    routes: Sequence[tuple[Route, frozenset[str]]],
    scopes: Scopes,
    planner: Planner,
    bounds: Bounds,
    cache_bytes: int,
    budget: ir.BudgetCheck,
    in_cluster: bool,
    budget_server: bool,
    memo: Memo,
) -> ir.Gateway:
    rendered: list[ir.Route] = []
    ladders: list[ir.Ladder] = []
    here = {route.name: route for route, _ in routes}
    for route, names in routes:
        made, found = _planned(route, names, planner, memo)
        asked = classifier(route, here, in_cluster=in_cluster)
        ruled = rules(route, here, classified=asked is not None)
        needed = any(rule.conditions.category is not None for rule in ruled)
        down = downgrade(route, here)
        if down is not None or ruled or needed:
            made = replace(made, downgrade_to=down, rules=ruled, classifier=asked if needed else None)
        rendered.append(made)
        ladders.extend(found)
    keyed_probes = planner.keyed_probes()
    targets = planner.targets()
    rendered = _keeping(rendered, here, ladders, targets, budget_server=budget_server)
    return ir.Gateway(
        region=region,
        limits=limits,
        telemetry=telemetry,
        allow_origins=allow_origins,
        anonymous=anonymous,
        consumers=tuple(
            ir.Consumer(
                name=str(consumer.caller),
                scopes=scopes.of_caller[str(consumer.caller)],
                allowed_model_names=_words(consumer.allowed_model_names),
                expires_at=consumer.expires_at,
                budgeted_routes=bounds.routes.get(str(consumer.caller), ()),
                budget_revision=bounds.revisions.get(str(consumer.caller), ""),
                stopped=str(consumer.caller) in bounds.stopped,
                max_in_flight=consumer.max_in_flight,
            )
            for consumer in sorted(consumers, key=lambda consumer: str(consumer.caller))
        ),
        scopes=scopes.scopes,
        routes=tuple(sorted(rendered, key=lambda route: route.name)),
        ladders=tuple(sorted(ladders, key=lambda ladder: ladder.name)),
        targets=targets,
        last_resorts=planner.last_resorts(),
        credentials=planner.credentials(),
        keyed_probes=keyed_probes,
        signers=planner.signers(),
        budget=budget,
        cache_bytes=cache_bytes if any(route.cache is not None for route in rendered) else None,
    )


def _keeping(
    rendered: Iterable[ir.Route],
    written: Mapping[str, Route],
    ladders: Iterable[ir.Ladder],
    targets: Iterable[ir.Target],
    *,
    budget_server: bool,
) -> list[ir.Route]:
    """Say of each route which of its answers are kept."""
    by_name = {ladder.name: ladder for ladder in ladders}
    known = {target.name: target for target in targets}
    return [
        made
        if written[made.name].cache is None
        else replace(
            made,
            cache=cache(
                written[made.name],
                made,
                [by_name[arm.ladder] for plan in made.plans for arm in plan.arms],
                known,
                budget_server=budget_server,
            ),
        )
        for made in rendered
    ]


def _words(patterns: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if patterns is None else tuple(word.encode_pattern(pattern) for pattern in patterns)


def _telemetry(installation: Installation) -> ir.Telemetry | None:
    told = installation.telemetry
    if told is None:
        return None
    scheme, host, port = told.receiver
    return ir.Telemetry(host=host, port=port, grpc=scheme == "grpc", sample=quantity.basis_points(told.sample))


def _limits(installation: Installation) -> ir.Limits:
    told = installation.limits
    return ir.Limits(
        request_bytes=told.request_bytes,
        request_timeout_ms=quantity.milliseconds(told.request_timeout),
        idle_timeout_ms=quantity.milliseconds(told.idle_timeout),
        connection_duration_ms=quantity.milliseconds(told.connection_duration),
        connections=told.connections,
        memory_bytes=told.memory_bytes,
    )


def _budget(installation: Installation, *, bounded: bool, told: bool) -> ir.BudgetCheck:
    return ir.BudgetCheck(
        timeout_ms=quantity.milliseconds(installation.budgets.timeout),
        fail_closed=installation.budgets.failure_policy is FailurePolicy.CLOSED,
        asked=bounded or told,
        only_told=told and not bounded,
    )


def _planned(
    route: Route, names: frozenset[str], planner: Planner, memo: Memo
) -> tuple[ir.Route, tuple[ir.Ladder, ...]]:
    """Return a route and its ladders, as far as they do not depend on other routes."""
    drafts = planner.drafts(route, names)
    target = None if route.shadow is None else planner.shadow(route.shadow.candidate, route.residency)
    own = Itself(route), target, *(one for keyed in drafts for one in keyed)
    return memo.of(("planned", planner.region, route.name), own, lambda: _route(route, drafts, target))


def _route(
    route: Route, drafts: Sequence[tuple[str, Draft]], target: str | None
) -> tuple[ir.Route, tuple[ir.Ladder, ...]]:
    plans, ladders = planned(route.name, drafts)
    rungs = max(len(ladder.rungs) for ladder in ladders) + 1
    made = ir.Route(
        name=route.name,
        plans=plans,
        stickiness=route.stickiness,
        max_attempts=rungs if route.max_attempts is None else min(route.max_attempts, rungs),
        cascade=route.cascade,
        timeouts=route.timeouts,
        shadow=None
        if route.shadow is None or target is None
        else ir.Shadow(target=target, sample=route.shadow.sample, recording=route.shadow.recording),
        max_output_tokens=route.max_output_tokens,
        feedback=route.feedback,
    )
    return made, ladders


def _with_absent(gateway: ir.Gateway, references: References) -> ir.Gateway:
    """Return a gateway that knows which files that it signs by are not there."""
    said, files = references.absent.get(gateway.region, frozenset()), sorted(gateway.signing_files)
    absent = tuple(file for file in files if file in said or _is_missing(file, references))
    return replace(gateway, absent=absent) if absent else gateway


def _is_missing(file: str, references: References) -> bool:
    secret, _, key = file.partition("/")
    ref = SecretRef(references.home, secret, key)
    return references.home_secrets_readable and references.secrets.fingerprint(ref) is None
