"""What answers a name: ladders, arms, timers, shadow."""

from dataclasses import dataclass
from enum import StrEnum


class ModelKind(StrEnum):
    """What a model makes; decides which paths of the API a plan answers."""

    CHAT = "Chat"
    EMBEDDING = "Embedding"


class Side(StrEnum):
    """Which side of a rollout an arm belongs to."""

    STABLE = "stable"
    CANDIDATE = "candidate"


class Stickiness(StrEnum):
    """What keeps a request on its side while a rollout runs."""

    CONSUMER = "Consumer"
    REQUEST = "Request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Ordered rungs: attempt n takes the n-th, an ejected one is skipped. Rendered as an Envoy composite cluster."""

    name: str
    """`<route>/<arm>`, of a plan with a key `<route>/<key>/<arm>`, arms counted from 0. Unique among the ladders of a
    gateway and stable from one compilation to the next."""
    rungs: tuple[str, ...]
    """Names of targets, no target twice, at least one."""
    last_resort: str
    """Name of the `LastResort` that ends the ladder; the same for all ladders of a plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One ladder with its share of a plan's traffic."""

    ladder: str
    weight: int
    """Share in basis points (10,000 = all); the arms of a plan sum to 10,000."""
    side: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One way to answer requests of a route."""

    key: str
    """What picks the plan: `Entry.plan` says the key for a name. The name of a model in a wildcard route; empty for the
    plan of a route that has one way only. Unique in its route; one word, without spaces."""
    kind: ModelKind
    """Of every rung of every arm. A catalogue has both kinds, so plans of one route may differ."""
    arms: tuple[Arm, ...]
    """In the order of their index. Plans of one route may differ in their number."""
    last_model: str
    """The wire id to use at the last resort (a last resort is shared, so its cluster carries no model)."""
    last_target: str
    """What `x-fairlead-target` says when the last resort answers: `provider/endpoint/model`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """The timers of a route, in milliseconds."""

    first_byte_ms: int
    """Streams: from an attempt's start to its response headers; then the next rung."""
    response_ms: int
    """Not streamed: one attempt."""
    stream_idle_ms: int
    """Longest gap inside a stream."""
    request_ms: int
    """All attempts together; also cuts a stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """A copy of a share of the requests, whose answers nobody waits for."""

    target: str
    """Name of a target of the gateway, of the same kind as all plans of the route; its copy goes through a hop of its
    own so that its tokens are metered."""
    sample: int
    """Share in basis points of the requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A ModelRoute as this gateway serves it."""

    name: str
    """`namespace/name`: the value of `x-fairlead-route`."""
    plans: tuple[Plan, ...]
    """Sorted by `key`, at least one."""
    stickiness: Stickiness
    """Matters only while both sides have an arm; a spread over endpoints is drawn per request."""
    max_attempts: int
    """Real attempts, the last resort included: Envoy's `num_retries` + 1. Ladders may be longer (ejected rungs cost
    nothing) and, where there are several plans, shorter."""
    timeouts: Timeouts
    shadow: Shadow | None
    max_output_tokens: int | None
    """Set on requests without a limit of their own, cap on those with a larger one."""
    downgrade_to: str | None = None
    """Name of the gateway's route that answers instead when a budget says so; it is not `keyed`."""

    @property
    def keyed(self) -> bool:
        """Whether requests are told apart by their plans' keys; else the route has one plan, which all of them take."""
        return any(plan.key for plan in self.plans)
