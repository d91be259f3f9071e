"""Cascades: an answer that fails a check goes on to the next model."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """What an answer must be like; all of it must hold."""

    finish_reasons: tuple[str, ...]
    """Why it may have ended, sorted: `stop`, `length`, `tool_calls`, `content_filter`, whatever the API calls them."""
    json: bool
    """Where the request asks for JSON: it is some, and as the request's schema has it."""
    tool_calls: bool
    """Calls name a tool of the request, and their arguments are a JSON object."""
    refusal: bool
    """It is no refusal."""
    min_characters: int
    """Of its text, blanks at the ends aside."""
    contains: tuple[str, ...] = ()
    """Literals, folded by `ir.fold`; all of them stand in its folded text."""
    not_contains: tuple[str, ...] = ()
    """None of these does."""
    min_mean_logprob: str | None = None
    """A decimal: of the tokens' log probabilities, where the client asked for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade:
    """How answers of a route are judged that are no streams."""

    accept: Accept
    models: tuple[str, ...]
    """As words, in the order in which they are asked, no model twice: each is better than those before it."""

    def judged(self, rungs: Sequence[str]) -> frozenset[str]:
        """Return the models of a ladder, `provider/endpoint/model`, whose answers are judged: a better one follows.

        A ladder asks its models in the order of their first rungs. One that is not among `models`, a rollout's
        candidate, is as good as the first of them, and none of those that are better.
        """
        asked = list(dict.fromkeys(rung.split("/", 2)[2] for rung in rungs))
        ranks = [self.models.index(model) if model in self.models else -1 for model in asked]
        return frozenset(
            model for number, model in enumerate(asked) if any(later > ranks[number] for later in ranks[number + 1 :])
        )
