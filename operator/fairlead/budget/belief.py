"""What a provider says that it counted, and what of that can be true.

Believed are counts of both sides that are at most the model's context window, that contradict neither their own total
nor their own parts, and that are not zero where something went out. What is not believed is estimated, and the reason
is counted.

A total larger than both sides is no contradiction: some providers count hidden reasoning only there. Readers of answers
have added the difference to the output before it comes here.
"""

from dataclasses import dataclass
from enum import StrEnum

from fairlead.budget.estimate import Rung, believable
from fairlead.budget.price import Tokens

EMPTY_ANSWER_BYTES = 1024
"""What stands around an answer without a token, with usage, identifiers and the chunks of a stream, is no longer."""


class Doubt(StrEnum):
    """Why a request is estimated."""

    ABSENT = "absent"
    """The provider said nothing, or nobody heard it."""
    INCOMPLETE = "incomplete"
    """It counted one side only, or the other is no whole number."""
    CONTRADICTORY = "contradictory"
    """Its total, or a side, is smaller than its parts, or no count that can be read."""
    ZERO = "zero"
    """It counted nothing where something went in and out."""
    TOO_LARGE = "too_large"
    """It counted more than the model's context window."""
    UNPRICED = "unpriced"
    """It counted tokens of a kind that has no price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a provider said. None: not said, or no whole number."""

    said: bool = False
    """The provider said something, if only that it does not know yet."""
    input: int | None = None
    """All input tokens, whatever the provider's dialect adds up by itself."""
    output: int | None = None
    """All output tokens, hidden reasoning included."""
    contradictory: bool = False
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    audio_input: int = 0
    audio_output: int = 0
    image_input: int = 0
    units: int | None = None
    """What it made by another unit than tokens: images, searches."""

    @property
    def tokens(self) -> Tokens:
        """The counts as they would be priced; 0 for what was not said."""
        return Tokens(
            input=self.input or 0,
            output=self.output or 0,
            cached=self.cached,
            cache_write=self.cache_write,
            cache_write_1h=self.cache_write_1h,
            audio_input=self.audio_input,
            audio_output=self.audio_output,
            image_input=self.image_input,
        )


NOTHING_SAID = Claim()


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What is taken as true."""

    input: int | None
    """None: to be estimated."""
    output: int | None
    """None: to be estimated."""
    doubt: Doubt | None
    """None: everything is believed."""


def believe(claim: Claim, rung: Rung, *, sent_bytes: int) -> Belief:
    """Judge a claim about a request that `rung` answered with so many bytes."""
    inputs = claim.input
    outputs = claim.output if claim.output is not None or rung.generates else 0
    impossible = _impossible(claim, rung, sent_bytes)
    if impossible is not None:
        return Belief(input=None, output=None, doubt=impossible)
    if inputs is None or outputs is None:
        return Belief(input=inputs, output=outputs, doubt=Doubt.INCOMPLETE)
    if inputs == 0 and outputs > 0:  # no prompt that was answered is zero tokens
        return Belief(input=None, output=outputs, doubt=Doubt.ZERO)
    if outputs == 0 and rung.generates and sent_bytes > EMPTY_ANSWER_BYTES:  # text that was answered is not either
        return Belief(input=inputs, output=None, doubt=Doubt.ZERO)
    return Belief(input=inputs, output=outputs, doubt=None)


def _impossible(claim: Claim, rung: Rung, sent_bytes: int) -> Doubt | None:
    """Say why nothing of a claim can be believed."""
    if not claim.said and claim.input is None and claim.output is None:
        return Doubt.ABSENT
    if claim.contradictory or _exceeds(claim):
        return Doubt.CONTRADICTORY
    if not believable(rung, inputs=claim.input or 0, outputs=claim.output or 0):
        return Doubt.TOO_LARGE
    silent = claim.input == 0 and (claim.output == 0 or not rung.generates)
    return Doubt.ZERO if silent and sent_bytes > 0 else None


def _exceeds(claim: Claim) -> bool:
    """Tell whether parts of a side are more than the side."""
    tokens = claim.tokens
    inputs = tokens.cached + tokens.cache_write + tokens.cache_write_1h, tokens.audio_input + tokens.image_input
    too_much_in = claim.input is not None and max(inputs) > claim.input
    return too_much_in or (claim.output is not None and tokens.audio_output > claim.output)
