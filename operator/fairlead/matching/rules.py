"""The first rule that a request matches."""

from collections.abc import Iterable

from fairlead.ir import Conditions, RouteRule, TokenRange, fold
from fairlead.ir.rule import BYTES_PER_TOKEN
from fairlead.matching.prompt import Prompt


def first_match(rules: Iterable[RouteRule], prompt: Prompt) -> RouteRule | None:
    """Return the rule that applies; None: the route's own primary answers.

    Raises:
        Amiss: a rule asks for what is not to be told from the body; a gateway refuses it.

    """
    return next((rule for rule in rules if _fits(rule.conditions, prompt)), None)


def _fits(wanted: Conditions, prompt: Prompt) -> bool:
    """Ask in the order of the gateway's filter: what is asked after a condition that fails refuses nothing."""
    return (
        wanted.tools in {None, prompt.tools}
        and (wanted.max_output_tokens is None or _within(wanted.max_output_tokens, prompt.output_limit, 1))
        and (wanted.json is None or wanted.json == prompt.json)
        and (wanted.prompt_tokens is None or _within(wanted.prompt_tokens, prompt.text_bytes, BYTES_PER_TOKEN))
        and (wanted.images is None or wanted.images == prompt.images)
        and (not wanted.last_user_contains or _contains(prompt.last_user_texts, wanted.last_user_contains))
    )


def _within(wanted: TokenRange, number: int | None, unit: int) -> bool:
    """Tell whether a number of parts of a token, of which there are `unit` in each, is in a range of tokens."""
    if number is None:
        return False
    return number >= (wanted.at_least or 0) * unit and (wanted.below is None or number < wanted.below * unit)


def _contains(texts: Iterable[str], literals: Iterable[str]) -> bool:
    folded = [fold.fold(text) for text in texts]
    return any(literal in text for literal in literals for text in folded)
