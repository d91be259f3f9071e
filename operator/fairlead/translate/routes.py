"""ModelRoute: which names it answers, for whom, where, and with which models in which order.

Nothing here depends on a gateway: `plans` turns the models into ladders for one region.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fairlead import ir
from fairlead.api import quantity
from fairlead.api.classifier import Classifier
from fairlead.api.conditions import Reason
from fairlead.api.meta import ObjectKey
from fairlead.api.route import FeedbackPolicy, ModelRoute, ModelRouteSpec, Redaction, Residency, ShadowTarget
from fairlead.api.route_cache import RouteCache
from fairlead.api.route_rules import RouteRule
from fairlead.budget.shadow import ShadowLimit
from fairlead.rollout.plan import Plan
from fairlead.translate.audience import Audience
from fairlead.translate.candidates import Candidates, ModelReference, Resolver
from fairlead.translate.cascades import cascade
from fairlead.translate.diagnostics import Diagnostics
from fairlead.translate.providers import Provider
from fairlead.translate.references import References
from fairlead.translate.rollouts import Served, served
from fairlead.translate.suggestion import listed, meant
from fairlead.translate.window import window

EXACT = 1 << 16
"""Specificity of a name that is written in full: above every prefix, whose specificity is its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One name that a route wants to answer."""

    name: str
    specificity: int
    """EXACT, or the length of the prefix that covers the name; 0 = `*`."""
    written: int
    """Position in `modelNames`; -1 when the name is that of the object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """A model that receives copies."""

    candidate: ModelReference
    sample: int
    limit: ShadowLimit | None = None
    recording: ir.Recording | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route whose references were followed."""

    key: ObjectKey
    created: int | None
    """Unix time of its creation; None for an object from a file. Decides ties."""
    audience: Audience
    claims: tuple[Claim, ...]
    """Sorted by name, each name once."""
    wildcard: bool
    candidates: Mapping[str, Candidates]
    """By name in a wildcard route, else one under the empty name. Empty when nothing can answer."""
    regions: tuple[str, ...]
    """Gateways where requests may enter, in the installation's order."""
    regions_written: bool
    residency: Residency
    shadow: Shadow | None
    baseline: str | None
    """The target whose prices its answers are compared with."""
    max_attempts: int | None
    max_output_tokens: int | None
    timeouts: ir.Timeouts
    stickiness: ir.Stickiness
    downgrade_to: str | None
    rules: tuple[RouteRule, ...] = ()
    """As they are written: where they lead shows only beside all other routes."""
    cache: RouteCache | None = None
    """As it is written."""
    classifier: Classifier | None = None
    """As it is written."""
    cascade: ir.Cascade | None = None
    wants_cascade: bool = False
    """Whether one is written, though it may judge nothing."""
    candidate: Candidates | None = None
    """What a rollout's side of the traffic meets: the candidate, then what is stable. None while nothing rolls out."""
    candidate_traffic: int = 0
    """That side's basis points of the requests."""
    rollout: Plan | None = None
    """What is asked of the rollout machine; None for a wildcard route, whose primary is a catalogue."""
    translates_messages: bool = False
    """Some of its models want messages in the words of another API."""
    translates_chat: bool = False
    """Some of its models want chat/completions in the words of another API."""
    converses: bool = False
    """Some of its models want either in those of Bedrock."""
    feedback: bool = False
    """Whether users may rate its answers."""
    speaks_openai: bool = True
    """Each of its names has a model whose provider speaks OpenAI's API."""
    name: str = field(init=False)
    """`namespace/name`, as gateways know the route."""

    def __post_init__(self) -> None:
        """Name it once: each compilation asks some dozen times for the name of each route."""
        object.__setattr__(self, "name", f"{self.key.namespace}/{self.key.name}")

    @property
    def kinds(self) -> frozenset[ir.ModelKind]:
        """What the route's names make."""
        return frozenset(candidates.kind for candidates in self.candidates.values())

    @property
    def age(self) -> tuple[bool, int, str, str]:
        """Sort key of ties: older first; an object without a time of creation last; then by namespace and name."""
        return self.created is None, self.created or 0, self.key.namespace, self.key.name

    def path_of(self, claim: Claim) -> str:
        """Return the field that makes a claim."""
        return "metadata.name" if claim.written < 0 else f"spec.modelNames[{claim.written}]"


def route(
    written: ModelRoute,
    references: References,
    providers: Mapping[str, Provider],
    diagnostics: Diagnostics,
    before: ModelRoute | None = None,
) -> Route | None:
    """Follow what a route refers to: providers, their models, regions. `before` is the version that served last."""
    spec = written.spec
    if not _is_acceptable(written, references, diagnostics) or not _counts_as(written, before, diagnostics):
        return None
    resolver = Resolver(
        namespace=written.metadata.namespace, references=references, providers=providers, diagnostics=diagnostics
    )
    regions = _regions(written, references, diagnostics)
    wildcard = spec.primary.model is None
    candidates: Mapping[str, Candidates]
    rolling = Served(stable=None)
    if wildcard:
        claims = _claims(written, resolver, None, wildcard=True)
        candidates = resolver.candidates_per_name(spec, tuple(claim.name for claim in claims))
    else:
        rolling = served(spec, resolver, references.rollouts.get(f"{written.key.namespace}/{written.key.name}"))
        only = rolling.stable
        candidates = {} if only is None else {"": only}
        claims = _claims(written, resolver, only, wildcard=False)
    if not candidates or not regions:
        diagnostics.give_up()
    kinds = frozenset(one.kind for one in candidates.values())
    shadow = _shadow(spec, resolver, kinds, rolling)
    created = written.metadata.creation_timestamp
    return Route(
        key=written.key,
        created=None if created is None else quantity.unix_seconds(created),
        audience=Audience(own=written.metadata.namespace, consumers=spec.consumers),
        claims=claims,
        wildcard=wildcard,
        candidates=candidates,
        regions=regions,
        regions_written=spec.regions is not None,
        residency=spec.residency,
        shadow=shadow,
        baseline=None if spec.baseline is None else resolver.baseline(spec.baseline, kinds),
        max_attempts=spec.max_attempts,
        max_output_tokens=spec.max_output_tokens,
        timeouts=_timeouts(written),
        stickiness=ir.Stickiness.CONSUMER if spec.rollout is None else ir.Stickiness(spec.rollout.stickiness),
        downgrade_to=spec.downgrade_to,
        feedback=spec.feedback is FeedbackPolicy.ACCEPT,
        rules=spec.rules,
        cache=spec.cache,
        classifier=spec.classifier,
        cascade=cascade(spec.cascade, candidates[""]) if spec.cascade is not None and "" in candidates else None,
        wants_cascade=spec.cascade is not None,
        candidate=rolling.candidate if rolling.traffic else None,
        candidate_traffic=rolling.traffic,
        rollout=rolling.plan,
        translates_messages=any(one.translates_messages for one in _asked(candidates, resolver)),
        translates_chat=any(one.translates_chat for one in _asked(candidates, resolver)),
        converses=any(one.protocol is ir.Protocol.BEDROCK for one in _asked(candidates, resolver)),
        speaks_openai=_speaks_openai(spec, candidates, resolver),
    )


def _asked(candidates: Mapping[str, Candidates], resolver: Resolver) -> Iterator[Provider]:
    return (resolver.providers[model.provider] for one in candidates.values() for model in one.models)


def _speaks_openai(spec: ModelRouteSpec, candidates: Mapping[str, Candidates], resolver: Resolver) -> bool:
    """Tell whether all names have a model that answers OpenAI's API, and warn of rungs that not all requests meet."""
    protocols = {name: found.protocol for name, found in resolver.providers.items()}
    first = None if spec.primary is None else protocols.get(spec.primary.provider)
    for position, fallback in enumerate(spec.fallbacks):
        other = protocols.get(fallback.provider)
        if first is not None and other is not None and ir.Protocol.ANTHROPIC in {first, other} and other is not first:
            anthropics = spec.primary.provider if first is ir.Protocol.ANTHROPIC and spec.primary else fallback.provider
            if resolver.providers[anthropics].translates_chat:
                continue
            resolver.diagnostics.warn(
                f"spec.fallbacks[{position}].provider",
                f"got `{fallback.provider}`, which speaks {other}'s API and the primary {first}'s, want one API: only"
                f" requests to `/v1/messages` meet models of `{anthropics}`",
            )
    return all(
        any(protocols[model.provider] is not ir.Protocol.ANTHROPIC for model in one.models)
        for one in candidates.values()
    )


def _shadow(spec: ModelRouteSpec, resolver: Resolver, kinds: frozenset[ir.ModelKind], rolling: Served) -> Shadow | None:
    """Return what receives copies: during a shadow step the candidate, else what is written."""
    written = None if spec.shadow is None else resolver.shadow(spec.shadow, kinds)
    if rolling.candidate is not None and rolling.shadow:
        return Shadow(
            candidate=rolling.candidate.models[0],
            sample=rolling.shadow,
            limit=_limit(spec.shadow),
            recording=_recording(spec.shadow, resolver, kinds),
        )
    if written is None or spec.shadow is None:
        return None
    return Shadow(
        candidate=written,
        sample=quantity.basis_points(spec.shadow.sample),
        limit=_limit(spec.shadow),
        recording=_recording(spec.shadow, resolver, kinds),
    )


def _recording(written: ShadowTarget | None, resolver: Resolver, kinds: frozenset[ir.ModelKind]) -> ir.Recording | None:
    if written is None or written.record is None:
        return None
    if not kinds & {ir.ModelKind.CHAT, ir.ModelKind.EMBEDDING}:
        resolver.diagnostics.note(
            Reason.MODEL_TYPE_MISMATCH,
            "spec.shadow.record",
            f"got pairs to record of {listed(sorted(kinds))} models, want none: texts alone are compared, remove it",
        )
        return None
    record, service = written.record, ""
    if record.service is not None:
        suffix = f".{resolver.namespace}.svc" if resolver.references.in_cluster else ""
        service = f"{record.service.name}{suffix}:{record.service.port}"
    elif not resolver.references.recorder:
        resolver.diagnostics.warn(
            "spec.shadow.record",
            "got no `service`, and the installation has no recorder, want one of them, or no pairs are kept",
        )
    return ir.Recording(
        share=quantity.basis_points(record.share),
        redact=tuple(sorted({one.value.lower() for one in (*(record.redact or Redaction), Redaction.KEY)})),
        service=service,
    )


def _limit(written: ShadowTarget | None) -> ShadowLimit | None:
    if written is None or written.limit is None:
        return None
    return ShadowLimit(limit=quantity.nanodollars(written.limit.usd), window=window(written.limit.window))


def _counts_as(written: ModelRoute, before: ModelRoute | None, diagnostics: Diagnostics) -> bool:
    """Refuse another window of a shadow's limit than the version had that served last: spending is counted by it."""
    old, new = (None if one is None else _limit(one.spec.shadow) for one in (before, written))
    if old is None or new is None or old.window == new.window:
        return True
    diagnostics.refuse(
        Reason.IMMUTABLE,
        "spec.shadow.limit.window",
        "got another window, want the one that the shadow has counted by so far: what is spent would be forgotten,"
        " write the one before",
    )
    return False


def _is_acceptable(written: ModelRoute, references: References, diagnostics: Diagnostics) -> bool:
    spec = written.spec
    if Audience(own=written.metadata.namespace, consumers=spec.consumers).shared:
        return shares_from_home(written.metadata.namespace, spec.consumers.namespaces.from_, references, diagnostics)
    return True


def shares_from_home(namespace: str, chosen: str, references: References, diagnostics: Diagnostics) -> bool:
    """Refuse `from: All` and `from: Selector` outside the installation's namespace."""
    if namespace == references.home:
        return True
    diagnostics.refuse(
        Reason.NAMESPACE_NOT_ALLOWED,
        "spec.consumers.namespaces.from",
        f"got `{chosen}` in namespace `{namespace}`, want `Same`: only objects of namespace `{references.home}` may"
        " mean consumers of other namespaces",
    )
    return False


def _regions(written: ModelRoute, references: References, diagnostics: Diagnostics) -> tuple[str, ...]:
    known = references.geography.names()
    wanted = written.spec.regions
    if wanted is None:
        return known
    for position, region in enumerate(wanted):
        if region not in references.geography:
            diagnostics.miss(
                Reason.REGION_NOT_FOUND,
                f"spec.regions[{position}]",
                f"got `{region}`, want a region of the installation ({listed(known)}){meant(region, known)}",
            )
    return tuple(region for region in known if region in wanted)


def _claims(
    written: ModelRoute, resolver: Resolver, candidates: Candidates | None, *, wildcard: bool
) -> tuple[Claim, ...]:
    """Expand `modelNames`: `qwen/*` stands for the names of the primary's catalogue that begin so, the longest wins."""
    names = written.spec.model_names
    catalogue = resolver.catalogue(written.spec, candidates)
    claims: dict[str, Claim] = {}
    for position, pattern in enumerate(names or (written.metadata.name,)):
        place = -1 if names is None else position
        prefix, star, _ = pattern.partition("*")
        if not star:
            if not wildcard or pattern in catalogue:
                claims[pattern] = Claim(name=pattern, specificity=EXACT, written=place)
            continue
        covered = [name for name in catalogue if name.startswith(prefix)]
        if catalogue and not covered:
            resolver.diagnostics.miss(
                Reason.MODEL_NOT_FOUND,
                f"spec.modelNames[{position}]",
                f"got `{pattern}`, want the beginning of a name that its provider serves ({listed(catalogue)})",
            )
        for name in covered:
            if name not in claims or claims[name].specificity < len(prefix):
                claims[name] = Claim(name=name, specificity=len(prefix), written=place)
    return tuple(claims[name] for name in sorted(claims))


def _timeouts(written: ModelRoute) -> ir.Timeouts:
    timeouts = written.spec.timeouts
    return ir.Timeouts(
        first_byte_ms=quantity.milliseconds(timeouts.first_byte),
        response_ms=quantity.milliseconds(timeouts.response),
        stream_idle_ms=quantity.milliseconds(timeouts.stream_idle),
        request_ms=quantity.milliseconds(timeouts.request),
    )
