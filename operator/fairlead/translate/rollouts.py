"""What a rollout lets answer a route: a stable target keeps its place until another is promoted."""

from dataclasses import dataclass, replace

from fairlead import ir
from fairlead.api import quantity
from fairlead.api.conditions import Reason
from fairlead.api.installation import Installation
from fairlead.api.rollout import Rollout
from fairlead.api.route import ModelRouteSpec, PrimaryTarget
from fairlead.rollout.machine import Shares
from fairlead.rollout.plan import WHOLE, Bounds, Plan, Query, Source, Step
from fairlead.translate.candidates import Candidates, ModelReference, Resolver
from fairlead.translate.diagnostics import Diagnostics


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What answers a route whose names share one model."""

    stable: Candidates | None
    """None: nothing can."""
    candidate: Candidates | None = None
    """The candidate, then everything that is stable; None while nothing rolls out."""
    traffic: int = 0
    """Basis points of the requests that the candidate answers."""
    shadow: int = 0
    """Basis points of the requests that are copied to it."""
    plan: Plan | None = None
    """What is asked of the rollout machine; None where no primary is named."""


def served(spec: ModelRouteSpec, resolver: Resolver, shares: Shares | None) -> Served:
    """Follow what is written, and let what was promoted last answer until the machine says otherwise."""
    found = _served(spec, resolver, shares)
    _check_copies(spec, resolver)
    return found if found.plan is None else replace(found, plan=replace(found.plan, source=_source(spec, resolver)))


def _check_copies(spec: ModelRouteSpec, resolver: Resolver) -> None:
    """Say which steps bring nothing: what goes out in words of another API alone does not travel with a copy."""
    found = resolver.providers.get(spec.primary.provider)
    if found is None or found.protocol is not ir.Protocol.BEDROCK or spec.rollout is None:
        return
    for position, step in enumerate(spec.rollout.steps):
        if step.shadow is not None:
            resolver.diagnostics.warn(
                f"spec.rollout.steps[{position}].shadow",
                f"got copies for `{found.name}`, which speaks Bedrock's API and gets none, want a step with `traffic`,"
                " or this one ends inconclusive",
            )


def _source(spec: ModelRouteSpec, resolver: Resolver) -> Source | None:
    source = resolver.references.prometheus
    if source is None and spec.rollout is not None and spec.rollout.analysis.prometheus:
        resolver.diagnostics.warn(
            "spec.rollout.analysis.prometheus",
            "got queries, want an installation that says whom to ask: until then no step is promoted by itself; add"
            " `prometheus` to it, or remove them",
        )
    return source


def _served(spec: ModelRouteSpec, resolver: Resolver, shares: Shares | None) -> Served:
    written = resolver.candidates(spec)
    if spec.primary.model is None:
        return Served(stable=written)
    primary = ModelReference(provider=spec.primary.provider, model=spec.primary.model)
    reachable = written is not None and written.models[0] == primary
    if shares is None or shares.stable == name(primary):
        return Served(stable=written, plan=_plan(spec, reachable=reachable))
    stable = _stable(spec, resolver, shares.stable)
    if stable is None:
        return Served(stable=written, plan=_plan(spec, reachable=reachable, stable_reachable=False))
    reachable = reachable and _may_follow(primary, stable, resolver)
    plan = _plan(spec, reachable=reachable)
    if shares.candidate != name(primary) or not reachable:
        return Served(stable=stable, plan=plan)
    behind = tuple(model for model in stable.models if model != primary)
    return Served(
        stable=stable,
        candidate=Candidates(kind=stable.kind, models=(primary, *behind)),
        traffic=shares.traffic,
        shadow=shares.shadow,
        plan=plan,
    )


def source_of(installation: Installation) -> Source | None:
    """Say who answers the queries of an installation's rollouts."""
    asked = installation.prometheus
    return None if asked is None else Source(url=asked.url, timeout_ms=quantity.milliseconds(asked.timeout))


def name(target: ModelReference) -> str:
    """Name a target as the rollout machine does: `provider/model`."""
    return f"{target.provider}/{target.model}"


def _stable(spec: ModelRouteSpec, resolver: Resolver, target: str) -> Candidates | None:
    """Return what answers while a target is stable that is not written any more; None where it is gone.

    Nothing is said of it: the fields that a person reads name another.
    """
    provider, _, model = target.partition("/")
    quiet = Resolver(
        namespace=resolver.namespace,
        references=resolver.references,
        providers=resolver.providers,
        diagnostics=Diagnostics(),
    )
    before = spec.model_copy(update={"primary": PrimaryTarget.model_construct(provider=provider, model=model)})
    found = quiet.candidates(before)
    wanted = ModelReference(provider=provider, model=model)
    return found if found is not None and found.models[0] == wanted else None


def _may_follow(primary: ModelReference, stable: Candidates, resolver: Resolver) -> bool:
    """Tell whether a rollout can lead there: to what makes the same, and for vectors only to the same model."""
    kind = resolver.providers[primary.provider].kinds[primary.model]
    if kind is stable.kind and (kind is not ir.ModelKind.EMBEDDING or primary.model == stable.models[0].model):
        return True
    resolver.diagnostics.miss(
        Reason.MODEL_TYPE_MISMATCH,
        "spec.primary.model",
        f"got `{primary.model}` of type `{kind}`, want what `{name(stable.models[0])}` makes, which serves: a rollout"
        " never mixes types, nor vectors of two models; give it a route of its own",
    )
    return False


def _plan(spec: ModelRouteSpec, *, reachable: bool, stable_reachable: bool = True) -> Plan | None:
    if spec.primary.model is None:
        return None
    primary = f"{spec.primary.provider}/{spec.primary.model}"
    if spec.rollout is None:
        return Plan(primary=primary, reachable=reachable, stable_reachable=stable_reachable)
    return Plan(
        primary=primary,
        steps=_steps(spec.rollout),
        bounds=_bounds(spec.rollout),
        reachable=reachable,
        stable_reachable=stable_reachable,
    )


def _steps(rollout: Rollout) -> tuple[Step, ...]:
    return tuple(
        Step(
            traffic=0 if step.traffic is None else quantity.basis_points(step.traffic),
            shadow=0 if step.shadow is None else quantity.basis_points(step.shadow),
            hold_ms=None if step.hold is None else quantity.milliseconds(step.hold),
        )
        for step in rollout.steps
    )


_UNLESS_JUDGED = {True: "1%", False: None}
"""`maxWorseRate` where it is absent, by whether `maxErrorRate` is, too: some bound is always on failures."""


def _bounds(rollout: Rollout) -> Bounds:
    analysis = rollout.analysis
    return Bounds(
        error_rate=_share(analysis.max_error_rate),
        first_byte_p95_increase=_share(analysis.max_first_byte_p95_increase),
        cost_increase=_share(analysis.max_cost_increase),
        tokens_increase=_share(analysis.max_tokens_increase),
        worse_rate=_share(analysis.max_worse_rate or _UNLESS_JUDGED[analysis.max_error_rate is None]),
        finish_reason_shift=_share(analysis.max_finish_reason_shift),
        queries=tuple(
            Query(
                name=one.name,
                expression=one.query,
                at_most=None if one.at_most is None else float(one.at_most),
                at_least=None if one.at_least is None else float(one.at_least),
            )
            for one in analysis.prometheus
        ),
        interval_ms=quantity.milliseconds(analysis.interval),
        min_requests=analysis.min_requests,
        failure_limit=analysis.failure_limit,
    )


def _share(percentage: str | None) -> float | None:
    return None if percentage is None else quantity.basis_points(percentage) / WHOLE
