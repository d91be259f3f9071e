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
    """What is said. Each is stated positively: True is well."""

    ACCEPTED = "Accepted", "The object is well-formed and is allowed to say what it says."
    RESOLVED_REFS = "ResolvedRefs", "Everything that the object names exists and may be used."
    PROGRAMMED = "Programmed", "Every ready gateway serves this generation of the object."
    ENFORCED = "Enforced", "Of a BudgetPolicy: a budget server decides by it, and its store answers."
    READY = "Ready", "The object does its work: a route is answered, a provider can be reached, a consumer's key opens."


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
    RESERVED = "Reserved", "It needs a field that is reserved for later."
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
        "An endpoint answers 401 or 403, or the gateways have no credential to send.",
    )
    PAYMENT_REQUIRED = "PaymentRequired", "An endpoint answers 402: the account there has no credit left."
    NOT_FOUND = "NotFound", "An endpoint answers 404: `baseURL` lacks `/v1`, or it has no such model."
    REDIRECTED = "Redirected", "An endpoint answers with a redirect, which is not followed."
    RATE_LIMITED = "RateLimited", "An endpoint answers 429 and nothing else."
    SERVER_ERROR = "ServerError", "An endpoint answers 5xx and nothing else."
    TIMED_OUT = "TimedOut", "An endpoint does not answer in time."
    CONNECTION_FAILED = "ConnectionFailed", "No connection to an endpoint: refused, unreachable, or its TLS fails."
    CONNECTION_CUT = "ConnectionCut", "An endpoint ends connections before the answer is whole."
    NO_HTTP = "NoHTTP", "An endpoint speaks no HTTP: `baseURL` is wrong about `https`."
    UNRESOLVABLE = "Unresolvable", "The name of an endpoint leads to no address."
    EJECTED = "Ejected", "Gateways leave an endpoint out for a while because it failed so often."
    EXPIRED = "Expired", "`expiresAt` has passed."
    LAST_GOOD = "LastGood", "An older version serves in place of this one."
    PENDING = "Pending", "Not judged yet."


_T, _F, _U = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN

REASONS: Mapping[tuple[ConditionType, ConditionStatus], tuple[Reason, ...]] = {
    (ConditionType.ACCEPTED, _T): (Reason.ACCEPTED,),
    (ConditionType.ACCEPTED, _F): (
        Reason.INVALID,
        Reason.NAME_CONFLICT,
        Reason.DUPLICATE_KEY,
        Reason.NAMESPACE_NOT_ALLOWED,
        Reason.IMMUTABLE,
        Reason.RESERVED,
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
        Reason.EXPIRED,
        Reason.LAST_GOOD,
    ),
    (ConditionType.READY, _U): (Reason.PENDING,),
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
