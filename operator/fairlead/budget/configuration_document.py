"""The form of the budget server's configuration: strict, so that a file that is wrong is told, and not half used."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from fairlead.budget.price import USD

LARGEST_LIMIT = 1_000_000_000 * USD
"""Limits above a billion dollars would leave 64 bits."""


class Part(BaseModel):
    """A mapping of the file."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False
    )


class EveryDocument(Part):
    """`Every`, as the file has it."""

    length_ms: int = Field(ge=1000)
    anchor_ms: int


class InCalendarDocument(Part):
    """`InCalendar`, as the file has it."""

    unit: str
    zone: str


class StageDocument(Part):
    """`Stage`, as the file has it."""

    at: int = Field(ge=0)
    action: str


class PolicyDocument(Part):
    """`Policy`, as the file has it."""

    name: str = Field(pattern=r"^[^/|]+/[^/|]+$")
    scope: str
    limit: int = Field(ge=0, le=LARGEST_LIMIT)
    every: EveryDocument | None = None
    calendar: InCalendarDocument | None = None
    stages: list[StageDocument] = []
    routes: list[str] | None = None


class ShadowLimitDocument(Part):
    """`ShadowLimit`, as the file has it."""

    limit: int = Field(ge=0, le=LARGEST_LIMIT)
    every: EveryDocument | None = None
    calendar: InCalendarDocument | None = None


class ShadowDocument(Part):
    """`Shadow`, as the file has it."""

    targets: list[str]
    limit: ShadowLimitDocument | None = None


class RouteDocument(Part):
    """`Route`, as the file has it."""

    max_output_tokens: int | None = None
    downgrade_to: str | None = None
    plans: dict[str, list[str]]
    cascade: bool = False
    shadow: ShadowDocument | None = None
    baseline: str | None = None
    feedback: bool = False
    cached: bool = False


class TokensDocument(Part):
    """The prices of tokens, as the file has them."""

    input: int = Field(ge=0)
    output: int = Field(ge=0)
    cached_input: int = Field(ge=0)
    cache_write: int | None = Field(default=None, ge=0)
    cache_write_1h: int | None = Field(default=None, ge=0, alias="cacheWrite1h")
    audio_input: int | None = Field(default=None, ge=0)
    audio_output: int | None = Field(default=None, ge=0)
    image_input: int | None = Field(default=None, ge=0)


class LongPromptsDocument(TokensDocument):
    """`LongPrompts`, as the file has it."""

    above_tokens: int = Field(ge=1)


class TargetDocument(TokensDocument):
    """`Target`, as the file has it."""

    long_prompts: LongPromptsDocument | None = None
    image: int | None = Field(default=None, ge=0)
    minute: int | None = Field(default=None, ge=0)
    million_characters: int | None = Field(default=None, ge=0)
    thousand_searches: int | None = Field(default=None, ge=0)
    known: bool = True
    max_output_tokens: int | None = None
    context_window: int | None = None
    generates: bool = True
    text: bool = True


class BudgetConfigurationDocument(Part):
    """`BudgetConfiguration`, as the file has it."""

    version: Literal[1]
    fail_closed: bool
    request_bytes: int = Field(ge=1)
    policies: list[PolicyDocument] = []
    consumers: dict[str, list[str]] = {}
    killed: list[str] = []
    routes: dict[str, RouteDocument] = {}
    targets: dict[str, TargetDocument] = {}
    in_flight: dict[str, Annotated[int, Field(ge=1)]] = {}
    shared_answers_bytes: int = Field(default=0, ge=0)
