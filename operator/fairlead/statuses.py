"""The one table of what becomes of a provider's answer by its status: every gateway and every judge reads this.

A status that means "this provider, or the gateway's account there" leads to the next rung; one that means "this
request" is the client's answer. Whoever counts towards an ejection must be out of a client's reach, else one client
could take a provider away from everybody.
"""

from dataclasses import dataclass
from enum import StrEnum


class Failure(StrEnum):
    """Why attempts at a target fail, by what a person has to look at. The words are reasons of conditions."""

    CREDENTIAL_REJECTED = "CredentialRejected"
    PAYMENT_REQUIRED = "PaymentRequired"
    NOT_FOUND = "NotFound"
    REDIRECTED = "Redirected"
    RATE_LIMITED = "RateLimited"
    SERVER_ERROR = "ServerError"
    TIMED_OUT = "TimedOut"
    CONNECTION_FAILED = "ConnectionFailed"
    CONNECTION_CUT = "ConnectionCut"
    NO_HTTP = "NoHTTP"
    UNRESOLVABLE = "Unresolvable"
    EJECTED = "Ejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a status, or a class of them, says about the provider that gives it. All lead to the next rung."""

    why: str
    """For people who read the documentation."""
    failure: Failure
    ejects: bool
    """Whether it counts towards an ejection, and moves traffic; False where a client's request can bring it about."""
    told: str | None = None
    """What a client is told after the last rung, as 502, with a place for the status; None = the answer as it is."""


_BASE_URL = "whoever runs the gateway has to check the base URL."
_NO_PATH = (
    "knows no such model or path ({}); whoever runs the gateway has to check the model's id and the base URL"
    " (does it lack /v1?)."
)
MEANINGS = {
    "3xx": Meaning(
        why="a client that followed would post its prompt and its headers there",
        failure=Failure.REDIRECTED,
        ejects=True,
        told=f"answered with a redirect ({{}}), which is not followed; {_BASE_URL}",
    ),
    "401": Meaning(
        why="it refuses the gateway's credential",
        failure=Failure.CREDENTIAL_REJECTED,
        ejects=True,
        told="refused the gateway's credential ({}); whoever runs the gateway has to check it.",
    ),
    "402": Meaning(
        why="the gateway's account there is empty",
        failure=Failure.PAYMENT_REQUIRED,
        ejects=True,
        told="says that the gateway's account has no credit left ({}); whoever runs the gateway has to top it up.",
    ),
    "403": Meaning(
        why="it refuses the gateway's credential, or its use of the model",
        failure=Failure.CREDENTIAL_REJECTED,
        ejects=True,
        told="refused the gateway's credential, or its use of this model ({}); whoever runs the gateway has to check"
        " it.",
    ),
    "404": Meaning(
        why="it lacks the model; a client could eject it by a path",
        failure=Failure.NOT_FOUND,
        ejects=False,
        told=_NO_PATH,
    ),
    "405": Meaning(
        why="it takes no POST at this path, so it lacks the API; as 404",
        failure=Failure.NOT_FOUND,
        ejects=False,
        told=_NO_PATH,
    ),
    "407": Meaning(
        why="a proxy before it wants a credential of its own",
        failure=Failure.CREDENTIAL_REJECTED,
        ejects=True,
        told="stands behind a proxy that wants a credential ({}); whoever runs the gateway has to check it.",
    ),
    "408": Meaning(
        why="it did not wait for the request, which the gateway sends at once; a long one can bring it about",
        failure=Failure.TIMED_OUT,
        ejects=False,
    ),
    "410": Meaning(
        why="the model, or its deployment, is there no more; as 404",
        failure=Failure.NOT_FOUND,
        ejects=False,
        told=_NO_PATH,
    ),
    "421": Meaning(
        why="it does not serve this host name",
        failure=Failure.REDIRECTED,
        ejects=True,
        told=f"says that this is another server's host name ({{}}); {_BASE_URL}",
    ),
    "423": Meaning(
        why="the account, or the deployment, is locked",
        failure=Failure.CREDENTIAL_REJECTED,
        ejects=True,
        told="says that the gateway's account or deployment is locked ({}); whoever runs the gateway has to check it.",
    ),
    "425": Meaning(
        why="it wants the request later, which the next rung can have now", failure=Failure.SERVER_ERROR, ejects=True
    ),
    "426": Meaning(
        why="it wants another protocol, TLS mostly",
        failure=Failure.REDIRECTED,
        ejects=True,
        told=f"wants another protocol ({{}}); {_BASE_URL}",
    ),
    "429": Meaning(why="its rate limit is reached", failure=Failure.RATE_LIMITED, ejects=True),
    "451": Meaning(
        why="it may not answer, from where it is; a prompt can bring it about",
        failure=Failure.CREDENTIAL_REJECTED,
        ejects=False,
    ),
    "470": Meaning(
        why="nobody's, but what the gateway makes of an answer that has no words in the client's API; a prompt can"
        " bring it about",
        failure=Failure.SERVER_ERROR,
        ejects=False,
    ),
    "498": Meaning(
        why="it has no capacity left (Groq)",
        failure=Failure.RATE_LIMITED,
        ejects=True,
        told="has no capacity left ({}); try again later.",
    ),
    "499": Meaning(
        why="it says that the gateway left, which it did not; a long request can bring it about",
        failure=Failure.TIMED_OUT,
        ejects=False,
    ),
    "5xx": Meaning(why="an error of its own", failure=Failure.SERVER_ERROR, ejects=True),
}
"""By status or class of it; a 504 is `TimedOut`. Every other 4xx means the request. 409 and 424 are among those: what
it conflicts with, or depends on, are the request's own."""


def meaning(status: int) -> Meaning | None:
    """Return what a status says about its provider; None where it is an answer, or the request's own fault."""
    return MEANINGS.get(str(status)) or MEANINGS.get(f"{status // 100}xx")


def codes() -> tuple[int, ...]:
    """List what leads to the next rung, without those of which the whole class does."""
    return tuple(sorted(int(status) for status in MEANINGS if status.isdecimal()))


def classes() -> tuple[int, ...]:
    """List the first digits of the statuses that lead to the next rung whatever the others are."""
    return tuple(sorted(int(status[0]) for status in MEANINGS if not status.isdecimal()))


def pattern() -> str:
    """Write as a regular expression what counts towards an ejection.

    Statuses that differ in the last digit stand together: each ladder has it, and those of a region are in one file.
    """
    last: dict[str, str] = {}
    for status, one in MEANINGS.items():
        if one.ejects:
            last[status[:2]] = last.get(status[:2], "") + status[2]
    joined = (first + (digits if len(digits) == 1 else f"[{digits}]") for first, digits in last.items())
    return "|".join(joined).replace("x", ".")
