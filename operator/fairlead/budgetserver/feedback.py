"""What users think of answers: a thumb up or down by an answer's request id, counted by route, target and side.

Values and decisions: what is asked, which answers can be rated, what a rating comes to. Shelves remember answers.
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fairlead import ir
from fairlead.budgetserver.descriptor import ABSENT

KEPT_MS = 24 * 60 * 60 * 1000
"""How long an answer can be rated."""
MOST_KEPT = 100_000
"""Answers of an installation that can be rated; beyond that the oldest are forgotten, and counted."""
LONGEST_BODY = 1024
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_WANTED = '`{"request_id": "...", "rating": "up"}`'
_MEMBERS = ("request_id", "rating")
_WELL = range(200, 300)
_QUESTION = "-classifier"
"""How the id of a question to a classifier ends (`lua/request/category.lua`): its answer is no client's to judge."""


class Rating(StrEnum):
    """What a user thinks of an answer."""

    UP = "up"
    DOWN = "down"


class Outcome(StrEnum):
    """What came of a rating."""

    TAKEN = "taken"
    REPEATED = "repeated"
    """The same was said before, and is counted once."""
    CONTRADICTED = "contradicted"
    """The other was said before, and stays."""
    UNKNOWN = "unknown"
    """This caller got no such answer, as far as is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is known of an answer that can be rated."""

    route: str
    """`namespace/name` of the route that answered."""
    target: str
    """`provider/model`, the model as a word."""
    arm: ir.Side
    """Whose ladder answered."""


class FeedbackError(ValueError):
    """A body that is no rating; `param` is the member that is wrong, if it is one."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


def answer(*, request: str, route: str, target: str, cluster: str, status: int) -> Answer | None:
    """Return what can be rated of a request that ended; None where nothing of a provider's reached the client.

    `request` is its id; `target` is `provider/endpoint/model`, the model a word; `cluster` is where the request went, a
    ladder's.
    """
    provider, _, rest = target.partition("/")
    _, _, model = rest.partition("/")
    if status not in _WELL or not model or cluster in {"", ABSENT} or request.endswith(_QUESTION):
        return None
    return Answer(route=route, target=f"{provider}/{model}", arm=ir.side_of(cluster))


def read(body: bytes) -> tuple[str, Rating]:
    """Read a request's id and the rating. Raises `FeedbackError` for anything else, and for more than that."""
    try:
        found = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        if isinstance(error, FeedbackError):
            raise
        raise FeedbackError(f"The request body is no JSON; want {_WANTED}.") from error
    if not isinstance(found, dict):
        raise FeedbackError(f"The request body is no JSON object; want {_WANTED}.")
    for name in found:
        if name not in _MEMBERS:
            raise FeedbackError(f"The request body has a member that is not read here; want {_WANTED}.", name[:64])
    request, rating = (found.get(name) for name in _MEMBERS)
    if not isinstance(request, str) or not _ID.fullmatch(request):
        raise FeedbackError("The request_id parameter must be the `x-request-id` of an answer.", "request_id")
    if not isinstance(rating, str) or rating not in {one.value for one in Rating}:
        raise FeedbackError("The rating parameter must be `up` or `down`.", "rating")
    return request, Rating(rating)


def outcome(given: Rating, before: Rating | None) -> Outcome:
    """Return what comes of a rating of a known answer."""
    if before is None:
        return Outcome.TAKEN
    return Outcome.REPEATED if before is given else Outcome.CONTRADICTED


def encode(one: Answer) -> str:
    """Write an answer for a shelf."""
    return json.dumps([one.route, one.target, one.arm.value], separators=(",", ":"))


def decode(text: object) -> Answer | None:
    """Read what a shelf holds; None for what is no answer: what lies in a store is not believed."""
    try:
        route, target, arm = json.loads(str(text))
        if isinstance(route, str) and isinstance(target, str):
            return Answer(route=route, target=target, arm=ir.Side(arm))
    except (ValueError, TypeError, RecursionError):
        pass
    return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise FeedbackError(f"The request body has a member twice; want {_WANTED}.")
    return found
