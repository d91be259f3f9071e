"""Rules: which requests of a route another one answers, by what they are like."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRange:
    """Numbers from one on, below another; None: no bound on that side."""

    at_least: int | None = None
    below: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a request must be like; all that are not None must hold, and one is not."""

    images: bool | None = None
    """Whether the prompt has pictures."""
    tools: bool | None = None
    """Whether there is a tool in the request's list."""
    json: bool | None = None
    """Whether the answer is to be JSON."""
    prompt_tokens: TokenRange | None = None
    """Of the prompt's text, four bytes a token."""
    max_output_tokens: TokenRange | None = None
    """The request's own limit; one without a limit matches no range."""
    last_user_contains: tuple[str, ...] = ()
    """Literals, folded by `ir.fold`; one of them stands in the folded last text of the user. Empty: any text."""
    category: str | None = None
    """What the route's classifier says of that text; asked last, when all else holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRule:
    """Requests that another route of the gateway answers."""

    name: str
    """Unique in its route, and not `PRIMARY`."""
    route: str
    """`namespace/name` of a route of the gateway that has one plan without a key, of chat."""
    conditions: Conditions


PRIMARY = "none"
"""What stands for the name of a rule where none applies."""
BYTES_PER_TOKEN = 4
