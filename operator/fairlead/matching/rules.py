"""The first rule that a request matches."""

from collections.abc import Collection, Iterable

from fairlead.ir import Conditions, RouteRule, TokenRange, fold
from fairlead.ir.rule import BYTES_PER_TOKEN
from fairlead.matching.prompt import Prompt


def first_match(rules: Iterable[RouteRule], prompt: Prompt, category: str | None = None) -> RouteRule | None:
    """Return the rule that applies; None: the route's own primary answers.

    `category` is what the classifier says of the prompt; None: it gives none.

    Raises:
        Amiss: a rule asks for what is not to be told from the body; a gateway refuses it.

    """
    return next((rule for rule in rules if _fits(rule.conditions, prompt, {None, category})), None)


def needs_category(rules: Iterable[RouteRule], prompt: Prompt) -> bool:
    """Tell whether a gateway asks the classifier: a rule needs its word, and none before matches without.

    Raises:
        Amiss: as `first_match`.

    """
    for rule in rules:
        wanted = rule.conditions.category
        if _fits(rule.conditions, prompt, {wanted}):
            return wanted is not None
    return False


def _fits(wanted: Conditions, prompt: Prompt, categories: Collection[str | None]) -> bool:
    """Ask in the order of the gateway's filter: what is asked after a condition that fails refuses nothing."""
    return (
        wanted.tools in {None, prompt.tools}
        and (wanted.max_output_tokens is None or _within(wanted.max_output_tokens, prompt.output_limit, 1))
        and (wanted.json is None or wanted.json == prompt.json)
        and (wanted.prompt_tokens is None or _within(wanted.prompt_tokens, prompt.text_bytes, BYTES_PER_TOKEN))
        and (wanted.images is None or wanted.images == prompt.images)
        and (not wanted.last_user_contains or _contains(prompt.last_user_texts, wanted.last_user_contains))
        and wanted.category in categories
    )


def _within(wanted: TokenRange, number: int | None, unit: int) -> bool:
    """Tell whether a number of parts of a token, of which there are `unit` in each, is in a range of tokens."""
    if number is None:
        return False
    return number >= (wanted.at_least or 0) * unit and (wanted.below is None or number < wanted.below * unit)


def _contains(texts: Iterable[str], literals: Iterable[str]) -> bool:
    folded = [fold.fold(text) for text in texts]
    return any(literal in text for literal in literals for text in folded)
