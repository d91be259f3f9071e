"""Cascades of a ModelRoute: an answer that fails a check goes on to the next model."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from fairlead.api.form import Items, ListType, Literal, Logprob, Number
from fairlead.api.resource import Part

MOST_LITERALS = 16
MOST_CHARACTERS = 100_000


class FinishReason(StrEnum):
    """Why an answer ended, whatever its API calls it."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"


class JsonCheck(StrEnum):
    """What JSON must be."""

    AS_REQUESTED = "AsRequested"
    OFF = "Off"


class ToolCallsCheck(StrEnum):
    """What calls of tools must be."""

    VALID = "Valid"
    OFF = "Off"


class RefusalCheck(StrEnum):
    """What becomes of a refusal."""

    ESCALATE = "Escalate"
    IGNORE = "Ignore"


class Accept(Part):
    """What an answer must be like; all of it must hold, for each of several choices."""

    finish_reason: Annotated[
        tuple[FinishReason, ...],
        Items(max_items=4, min_items=1, list_type=ListType.SET, absent="leave it out for `stop` and `tool_calls`"),
    ] = (FinishReason.STOP, FinishReason.TOOL_CALLS)
    """Why it may have ended. `length` is an answer that was cut by its limit. An answer that does not say why it ended,
    or names something else, is not accepted."""
    json_: Annotated[JsonCheck, Field(alias="json")] = JsonCheck.AS_REQUESTED
    """`AsRequested`: where the request asks for JSON, the text is some, and satisfies the request's schema: its types,
    required members, values of `enum`. `Off`: not looked at."""
    tool_calls: ToolCallsCheck = ToolCallsCheck.VALID
    """`Valid`: calls name a tool of the request, and their arguments are a JSON object. `Off`: not looked at."""
    min_characters: Annotated[int, Number(minimum=0, maximum=MOST_CHARACTERS)] = 1
    """The least characters of the text, blanks at its ends aside. An answer that calls tools needs no text."""
    refusal: RefusalCheck = RefusalCheck.ESCALATE
    """`Escalate`: an answer that refuses is not accepted: its provider says so, or it begins with a phrase of a list
    that comes with the gateway, in many languages. `Ignore`: not looked at."""
    contains: Annotated[
        tuple[Literal, ...] | None,
        Items(max_items=MOST_LITERALS, min_items=1, list_type=ListType.SET, absent="leave it out for any text"),
    ] = None
    """All of these stand in the text, in either case."""
    not_contains: Annotated[
        tuple[Literal, ...] | None,
        Items(max_items=MOST_LITERALS, min_items=1, list_type=ListType.SET, absent="leave it out for any text"),
    ] = None
    """None of these stands in the text, in either case."""
    min_mean_logprob: Logprob | None = None
    """The least mean of the tokens' log probabilities, as a string such as `"-1.5"`; looked at where the client asked
    for them (`logprobs`)."""


class Cascade(Part):
    """How answers are judged. Streams are not, nor is the answer of the last model."""

    accept: Accept = Accept()
    """What an answer must be like to go to the client; the next model is asked otherwise."""
