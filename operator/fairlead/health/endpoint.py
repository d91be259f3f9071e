"""What is declared of an endpoint, what can be told of it, and how it stands.

An endpoint is named `provider/endpoint` everywhere. Times are milliseconds since 1970-01-01Z, durations milliseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fairlead.health.attempts import Outcome
from fairlead.statuses import Failure


class State(StrEnum):
    """How an endpoint stands."""

    UNKNOWN = "Unknown"
    """Nobody has asked it anything, or no route uses it. It keeps its whole share."""
    HEALTHY = "Healthy"
    SUSPECT = "Suspect"
    """Something fails there, not long or not clearly enough to move everything; its share may be less."""
    DOWN = "Down"
    RECOVERING = "Recovering"
    """It comes back by steps."""
    DRAINED = "Drained"
    """Somebody has sent its traffic away, for a time."""


class Cause(StrEnum):
    """Why an endpoint stands as it does, where no `Failure` says it. The words are reasons of conditions."""

    NOT_USED = "NotUsed"
    """No route uses it."""
    PENDING = "Pending"
    """Nothing has been told of it yet."""
    HEALTHY = "Healthy"
    ERROR_RATE = "ErrorRate"
    """Too many of its attempts fail, and not all."""
    SLOW = "Slow"
    """First bytes of streams take ten times as long as they used to."""
    RETURNING = "Returning"
    """It is well again, and its share grows by steps."""
    PROBES_UNRELIABLE = "ProbesUnreliable"
    """Its probes fail, and so do most others at once: it is the observer that seems to be cut off."""
    REGION_DOWN = "RegionDown"
    """It is well; its region is not."""
    DRAINED = "Drained"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What is declared of an endpoint."""

    name: str
    """`provider/endpoint`."""
    provider: str
    region: str
    """Empty for an anycast endpoint."""
    interval_ms: int
    """From one probe to the next; at least 1000. The machine counts all of its times in it."""
    timeout_ms: int
    unhealthy_threshold: int
    """Failed probes in a row that mean Down; at least 1."""
    healthy_threshold: int
    """Good probes in a row that begin the return; at least 1."""
    probed: bool = True
    """False: `healthCheck.type: None`; real traffic alone decides."""
    models: int = 1
    """How many of its models routes use. Where none is, it is not probed, and stays Unknown."""
    identity: str = ""
    """What its address and credential are, without secrets: another one, and all that was told before is forgotten."""

    @property
    def used(self) -> bool:
        """Whether a route uses it."""
        return self.models > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One probe that has ended."""

    endpoint: str
    began_ms: int
    ended_ms: int
    failure: Failure | None
    """None: it is alive."""
    status: int = 0
    """HTTP status; 0 without an answer."""
    detail: str = ""
    """Of a failure without an answer, what system or TLS said: `connection refused`. One line; often empty."""
    with_credential: bool = False
    """Whether the credential went with it: only then 401 and 403 mean something, and a success proves the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What all gateways of one region saw at one target since they were asked before.

    There is one for every target of a region whose gateways could be read, also where nothing was counted.
    """

    endpoint: str
    target: str
    """`provider/endpoint/model`."""
    region: str
    """Of the gateways."""
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    """New attempts, by what they came to."""
    ejected: bool = False
    """Whether a gateway leaves it out at this moment."""
    nameless: bool = False
    """Whether a gateway finds no address for its name at this moment."""
    first_byte_ms: Mapping[int, int] = field(default_factory=dict)
    """New streams that began to answer: the number in each bucket of a histogram, by the bucket's upper bound in
    milliseconds (those above the last bound: under the last bound). Not cumulative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointHealth:
    """How one endpoint stands: what is shown, and what traffic follows."""

    state: State = State.UNKNOWN
    since_ms: int = 0
    """When this state began."""
    reason: Failure | Cause = Cause.PENDING
    message: str = ""
    """One line, no final period; empty where the reason says it all."""
    share: int = 100
    """Percentage of the traffic that it is declared for: 0, 10, 50 or 100."""
    status: int = 0
    """The HTTP status that the reason is about; 0 for none."""


def words(reason: Failure | Cause, status: int = 0) -> str:
    """Say a reason; empty where the state says it all."""
    if status and reason is not Cause.SLOW:
        return (
            f"answers {status}" if isinstance(reason, Failure) else f"a quarter of the attempts or more fail: {status}"
        )
    return _WORDS.get(reason, "")


_WORDS: dict[Failure | Cause, str] = {
    Failure.CREDENTIAL_REJECTED: "the credential is refused",
    Failure.PAYMENT_REQUIRED: "the account there has no credit left",
    Failure.NOT_FOUND: "nothing is there",
    Failure.REDIRECTED: "it redirects",
    Failure.RATE_LIMITED: "its rate limit is reached",
    Failure.SERVER_ERROR: "an error of its own",
    Failure.TIMED_OUT: "no answer in time",
    Failure.CONNECTION_FAILED: "connection refused, unreachable, or its TLS fails",
    Failure.CONNECTION_CUT: "connections end before the answer is whole",
    Failure.NO_HTTP: "no HTTP is spoken there, or answers end before they are whole",
    Failure.UNRESOLVABLE: "its name leads to no address",
    Failure.EJECTED: "gateways leave it out for a while",
    Cause.PENDING: "nobody has asked it yet",
    Cause.ERROR_RATE: "a quarter of the attempts or more fail",
    Cause.SLOW: "streams begin ten times as late as they used to",
    Cause.RETURNING: "well again, its traffic comes back by steps",
    Cause.PROBES_UNRELIABLE: "its probes fail, as most others do at once",
}
