"""Rules of a ModelRoute: which requests another route answers, by what they are like."""

from typing import Annotated, ClassVar

from pydantic import Field

from fairlead.api.form import INT64_MAX, Flag, Items, ListType, Literal, Name, Number
from fairlead.api.resource import Part
from fairlead.api.rule import Rule

MOST_RULES = 16
MOST_LITERALS = 16
LARGEST = 10**15 - 1
"""Up to there every JSON parser reads the same number, and no request that a gateway takes has a larger one."""
PRIMARY = "none"
"""What `x-fairlead-rule` says where no rule applies, so no rule's name."""


class TokenRange(Part):
    """Numbers of tokens from one on, below another."""

    at_least: Annotated[int, Number(minimum=1, maximum=LARGEST)] | None = None
    """So many, or more."""
    below: Annotated[int, Number(minimum=1, maximum=LARGEST)] | None = None
    """Fewer than so many."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: "atLeast" in value or "below" in value,
            cel="has(self.atLeast) || has(self.below)",
            message="got no bound, want `atLeast`, `below` or both, add one",
            reads=("atLeast", "below"),
        ),
        Rule(
            holds=lambda value: "atLeast" not in value or value.get("below", INT64_MAX) > value["atLeast"],
            cel="!has(self.atLeast) || !has(self.below) || self.below > self.atLeast",
            message="got `below` that is not above `atLeast`, want a range with numbers in it, raise `below`",
            reads=("atLeast", "below"),
            field="below",
        ),
    )


class RuleMatch(Part):
    """What a request must be like; everything that is written must hold."""

    images: Flag | None = None
    """Whether the prompt has pictures."""
    tools: Flag | None = None
    """Whether the request offers tools; an empty list is none."""
    json_: Annotated[Flag | None, Field(alias="json")] = None
    """Whether the answer is to be JSON."""
    prompt_tokens: TokenRange | None = None
    """How long the prompt is: its text without escapes, four bytes taken for a token, pictures aside."""
    max_output_tokens: TokenRange | None = None
    """The limit that the request sets on its output. One that sets none has no number, and does not match."""
    last_user_contains: Annotated[
        tuple[Literal, ...] | None,
        Items(max_items=MOST_LITERALS, min_items=1, list_type=ListType.SET, absent="leave it out for any text"),
    ] = None
    """The last text of the user has one of these in it. Letters of ASCII, and those of two bytes in UTF-8 (Greek,
    Cyrillic, accents), match in either case."""
    category: Name | None = None
    """One of `classifier.categories`: what the classifier says of the last text of the user. It is asked only when all
    else holds, and no rule before has matched. A request without a category does not match."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: any(
                name in value
                for name in (
                    "images",
                    "tools",
                    "json",
                    "promptTokens",
                    "maxOutputTokens",
                    "lastUserContains",
                    "category",
                )
            ),
            cel="has(self.images) || has(self.tools) || has(self.json) || has(self.promptTokens)"
            " || has(self.maxOutputTokens) || has(self.lastUserContains) || has(self.category)",
            message="got no condition, want at least one (`images`, `tools`, `json`, `promptTokens`, `maxOutputTokens`,"
            " `lastUserContains`, `category`), add one: without a match the primary answers",
        ),
    )


class RouteRule(Part):
    """Requests that another route answers."""

    name: Name
    """What `x-fairlead-rule` says on the answer, and the metrics."""
    when: RuleMatch
    """Which requests."""
    route: Name
    """The ModelRoute of this namespace that answers them, with its own ladder, rollout and `maxOutputTokens`; its rules
    do not apply. Callers need no right on its names."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: value["name"] != PRIMARY,
            cel=f"self.name != '{PRIMARY}'",
            message=f"got `{PRIMARY}`, which stands for the route's own primary, want another name, change it",
            reads=("name",),
            field="name",
        ),
    )
