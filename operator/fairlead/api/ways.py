"""Which ways a provider's API has for requests in the words of others, and which models it has none for."""

from typing import Any

from fairlead.api.protocol import WORDED, MessagesWay, Protocol
from fairlead.api.rule import Rule

_EMBEDDING = "Embedding"
"""As `provider.ModelType` has it."""


def _embeddings_of_none(spec: Any) -> tuple[str, ...]:
    if spec["protocol"] not in WORDED:
        return ()
    return tuple(f"models[{number}].type" for number, model in enumerate(spec["models"]) if model["type"] == _EMBEDDING)


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
        holds=lambda value: not _embeddings_of_none(value),
        places=_embeddings_of_none,
        cel="!(self.protocol in ['Anthropic', 'Bedrock']) || self.models.all(model, model.type != 'Embedding')",
        message="got an Embedding model of a provider whose API makes no vectors (Anthropic's, Bedrock's Converse),"
        " want type `Chat`, change it, or move the model to a provider of another `protocol`",
        reads=("protocol", "models"),
    ),
)
"""What a provider is held against."""
