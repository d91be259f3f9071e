"""ModelRoute: which names it answers, for whom, where, and with which models in which order.

Nothing here depends on a gateway: `plans` turns the models into ladders for one region.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fairlead import ir
from fairlead.api import quantity
from fairlead.api.conditions import Reason
from fairlead.api.meta import ObjectKey
from fairlead.api.route import ModelRoute, Residency
from fairlead.translate.audience import Audience
from fairlead.translate.candidates import Candidates, ModelReference, Resolver
from fairlead.translate.diagnostics import Diagnostics
from fairlead.translate.providers import Provider
from fairlead.translate.references import References
from fairlead.translate.suggestion import listed, meant

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
    max_attempts: int | None
    max_output_tokens: int | None
    timeouts: ir.Timeouts
    stickiness: ir.Stickiness
    downgrade_to: str | None

    @property
    def name(self) -> str:
        """`namespace/name`, as gateways know the route."""
        return f"{self.key.namespace}/{self.key.name}"

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
    written: ModelRoute, references: References, providers: Mapping[str, Provider], diagnostics: Diagnostics
) -> Route | None:
    """Follow what a route refers to: providers, their models, regions."""
    spec = written.spec
    if not _is_acceptable(written, references, diagnostics):
        return None
    resolver = Resolver(
        namespace=written.metadata.namespace, references=references, providers=providers, diagnostics=diagnostics
    )
    regions = _regions(written, references, diagnostics)
    wildcard = spec.primary is not None and spec.primary.model is None
    candidates: Mapping[str, Candidates]
    if wildcard:
        claims = _claims(written, resolver, None, wildcard=True)
        candidates = resolver.candidates_per_name(spec, tuple(claim.name for claim in claims))
    else:
        only = resolver.candidates(spec)
        candidates = {} if only is None else {"": only}
        claims = _claims(written, resolver, only, wildcard=False)
    if not candidates or not regions:
        diagnostics.give_up()
    shadow = None
    if spec.shadow is not None:
        candidate = resolver.shadow(spec.shadow, frozenset(one.kind for one in candidates.values()))
        if candidate is not None:
            shadow = Shadow(candidate=candidate, sample=quantity.basis_points(spec.shadow.sample))
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
        max_attempts=spec.max_attempts,
        max_output_tokens=spec.max_output_tokens,
        timeouts=_timeouts(written),
        stickiness=ir.Stickiness.CONSUMER if spec.rollout is None else ir.Stickiness(spec.rollout.stickiness),
        downgrade_to=spec.downgrade_to,
    )


def _is_acceptable(written: ModelRoute, references: References, diagnostics: Diagnostics) -> bool:
    spec = written.spec
    if spec.primary is None:
        diagnostics.refuse(
            Reason.RESERVED,
            "spec.rules",
            "got `rules`, which are reserved for a later version, want `primary`, name the model that answers",
        )
        return False
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
