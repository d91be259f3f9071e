"""What a provider says of requests in other words than its clients', and where it says so although it wants none."""

from collections.abc import Iterator
from typing import Any

from fairlead.api.protocol import MESSAGES_WAY, WORDED, ChatWay, MessagesWay, Protocol, Reasoning, Unsupported
from fairlead.api.rule import Rule

_TRANSLATES = (
    "(self.protocol == 'Anthropic' ? has(self.chatCompletions) && self.chatCompletions == 'Translate' :"
    " has(self.messages) ? self.messages == 'Translate' : self.protocol in ['AzureOpenAI', 'Gemini', 'Bedrock'])"
)
"""`_translates`, in CEL."""


def _translates(spec: Any) -> bool:
    """Tell whether some requests go to a provider in other words than they came in."""
    if spec["protocol"] == Protocol.ANTHROPIC:
        return bool(spec.get("chatCompletions") == ChatWay.TRANSLATE)
    return bool(spec.get("messages", MESSAGES_WAY[spec["protocol"]]) == MessagesWay.TRANSLATE)


def _reasoning_without_words(spec: Any) -> tuple[str, ...]:
    """Return where a model says how it is told to think although nobody tells it in other words."""
    return () if _translates(spec) else tuple(place for place, _ in _reasoning(spec))


def _budgets_elsewhere(spec: Any) -> tuple[str, ...]:
    """Return where a model says that its thinking has a budget although its API has no such thing."""
    if spec["protocol"] in WORDED:
        return ()
    return tuple(place for place, said in _reasoning(spec) if said == Reasoning.BUDGET)


def _leaves_out_without_words(spec: Any) -> bool:
    """Tell whether a provider leaves out what it cannot be told although nobody tells it in other words."""
    return bool(spec["unsupported"] == Unsupported.LEAVE_OUT) and not _translates(spec)


def _reasoning(spec: Any) -> Iterator[tuple[str, str]]:
    for number, model in enumerate(spec["models"]):
        if model["reasoning"] != Reasoning.LEAVE_OUT:
            yield f"models[{number}].reasoning", model["reasoning"]


RULES = (
    Rule(
        places=_reasoning_without_words,
        cel=f"{_TRANSLATES} || self.models.all(model, model.reasoning == 'LeaveOut')",
        message="got a way to tell a model how much to think, where requests come in its own words, want"
        " `LeaveOut`, remove it, or write `messages: Translate`, of Anthropic's API `chatCompletions: Translate`",
        reads=("protocol", "messages", "chatCompletions", "models"),
    ),
    Rule(
        places=_budgets_elsewhere,
        cel="self.protocol in ['Anthropic', 'Bedrock'] || self.models.all(model, model.reasoning != 'Budget')",
        message="got a budget of a model's thinking, which Anthropic's API and Bedrock's have, want `Effort`, write it",
        reads=("protocol", "models"),
    ),
    Rule(
        holds=lambda value: not _leaves_out_without_words(value),
        cel=f"{_TRANSLATES} || self.unsupported == 'Refuse'",
        message="got parameters to be left out of requests that come in the provider's own words, want `Refuse`,"
        " remove it, or write `messages: Translate`, of Anthropic's API `chatCompletions: Translate`",
        reads=("protocol", "messages", "chatCompletions", "unsupported"),
        field="unsupported",
    ),
)
"""What a provider is held against."""
