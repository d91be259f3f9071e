"""The shape of `status.json`: what `fairlead up` writes and `fairlead status` believes."""

from typing import Any, NotRequired

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from fairlead.status import counted


class Ladder(TypedDict):
    """One ladder of a plan."""

    weight: str
    """`5%`."""
    targets: list[str]
    judged: NotRequired[list[str]]
    """Those whose answers a cascade judges."""


class Answer(TypedDict):
    """What answers some names of a route."""

    names: list[str]
    kind: str
    ladders: list[Ladder]
    lastResort: str


class Route(TypedDict):
    """One route at one gateway."""

    name: str
    maxAttempts: int
    shadow: str | None
    answers: list[Answer]


class TokenPrices(TypedDict):
    """What a million tokens cost, in nano-dollars."""

    input: int
    output: int
    cachedInput: int
    cacheWrite: NotRequired[int]
    cacheWrite1h: NotRequired[int]
    audioInput: NotRequired[int]
    audioOutput: NotRequired[int]
    imageInput: NotRequired[int]


class LongPrompts(TokenPrices):
    """The same of requests whose prompt has more tokens."""

    aboveTokens: int


class Price(TokenPrices):
    """All that a target takes, in nano-dollars."""

    longPrompts: NotRequired[LongPrompts]
    image: NotRequired[int]
    """What an image costs; the others below are named by what they are for."""
    minute: NotRequired[int]
    millionCharacters: NotRequired[int]
    thousandSearches: NotRequired[int]
    byUnits: NotRequired[bool]
    """True: images, or other units than tokens, cost something, too."""


class Target(TypedDict):
    """One target of a gateway, and the cluster whose host says how it is."""

    name: str
    region: str | None
    cluster: str
    price: Price | None
    """None: the catalogue names none."""


class Configuration(TypedDict):
    """How much the fullest file of a gateway takes of what it may."""

    percent: int
    file: str
    limitBytes: int


class Overloaded(TypedDict):
    """A gateway that refuses requests, or connections, for lack of room."""

    region: str
    since: str


class Region(TypedDict):
    """One region's gateway."""

    name: str
    geo: str
    listen: str
    metrics: str
    pid: int | None
    admin: str
    digest: str | None
    routes: list[Route]
    targets: list[Target]
    configuration: NotRequired[Configuration]


class Condition(TypedDict):
    """One condition of an object."""

    type: str
    status: str
    reason: str
    message: str


class Object(TypedDict):
    """One resource."""

    kind: str
    namespace: str
    name: str
    source: str
    serves: str
    conditions: list[Condition]


class Diagnostic(TypedDict):
    """One sentence about an object or a file."""

    weight: str
    subject: str
    source: str
    message: str


class Capacity(TypedDict):
    """What an endpoint can carry, as its owner says; None: unknown."""

    requestsPerMinute: int | None
    tokensPerMinute: int | None


class Endpoint(TypedDict):
    """One endpoint that is declared, and how it stands."""

    provider: str
    endpoint: str
    region: str | None
    used: bool
    """Whether a route uses it."""
    state: str
    share: str
    """Of its traffic, what it may have now: `100%`."""
    since: str | None
    """RFC 3339; None where nothing is known."""
    reason: str | None
    message: str
    probeUSD: str | None
    """What a probe of it costs in dollars; None where only its provider knows."""
    requestsPerMinute: int
    """What it carried in the last five minutes."""
    capacity: Capacity


class Failing(TypedDict):
    """An endpoint, or a target of one, that real traffic fails at."""

    subject: str
    targets: list[str]
    since: str
    reason: str
    message: str
    seenBy: list[str]
    """Regions whose gateways see it."""


class RolloutVerdict(TypedDict):
    """What one look at a step came to."""

    outcome: str
    measure: str | None
    message: str
    at: str


class FinishReason(TypedDict):
    """The share of the answers that ended for one reason."""

    reason: str
    share: str


class RolloutArm(TypedDict):
    """What one side of a rollout counted in its step."""

    requests: int
    failed: int
    errorRate: str | None
    worseRate: str | None
    """Of requests without a whole answer: failed, cut, or ended without saying why."""
    firstByteP95Ms: int | None
    usdPerRequest: str | None
    tokensPerRequest: int | None
    finishReasons: list[FinishReason]
    """Of the answers that say why they ended."""


class RolloutProgress(TypedDict):
    """What a step waits for."""

    stable: RolloutArm
    candidate: RolloutArm
    minRequests: int
    holdLeftSeconds: int | None
    leftSeconds: int | None
    """At the rate since the step began; None where nobody knows."""
    waitsFor: str


class Rollout(TypedDict):
    """How one route's rollout stands."""

    route: str
    phase: str
    reason: str
    step: int
    steps: int
    traffic: str
    shadow: str
    stable: str
    candidate: str | None
    previous: str | None
    since: str
    verdicts: list[RolloutVerdict]
    message: str
    degraded: bool
    """Whether Git asks for a target that was sent back."""
    order: str
    """Mark of the last order that was answered."""
    declined: str
    """Why it changed nothing; empty where it was carried out."""
    cohort: str
    """That the share is of too few callers; empty where it is not."""
    progress: RolloutProgress


class Document(TypedDict):
    """All of it."""

    written: NotRequired[str]
    """When, RFC 3339; an older version does not say."""
    regions: list[Region]
    drainedRegions: list[str]
    """Those that clients are to leave."""
    consumers: list[str]
    objects: list[Object]
    diagnostics: list[Diagnostic]
    endpoints: list[Endpoint]
    failing: list[Failing]
    overloaded: NotRequired[list[Overloaded]]
    caches: NotRequired[list[counted.Cache]]
    """Of each route that keeps answers."""
    classifiers: NotRequired[list[counted.Classifier]]
    """Of each route that asks one."""
    budgetServer: NotRequired[bool]
    """Whether anything needs a budget server; one that runs without need is told of no request, nor asked."""
    rollouts: list[Rollout]
    """Of routes that have a rollout, or whose target can go back."""


def counts(document: Document | None) -> bool:
    """Tell whether a budget server is to be asked what is spent; of what an older version wrote, if there is one."""
    return document is None or document.get("budgetServer", True)


_DOCUMENT: TypeAdapter[Document] = TypeAdapter(Document)


def decode(document: Any) -> Document:
    """Take a document that was read; raises `ValueError` where it has another shape."""
    return _DOCUMENT.validate_python(document, strict=True)
