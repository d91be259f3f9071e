"""What Fairlead says about an object: condition types, their reasons, one condition."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class _Documented(StrEnum):
    """A word and what it means, which the reference prints."""

    doc: str

    def __new__(cls, value: str, doc: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.doc = doc
        return member


class ConditionType(_Documented):
    """What is said. Of the first five True is well; the last two are kstatus' words, and are there only while True."""

    ACCEPTED = "Accepted", "The object is well-formed and is allowed to say what it says."
    RESOLVED_REFS = "ResolvedRefs", "Everything that the object names exists and may be used."
    PROGRAMMED = "Programmed", "Every ready gateway serves this generation of the object."
    ENFORCED = "Enforced", "Of a BudgetPolicy: a budget server decides by it, and its store answers."
    READY = "Ready", "The object does its work: a route is answered, a provider can be reached, a consumer's key opens."
    RECONCILING = "Reconciling", "Of a ModelRoute: a rollout is under way. Absent otherwise."
    STALLED = "Stalled", "Of a ModelRoute: what Git asks for was sent back and does not serve. Absent otherwise."


ABNORMAL = frozenset({ConditionType.RECONCILING, ConditionType.STALLED})
"""Those that are absent where they are not True."""


class ConditionStatus(StrEnum):
    """How a condition stands."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Reason(_Documented):
    """Why a condition stands as it does. `REASONS` says which belongs where."""

    ACCEPTED = "Accepted", "It is taken as written."
    INVALID = "Invalid", "It breaks the schema or a rule; the last good version stays in effect."
    NAME_CONFLICT = "NameConflict", "Another, older object answers one of its names, or has its name."
    DUPLICATE_KEY = "DuplicateKey", "Another consumer holds the same API key."
    NAMESPACE_NOT_ALLOWED = (
        "NamespaceNotAllowed",
        "Objects of this kind, or this choice of namespaces, do not count in this namespace.",
    )
    IMMUTABLE = "Immutable", "A field was changed that cannot change; the version before stays in effect."
    RESOLVED_REFS = "ResolvedRefs", "Everything that it names is there."
    PROVIDER_NOT_FOUND = "ProviderNotFound", "No ModelProvider of this name in the installation's namespace."
    PROVIDER_NOT_ALLOWED = "ProviderNotAllowed", "The provider's `allowedRoutes` leave this namespace out."
    MODEL_NOT_FOUND = "ModelNotFound", "The provider's catalogue has no model of this name, or no endpoint serves it."
    MODEL_TYPE_MISMATCH = (
        "ModelTypeMismatch",
        "Targets of one route differ in type: another model's vectors are no substitute.",
    )
    ROUTE_NOT_FOUND = "RouteNotFound", "No ModelRoute of this name in the namespace."
    REGION_NOT_FOUND = "RegionNotFound", "The installation has no region of this name."
    CONSUMER_NOT_FOUND = "ConsumerNotFound", "No ModelConsumer of this name in the chosen namespaces."
    SECRET_NOT_FOUND = (
        "SecretNotFound",
        "The Secret, or its key, does not exist; of `Programmed`, the one that gateways mount.",
    )
    KEY_NOT_USABLE = "KeyNotUsable", "The value of an API key is none that a client can send."
    SECRET_NOT_READABLE = (
        "SecretNotReadable",
        "The Secret exists but Fairlead may not read it; the message has the command that allows it.",
    )
    NO_TARGET_IN_RESIDENCY = "NoTargetInResidency", "`residency` leaves no endpoint for a region where requests enter."
    PROGRAMMED = "Programmed", "Every ready gateway serves it."
    GATEWAY_BEHIND = "GatewayBehind", "A gateway serves an older configuration."
    KEYS_NOT_WRITTEN = "KeysNotWritten", "The API server refuses the Secret of keys; gateways keep those before."
    CREDENTIAL_NOT_MOUNTED = (
        "CredentialNotMounted",
        "A gateway's pods do not mount a Secret yet; they serve what was there before, and the message says why.",
    )
    TOO_LARGE = "TooLarge", "The rendered configuration does not fit where it has to go; gateways keep the one before."
    REFUSED_BY_GATEWAY = "RefusedByGateway", "Envoy refused the configuration and keeps the one before."
    NOT_IN_EFFECT = "NotInEffect", "The object is not part of any gateway's configuration."
    READY = "Ready", "It does its work."
    NOT_ENFORCED = (
        "NotEnforced",
        "Accepted, but without effect: this version gives it none, or nobody can decide by it at the moment.",
    )
    ENFORCED = "Enforced", "Requests are checked against it."
    FAILING_OPEN = (
        "FailingOpen",
        "Nobody can decide at the moment, and requests pass unchecked (`failurePolicy: Open`).",
    )
    FAILING_CLOSED = (
        "FailingClosed",
        "Nobody can decide at the moment, and requests are refused with 503 (`failurePolicy: Closed`).",
    )
    NO_BUDGET_SERVER = "NoBudgetServer", "This installation runs no budget server (`budgetServer.enabled`)."
    ALL_TARGETS_DOWN = (
        "AllTargetsDown",
        "Every target is ejected or known to be down; requests still go to the last resort.",
    )
    CREDENTIAL_REJECTED = (
        "CredentialRejected",
        "An endpoint answers 401, 403, 407, 423 or 451, or the gateways have no credential to send.",
    )
    PAYMENT_REQUIRED = "PaymentRequired", "An endpoint answers 402: the account there has no credit left."
    NOT_FOUND = "NotFound", "An endpoint answers 404, 405 or 410: `baseURL` lacks `/v1`, or it has no such model."
    REDIRECTED = "Redirected", "An endpoint answers with a redirect, which is not followed, 421 or 426."
    RATE_LIMITED = "RateLimited", "An endpoint answers 429 or 498 and nothing else."
    SERVER_ERROR = "ServerError", "An endpoint answers 5xx or 425 and nothing else."
    TIMED_OUT = "TimedOut", "An endpoint does not answer in time."
    CONNECTION_FAILED = "ConnectionFailed", "No connection to an endpoint: refused, unreachable, or its TLS fails."
    CONNECTION_CUT = "ConnectionCut", "An endpoint ends connections before the answer is whole."
    NO_HTTP = (
        "NoHTTP",
        "An endpoint speaks no HTTP, or ends its answers half-way: `baseURL` may be wrong about `https`.",
    )
    UNRESOLVABLE = "Unresolvable", "The name of an endpoint leads to no address."
    EJECTED = "Ejected", "Gateways leave an endpoint out for a while because it failed so often."
    ERROR_RATE = "ErrorRate", "A quarter of the attempts at an endpoint or more fail: its share is lowered by steps."
    SLOW = "Slow", "Streams of an endpoint begin ten times as late as they used to: its share is lowered by steps."
    EXPIRED = "Expired", "`expiresAt` has passed."
    ROLLING_OUT = (
        "RollingOut",
        "A rollout is under way and goes on by itself; Ready says how the route serves meanwhile.",
    )
    AWAITING_PROMOTION = "AwaitingPromotion", "A step of a rollout waits for `fairlead rollout promote`."
    PAUSED_BY_HAND = "PausedByHand", "A person paused a rollout; it waits for `fairlead rollout resume`."
    ROLLED_BACK = "RolledBack", "A rollout broke a bound: the stable target serves, and Git asks for another."
    ABORTED = (
        "Aborted",
        "A rollout was ended or undone by hand, or its target exists no more: another serves than Git asks for.",
    )
    LAST_GOOD = "LastGood", "An older version serves in place of this one."
    PENDING = "Pending", "Not judged yet."


class EndpointReason(_Documented):
    """Why an endpoint stands as it does, where it is nothing that fails: what fails is a reason of `Ready`, too."""

    NOT_USED = "NotUsed", "No route uses it; it is not probed."
    PENDING = "Pending", "Nothing has been told of it yet."
    HEALTHY = "Healthy", "It does its work."
    RETURNING = "Returning", "It is well again, and its traffic comes back by steps: 10, 50, 100 %."
    PROBES_UNRELIABLE = (
        "ProbesUnreliable",
        "Its probes fail, and so do most others at once: whoever asks seems to be cut off; real traffic decides.",
    )
    REGION_DOWN = "RegionDown", "It is well; most of its region is not, so its traffic is elsewhere."
    DRAINED = "Drained", "Somebody has sent its traffic away; the message says until when."


_T, _F, _U = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN

REASONS: Mapping[tuple[ConditionType, ConditionStatus], tuple[Reason, ...]] = {
    (ConditionType.ACCEPTED, _T): (Reason.ACCEPTED,),
    (ConditionType.ACCEPTED, _F): (
        Reason.INVALID,
        Reason.NAME_CONFLICT,
        Reason.DUPLICATE_KEY,
        Reason.NAMESPACE_NOT_ALLOWED,
        Reason.IMMUTABLE,
    ),
    (ConditionType.ACCEPTED, _U): (Reason.PENDING,),
    (ConditionType.RESOLVED_REFS, _T): (Reason.RESOLVED_REFS,),
    (ConditionType.RESOLVED_REFS, _F): (
        Reason.PROVIDER_NOT_FOUND,
        Reason.PROVIDER_NOT_ALLOWED,
        Reason.MODEL_NOT_FOUND,
        Reason.MODEL_TYPE_MISMATCH,
        Reason.ROUTE_NOT_FOUND,
        Reason.REGION_NOT_FOUND,
        Reason.CONSUMER_NOT_FOUND,
        Reason.SECRET_NOT_FOUND,
        Reason.KEY_NOT_USABLE,
        Reason.SECRET_NOT_READABLE,
        Reason.NO_TARGET_IN_RESIDENCY,
    ),
    (ConditionType.RESOLVED_REFS, _U): (Reason.PENDING,),
    (ConditionType.PROGRAMMED, _T): (Reason.PROGRAMMED,),
    (ConditionType.PROGRAMMED, _F): (
        Reason.GATEWAY_BEHIND,
        Reason.CREDENTIAL_NOT_MOUNTED,
        Reason.KEYS_NOT_WRITTEN,
        Reason.TOO_LARGE,
        Reason.SECRET_NOT_FOUND,
        Reason.REFUSED_BY_GATEWAY,
        Reason.NOT_IN_EFFECT,
        Reason.LAST_GOOD,
    ),
    (ConditionType.PROGRAMMED, _U): (Reason.PENDING,),
    (ConditionType.ENFORCED, _T): (Reason.ENFORCED,),
    (ConditionType.ENFORCED, _F): (
        Reason.FAILING_OPEN,
        Reason.FAILING_CLOSED,
        Reason.NO_BUDGET_SERVER,
        Reason.NOT_IN_EFFECT,
    ),
    (ConditionType.ENFORCED, _U): (Reason.PENDING,),
    (ConditionType.READY, _T): (Reason.READY,),
    (ConditionType.READY, _F): (
        Reason.NOT_IN_EFFECT,
        Reason.NOT_ENFORCED,
        Reason.ALL_TARGETS_DOWN,
        Reason.CREDENTIAL_REJECTED,
        Reason.PAYMENT_REQUIRED,
        Reason.NOT_FOUND,
        Reason.REDIRECTED,
        Reason.RATE_LIMITED,
        Reason.SERVER_ERROR,
        Reason.TIMED_OUT,
        Reason.CONNECTION_FAILED,
        Reason.CONNECTION_CUT,
        Reason.NO_HTTP,
        Reason.UNRESOLVABLE,
        Reason.EJECTED,
        Reason.ERROR_RATE,
        Reason.SLOW,
        Reason.ROLLED_BACK,
        Reason.ABORTED,
        Reason.EXPIRED,
        Reason.LAST_GOOD,
    ),
    (ConditionType.READY, _U): (Reason.PENDING,),
    (ConditionType.RECONCILING, _T): (Reason.ROLLING_OUT, Reason.AWAITING_PROMOTION, Reason.PAUSED_BY_HAND),
    (ConditionType.STALLED, _T): (Reason.ROLLED_BACK, Reason.ABORTED),
}
"""Which reasons a condition type may have, by its status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing said about one generation of an object. When it last changed is for the writer to keep."""

    type: ConditionType
    status: ConditionStatus
    reason: Reason
    message: str
    """One line, no final period, no times, the same from one compilation to the next."""
    observed_generation: int | None = None

    def __post_init__(self) -> None:
        if self.reason not in REASONS[self.type, self.status]:
            message = f"{self.type}={self.status} has no reason {self.reason}"
            raise ValueError(message)
        if "\n" in self.message:
            raise ValueError(self.message)
