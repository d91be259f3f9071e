"""Which ways a provider's API has for requests in the words of others, and which models it has none for."""

from typing import Any

from fairlead.api.model import ModelType
from fairlead.api.protocol import WORDED, MessagesWay, Protocol
from fairlead.api.rule import Rule

_MADE_BY = {
    Protocol.ANTHROPIC: frozenset({ModelType.CHAT}),
    Protocol.AZURE_OPENAI: frozenset({ModelType.CHAT, ModelType.EMBEDDING, ModelType.IMAGE, ModelType.AUDIO}),
    Protocol.GEMINI: frozenset({ModelType.CHAT, ModelType.EMBEDDING, ModelType.IMAGE}),
    Protocol.BEDROCK: frozenset({ModelType.CHAT}),
}
"""What an API has endpoints for, where that is not everything."""


def _types_of_others(spec: Any) -> tuple[str, ...]:
    made = _MADE_BY.get(spec["protocol"], frozenset(ModelType))
    return tuple(f"models[{number}].type" for number, model in enumerate(spec["models"]) if model["type"] not in made)


RULES = (
    Rule(
        holds=lambda value: value["protocol"] != Protocol.ANTHROPIC or value.get("messages") != MessagesWay.TRANSLATE,
        cel="self.protocol != 'Anthropic' || !has(self.messages) || self.messages != 'Translate'",
        message="got messages to be translated for a provider that speaks their own API, want `Forward`, remove it",
        reads=("protocol", "messages"),
        field="messages",
    ),
    Rule(
        holds=lambda value: (
            value["protocol"] not in {Protocol.AZURE_OPENAI, Protocol.GEMINI, Protocol.BEDROCK}
            or value.get("messages") != MessagesWay.FORWARD
        ),
        cel="!(self.protocol in ['AzureOpenAI', 'Gemini', 'Bedrock']) || !has(self.messages)"
        " || self.messages != 'Forward'",
        message="got messages to be forwarded to an API that has no path for them, want `Translate`, remove it",
        reads=("protocol", "messages"),
        field="messages",
    ),
    Rule(
        holds=lambda value: value["protocol"] in WORDED or "chatCompletions" not in value,
        cel="self.protocol in ['Anthropic', 'Bedrock'] || !has(self.chatCompletions)",
        message="got a way of chat/completions for a provider that speaks their own API, want none, remove it",
        reads=("protocol", "chatCompletions"),
        field="chatCompletions",
    ),
    Rule(
        places=_types_of_others,
        cel=" && ".join(
            f"(self.protocol != '{protocol}' || self.models.all(model, model.type in {sorted(map(str, made))}))"
            for protocol, made in _MADE_BY.items()
        ),
        message="got a model of a type that the provider's API has no endpoint for, want `Chat` where `protocol` is"
        " `Anthropic` or `Bedrock`, no `Rerank` and `Moderation` where it is `AzureOpenAI`, nor `Audio` where it is"
        " `Gemini`, change it, or move the model to a provider of another `protocol`",
        reads=("protocol", "models"),
    ),
)
"""What a provider is held against."""
