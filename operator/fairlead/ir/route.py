"""What answers a name: ladders, arms, timers, shadow."""

from dataclasses import dataclass
from enum import StrEnum

from fairlead.ir.cache import Cache
from fairlead.ir.cascade import Cascade
from fairlead.ir.classifier import Classifier
from fairlead.ir.kind import ModelKind
from fairlead.ir.need import Need
from fairlead.ir.rule import RouteRule
from fairlead.ir.target import Hints


class Side(StrEnum):
    """Which side of a rollout an arm belongs to."""

    STABLE = "stable"
    CANDIDATE = "candidate"


_OF_CANDIDATE = "-candidate"


class Stickiness(StrEnum):
    """What keeps a request on its side while a rollout runs."""

    CONSUMER = "Consumer"
    REQUEST = "Request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Ordered rungs: attempt n takes the n-th, an ejected one is skipped. Rendered as an Envoy composite cluster."""

    name: str
    """`<route>/<arm>`, of a plan with a key `<route>/<key>/<arm>`, arms counted from 0. Unique among the ladders of a
    gateway and stable from one compilation to the next. Without a key, a candidate's are `<route>/<arm>-candidate`.
    Another order than declared is another name: `...-<digest>`, of a plan with a key `<route>/<key>!<digest>/<arm>`."""
    rungs: tuple[str, ...]
    """Names of targets, no target twice, at least one."""
    last_resort: str
    """Name of the `LastResort` that ends the ladder; the same for all ladders of a plan."""


def ladder_name(stem: str, arm: int, side: Side) -> str:
    """Name the ladder of an arm of a plan without a key, so that who counts by ladder can tell the sides apart."""
    return f"{stem}/{arm}{_OF_CANDIDATE if side is Side.CANDIDATE else ''}"


def side_of(ladder: str) -> Side:
    """Tell whose a ladder is, by its name."""
    return Side.CANDIDATE if _OF_CANDIDATE in ladder.rpartition("/")[2] else Side.STABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One ladder with its share of a plan's traffic."""

    ladder: str
    weight: int
    """Share in basis points (10,000 = all); the arms of a plan sum to 10,000."""
    side: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What requests meet on a plan that only some rungs can answer."""

    need: Need
    last_resort: str
    """Name of the `LastResort` that ends their ladders: of the first rung that can answer."""
    last_model: str
    """As `Plan.last_model`."""
    last_target: str
    """As `Plan.last_target`."""
    apart: bool
    """The plan has other rungs, which such requests pass over: they have ladders of their own."""
    max_tokens: int | None = None
    """Of `CHAT`: the limit of an answer's tokens in those other words where the client says none."""
    hints: Hints | None = None
    """Of `CHAT`: what all rungs have that want those other words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converse:
    """What rungs have that want requests in the words of Bedrock's Converse."""

    chat: bool
    """Whether they take chat/completions, too, and not messages alone."""
    claude: bool
    """Whether all their models are Claude's, who alone has there all of what Messages have."""
    hints: Hints | None = None
    """What all of them have."""


_PARTS = (Need.CHAT, Need.RESPONSES)
"""What has a dialect of its own only where not all who speak OpenAI's API, or others too, meet it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A rung whose endpoint keeps its answers, for requests that go on from one: they go to its last resort alone."""

    target: str
    wire_model: str
    stopped: bool = False
    """The endpoint is down or drained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One way to answer requests of a route."""

    key: str
    """What picks the plan: `Entry.plan` says the key for a name. The name of a model in a wildcard route; empty for the
    plan of a route that has one way only. Unique in its route; one word, without spaces."""
    kind: ModelKind
    """Of every rung of every arm. A catalogue has several kinds, so plans of one route may differ."""
    arms: tuple[Arm, ...]
    """In the order of their index. Plans of one route may differ in their number."""
    last_model: str
    """The wire id to use at the last resort (a last resort is shared, so its cluster carries no model)."""
    last_target: str
    """What `x-fairlead-target` says when the last resort answers: `provider/endpoint/model`."""
    dialects: tuple[Dialect, ...] = ()
    """What some rung of every arm meets, sorted. `CHAT` only where one wants other words or speaks no more of OpenAI's
    API, `RESPONSES` only where one that speaks it lacks them: else what `OPENAI` has counts for both. None: all speak
    all of OpenAI's."""

    translated: bool = False
    """Some rung wants messages in the words of chat/completions."""
    hints: Hints | None = None
    """What all of those have."""
    converse: Converse | None = None
    """Of the rungs that want both in the words of Converse; None = there is none."""
    pins: tuple[Pin, ...] | None = None
    """In the order of the ladders, each once. None: no answer can be gone on from."""
    refused: Need | None = None
    """What no rung has of the API that it speaks: such requests are refused. None: each API is spoken as a whole."""

    @property
    def worded(self) -> Dialect | None:
        """What requests to chat/completions meet where some rung wants them in other words."""
        return next((one for one in self.dialects if one.max_tokens is not None), None)

    def worded_for(self, needs: Need | None) -> bool:
        """Tell whether some rung wants other words: of messages, which need nothing, or of chat/completions."""
        if needs is None:
            return self.translated or self.converse is not None
        return needs is Need.CHAT and (self.worded is not None or (self.converse is not None and self.converse.chat))

    def speaks(self, need: Need) -> bool:
        """Tell whether requests that need this can be answered, whichever arm they take."""
        if need is self.refused:
            return False
        if not self.dialects:
            return need is not Need.ANTHROPIC
        return self._dialect(need) is not None

    def apart(self, need: Need) -> Dialect | None:
        """Return what requests that need this meet where they pass over other rungs."""
        found = self._dialect(need)
        return found if found is not None and found.apart else None

    def _dialect(self, need: Need) -> Dialect | None:
        own = next((one for one in self.dialects if one.need is need), None)
        if own is not None or need not in _PARTS or need is self.refused:
            return own
        return next((one for one in self.dialects if one.need is Need.OPENAI), None)


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
class Recording:
    """Pairs of answers that a recorder gets, the route's own and the shadow's to the same request."""

    share: int
    """Share in basis points of the requests that are copied."""
    redact: tuple[str, ...]
    """Kinds of what is taken out before anything is written, each one word in lower case."""
    service: str = ""
    """`host:port` of a recorder of the route's own; empty = the installation's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """A copy of a share of the requests, whose answers nobody waits for."""

    target: str
    """Name of a target of the gateway, of the same kind as all plans of the route; its copy goes through a hop of its
    own so that its tokens are metered."""
    sample: int
    """Share in basis points of the requests."""
    recording: Recording | None = None


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
    cascade: Cascade | None = None
    """The route is not `keyed` then, and a chat model answers it. `max_attempts` are those of each model."""
    rules: tuple[RouteRule, ...] = ()
    """The first that matches applies, to requests of chat. Names of a route's rules are unique."""
    cache: Cache | None = None
    """None = every request asks a provider."""
    classifier: Classifier | None = None
    """There where a rule asks for a category."""
    feedback: bool = False
    """Whether users may rate its answers."""

    @property
    def keyed(self) -> bool:
        """Whether requests are told apart by their plans' keys; else the route has one plan, which all of them take."""
        return any(plan.key for plan in self.plans)
