"""ModelRoute: a name that clients call, and what answers it."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from fairlead.api import quantity
from fairlead.api.budget import Window
from fairlead.api.cascade import Cascade
from fairlead.api.classifier import Classifier
from fairlead.api.form import (
    Dollars,
    Duration,
    Items,
    ListType,
    ModelName,
    ModelNamePattern,
    Name,
    Number,
    PositiveShare,
    Share,
)
from fairlead.api.resource import Part, Resource
from fairlead.api.rollout import Rollout
from fairlead.api.route_cache import RouteCache
from fairlead.api.route_rules import MOST_RULES, RouteRule
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


class BaselineTarget(Part):
    """A model whose prices are compared with; nothing is sent there."""

    provider: Name
    """A ModelProvider of the installation's namespace that allows routes of this namespace."""
    model: ModelName
    """A name of the provider's catalogue."""


class ShadowLimit(Part):
    """How much the copies of a route's requests may cost together; no copy is sent beyond it."""

    usd: Dollars
    """Dollars in one window, as a string. `"0"` sends no copy."""
    window: Window | None = None
    """After what time the limit starts anew. Absent: never. It cannot change."""


class Redaction(StrEnum):
    """What is taken out of a pair before it is written."""

    MAIL = "Mail"
    PHONE = "Phone"
    CARD = "Card"
    KEY = "Key"


class FeedbackPolicy(StrEnum):
    """Whether users may rate answers."""

    ACCEPT = "Accept"
    IGNORE = "Ignore"


class RecorderService(Part):
    """A Service of this namespace; in `fairlead up` a host's name."""

    name: Name
    """The Service's name."""
    port: Annotated[int, Number(minimum=1, maximum=65535)]
    """The Service's port."""


class Recording(Part):
    """Pairs of answers, the route's own and the shadow's to the same request, for people to look at."""

    share: PositiveShare
    """The share of the copied requests that is recorded."""
    redact: Annotated[
        tuple[Redaction, ...] | None,
        Items(max_items=4, min_items=1, list_type=ListType.SET, absent="leave it out for all kinds"),
    ] = None
    """What is taken out of questions and answers before anything is written: mail addresses, phone numbers, payment
    cards, keys and tokens. `Key` is always taken out. Absent: all."""
    service: RecorderService | None = None
    """A Service of this namespace that runs `fairlead recorder serve`. Absent: the installation's recorder."""


class ShadowTarget(Part):
    """A model that receives copies of requests; its answers go to no client."""

    provider: Name
    """A ModelProvider of the installation's namespace that allows routes of this namespace."""
    model: ModelName
    """A name of the provider's catalogue."""
    sample: Share
    """The share of requests that is copied. Copies stay within `residency` and cost money."""
    limit: ShadowLimit | None = None
    """How much the copies may cost. Absent: they are counted, and not bounded."""
    record: Recording | None = None
    """Pairs of answers for people to look at, in shadow steps of a rollout, too. Absent: no answer is kept."""


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


def _to_itself(route: Any) -> list[int]:
    rules = route["spec"].get("rules", ())
    return [index for index, rule in enumerate(rules) if rule["route"] == route["metadata"]["name"]]


def _without_classifier(spec: Any) -> list[int]:
    known = spec.get("classifier", {}).get("categories", ())
    asked = [rule["when"].get("category") for rule in spec.get("rules", ())]
    return [index for index, category in enumerate(asked) if category is not None and category not in known]


def _asks(spec: Any) -> bool:
    return any("category" in rule["when"] for rule in spec.get("rules", ()))


def _has_model_where_needed(spec: Any) -> bool:
    names = spec.get("modelNames", ())
    return "model" in spec["primary"] or (bool(names) and all(n.endswith("*") for n in names))


def _has_another_model(spec: Any) -> bool:
    first = spec["primary"].get("model")
    others = (fallback.get("model", first) for fallback in spec.get("fallbacks", ()))
    return first is not None and any(model != first for model in others)


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
    primary: PrimaryTarget
    """What answers. Swapping a model is changing this."""
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
    baseline: BaselineTarget | None = None
    """What answers would have cost there, token by token: `fairlead budgets` says what the route saves against it."""
    feedback: FeedbackPolicy = FeedbackPolicy.IGNORE
    """`Accept`: whoever got an answer may rate it once, up or down, within 24 hours, at `/v1/feedback` by the answer's
    `x-request-id`; ratings are counted by target and side of a rollout. Gateways ask the budget server then."""
    rollout: Rollout | None = None
    """How a change of `primary` takes its traffic. Absent: a change acts at once."""
    rules: Annotated[
        tuple[RouteRule, ...],
        Items(max_items=MOST_RULES, list_type=ListType.MAP, keys=("name",)),
    ] = ()
    """Requests that other routes answer, by what they are like. The first that matches applies, once: the route that it
    leads to applies none. Without a match, and for a client that sends `x-fairlead-rule: none`, the primary answers."""
    classifier: Classifier | None = None
    """Who gives a request its category, for rules with `category` in `when`. Absent: nobody, and no rule asks."""
    cascade: Cascade | None = None
    """Judges answers: one that fails a check goes on to the next model of `fallbacks`, never to the same one elsewhere.
    Not for streams, nor for the last model's answer. Each model that is asked is paid. Absent: the first answer goes to
    the client."""
    cache: RouteCache | None = None
    """Answers that are given again to the very same request, without asking a provider. Absent: none is kept."""

    constraints: ClassVar = (
        Rule(
            holds=_has_model_where_needed,
            cel="has(self.primary.model) || (has(self.modelNames) && self.modelNames.all(n, n.endsWith('*')))",
            message="got no `primary.model`, want one unless every entry of `modelNames` ends in `*`, add it",
            reads=("primary", "modelNames"),
            field="primary.model",
        ),
        Rule(
            holds=lambda value: "cascade" not in value or _has_another_model(value),
            cel="!has(self.cascade) || (has(self.primary.model) && has(self.fallbacks)"
            " && self.fallbacks.exists(f, has(f.model) && f.model != self.primary.model))",
            message="got `cascade` without a model to go on to, want `primary.model`, another `model` in `fallbacks`,"
            " add them or remove `cascade`",
            reads=("cascade", "primary", "fallbacks"),
            field="cascade",
        ),
        Rule(
            holds=lambda value: "rollout" not in value or "model" in value["primary"],
            cel="!has(self.rollout) || has(self.primary.model)",
            message="got `rollout` without `primary.model`, want the model to roll out, add it or remove `rollout`",
            reads=("rollout", "primary"),
            field="rollout",
        ),
        Rule(
            holds=lambda value: not _without_classifier(value),
            cel="!has(self.rules) || self.rules.all(r, !has(r.when.category) || (has(self.classifier) &&"
            " r.when.category in self.classifier.categories))",
            message="got a category that no classifier gives, want one of `classifier.categories`, add it there or"
            " change it",
            reads=("rules", "classifier"),
            field="rules",
            places=lambda value: [f"rules[{index}].when.category" for index in _without_classifier(value)],
        ),
        Rule(
            holds=lambda value: "classifier" not in value or _asks(value),
            cel="!has(self.classifier) || (has(self.rules) && self.rules.exists(r, has(r.when.category)))",
            message="got `classifier` that nothing uses, want a rule with `category` in `when`, add one or remove it",
            reads=("classifier", "rules"),
            field="classifier",
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
        Rule(
            holds=lambda value: value["spec"].get("classifier", {}).get("route") != value["metadata"]["name"],
            cel="!has(self.spec.classifier) || !has(self.spec.classifier.route) || self.spec.classifier.route !="
            " self.metadata.name",
            message="got the route itself, want another route of this namespace, with a small model, change `route`",
            reads=("spec", "metadata"),
            field="spec.classifier.route",
        ),
        Rule(
            holds=lambda value: not _to_itself(value),
            cel="!has(self.spec.rules) || !self.spec.rules.exists(r, r.route == self.metadata.name)",
            message="got the route itself, want another route of this namespace, change `route`: without a match the"
            " primary answers",
            reads=("spec", "metadata"),
            field="spec.rules",
            places=lambda value: [f"spec.rules[{index}].route" for index in _to_itself(value)],
        ),
    )

    spec: ModelRouteSpec
    """What answers which names, for whom, where."""
