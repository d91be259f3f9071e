"""ModelRoute: a name that clients call, and what answers it."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from fairlead.api import quantity
from fairlead.api.form import Duration, Items, ListType, ModelName, ModelNamePattern, Name, Number, Share
from fairlead.api.resource import Part, Resource
from fairlead.api.rollout import Rollout
from fairlead.api.rule import Rule
from fairlead.api.selector import Consumers


class Residency(StrEnum):
    """Where a request may be processed, relative to the region of the gateway that took it."""

    ANY = "Any"
    GEO = "Geo"
    REGION = "Region"


class PrimaryTarget(Part):
    """A model of a provider."""

    provider: Name
    """A ModelProvider of the installation's namespace that allows routes of this namespace."""
    model: ModelName | None = None
    """A name of the provider's catalogue. May be left out only when every entry of `modelNames` ends in `*`: then the
    name that the client sent is the model."""


class FallbackTarget(Part):
    """A model of a provider, tried when those before it fail."""

    provider: Name
    """A ModelProvider of the installation's namespace that allows routes of this namespace."""
    model: ModelName | None = None
    """A name of the provider's catalogue. Absent: the model that the primary would have been asked for."""


class ShadowTarget(Part):
    """A model that receives copies of requests; its answers go to no client."""

    provider: Name
    """A ModelProvider of the installation's namespace that allows routes of this namespace."""
    model: ModelName
    """A name of the provider's catalogue."""
    sample: Share
    """The share of requests that is copied. Copies stay within `residency` and cost money."""


def _within_request(timer: str) -> Rule:
    """Return the rule for a timer, which could never fire if it were longer."""
    return Rule(
        holds=lambda value: quantity.milliseconds(value[timer]) <= quantity.milliseconds(value["request"]),
        cel=f"duration(self.{timer}) <= duration(self.request)",
        message=f"got `{timer}` longer than `request`, want at most `request`, lower `{timer}` or raise `request`",
        reads=(timer, "request"),
        field=timer,
    )


class Timeouts(Part):
    """How long a request may wait for what."""

    first_byte: Duration = "8s"
    """Streams: from the start of an attempt to the first byte of its answer; then the next rung is tried."""
    response: Duration = "60s"
    """Without a stream: how long one attempt may take; then the next rung is tried."""
    stream_idle: Duration = "60s"
    """The longest gap inside a stream; then the stream is cut."""
    request: Duration = "300s"
    """All attempts together, a stream's whole length included. At least as long as each of the others."""

    constraints: ClassVar = tuple(_within_request(timer) for timer in ("firstByte", "response", "streamIdle"))


class Content(StrEnum):
    """What a prompt carries beside text."""

    IMAGE = "Image"
    AUDIO = "Audio"


class RuleMatch(Part):
    """What a prompt must be like; everything that is written must hold."""

    content: Content | None = None
    """The prompt carries this kind of content."""
    prompt_tokens_over: Annotated[int, Number(minimum=1)] | None = None
    """The prompt is longer than this, in tokens."""
    category: Name | None = None
    """The category that the classifier gave."""


class RouteRule(Part):
    """Reserved: a route to take for some prompts."""

    when: RuleMatch = RuleMatch()
    """Which prompts. Absent: all that no rule before took."""
    route: Name
    """A ModelRoute of this namespace."""


class ClassifierService(Part):
    """A Service of this namespace."""

    name: Name
    """The Service's name."""
    port: Annotated[int, Number(minimum=1, maximum=65535)]
    """The Service's port."""


class Classifier(Part):
    """Reserved: a service that gives a prompt its category."""

    service: ClassifierService
    """Who is asked."""
    timeout: Duration = "300ms"
    """How long it may take; then the prompt has no category."""


def _has_model_where_needed(spec: Any) -> bool:
    names = spec.get("modelNames", ())
    return "primary" not in spec or "model" in spec["primary"] or (bool(names) and all(n.endswith("*") for n in names))


class ModelRouteSpec(Part):
    """What answers which names, for whom, where."""

    model_names: Annotated[
        tuple[ModelNamePattern, ...] | None,
        Items(max_items=64, min_items=1, list_type=ListType.SET, absent="leave it out for the name of the route"),
    ] = None
    """The names that clients send as `model`; case matters. `qwen/*` and `*` stand for names of `primary.provider`'s
    catalogue. Absent: the name of this object."""
    consumers: Consumers = Consumers()
    """Whose requests the route answers; by default those of every consumer of this namespace."""
    regions: Annotated[
        tuple[Name, ...] | None,
        Items(max_items=64, min_items=1, list_type=ListType.SET, absent="leave it out for all regions"),
    ] = None
    """Regions of the gateways where requests may enter. Absent: all regions of the installation."""
    residency: Residency = Residency.ANY
    """Where any attempt, shadow, canary or downgrade of a request may be processed. `Any`: everywhere. `Geo`: in
    regions of the gateway's geo. `Region`: in the gateway's region. Endpoints without a region serve only `Any`."""
    primary: PrimaryTarget | None = None
    """What answers. Swapping a model is changing this. Absent only where `rules` pick another route."""
    fallbacks: Annotated[tuple[FallbackTarget, ...], Items(max_items=8)] = ()
    """What is tried, in this order, when the primary fails in all its regions."""
    downgrade_to: Name | None = None
    """The ModelRoute of this namespace that answers instead when a budget says `Downgrade`. Absent: a downgrade changes
    nothing here."""
    max_attempts: Annotated[int, Number(minimum=1, maximum=16)] | None = None
    """Real attempts per request. Absent: as many as there are rungs, the last resort included."""
    max_output_tokens: Annotated[int, Number(minimum=1)] | None = None
    """Set on requests that name no limit, cap on those that name a larger one; bounds what a request can cost. Absent:
    requests pass as they are."""
    timeouts: Timeouts = Timeouts()
    """How long a request may wait for what."""
    shadow: ShadowTarget | None = None
    """A model that receives copies of requests, to look at it. For a planned move, write shadow steps in `rollout`."""
    rollout: Rollout | None = None
    """How a change of `primary` takes its traffic. Absent: a change acts at once."""
    rules: Annotated[tuple[RouteRule, ...], Items(max_items=16, min_items=1)] | None = None
    """Reserved: pick another route by what the prompt is like. Accepted, answered by `reserved`, not in effect."""
    classifier: Classifier | None = None
    """Reserved: the service that gives prompts the category that `rules` match."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: not ("primary" in value and "rules" in value),
            cel="!(has(self.primary) && has(self.rules))",
            message="got both `primary` (it answers) and `rules` (they pick another route), want one, remove the other",
            reads=("primary", "rules"),
        ),
        Rule(
            holds=lambda value: "primary" in value or "rules" in value,
            cel="has(self.primary) || has(self.rules)",
            message="got no `primary`, want what answers, add `primary: {provider: ..., model: ...}`",
            reads=("primary", "rules"),
            field="primary",
        ),
        Rule(
            holds=lambda value: (
                not ("rules" in value and ("fallbacks" in value or "rollout" in value or "shadow" in value))
            ),
            cel="!has(self.rules) || (!has(self.fallbacks) && !has(self.rollout) && !has(self.shadow))",
            message="got `rules` with `fallbacks`, `shadow` or `rollout`, want these on the routes that the rules name,"
            " move them there",
            reads=("rules", "fallbacks", "rollout", "shadow"),
        ),
        Rule(
            holds=_has_model_where_needed,
            cel="!has(self.primary) || has(self.primary.model)"
            " || (has(self.modelNames) && self.modelNames.all(n, n.endsWith('*')))",
            message="got no `primary.model`, want one unless every entry of `modelNames` ends in `*`, add it",
            reads=("primary", "modelNames"),
            field="primary.model",
        ),
        Rule(
            holds=lambda value: "classifier" not in value or "rules" in value,
            cel="!has(self.classifier) || has(self.rules)",
            message="got `classifier` without `rules`, want the rules that match its category, add them",
            reads=("classifier", "rules"),
            field="classifier",
        ),
        Rule(
            holds=lambda value: "rollout" not in value or "model" in value.get("primary", {}),
            cel="!has(self.rollout) || (has(self.primary) && has(self.primary.model))",
            message="got `rollout` without `primary.model`, want the model to roll out, add it or remove `rollout`",
            reads=("rollout", "primary"),
            field="rollout",
        ),
    )


class ModelRoute(Resource):
    """A name that clients call, and what answers it."""

    kind: ClassVar[str] = "ModelRoute"
    plural: ClassVar[str] = "modelroutes"
    short_name: ClassVar[str] = "mr"

    constraints: ClassVar = (
        Rule(
            holds=lambda value: value["spec"].get("downgradeTo") != value["metadata"]["name"],
            cel="!has(self.spec.downgradeTo) || self.spec.downgradeTo != self.metadata.name",
            message="got the route itself, want another route of this namespace, change `downgradeTo`",
            reads=("spec", "metadata"),
            field="spec.downgradeTo",
        ),
    )

    spec: ModelRouteSpec
    """What answers which names, for whom, where."""
