"""What requests need of a rung to be asked, by their path."""

from collections.abc import Mapping
from enum import StrEnum

from fairlead.ir.target import Protocol, Target


class Need(StrEnum):
    """What requests need of a rung to be asked."""

    OPENAI = "OpenAI"
    """It speaks OpenAI's API, and not chat/completions alone."""
    ANTHROPIC = "Anthropic"
    """It speaks Anthropic's."""
    CHAT = "Chat"
    """It takes chat/completions, be it in other words."""
    RESPONSES = "Responses"
    """It speaks OpenAI's API, and has responses."""
    CHAT_NOT_CONVERSE = "ChatNotConverse"
    """It takes chat/completions, and does not want them in the words of Converse, which cannot say this one."""
    CHAT_NOT_TRANSLATED = "ChatNotTranslated"
    """It takes chat/completions, and does not want them in the words of Messages, which cannot."""
    MESSAGES_NOT_CONVERSE = "MessagesNotConverse"
    """It does not want messages in the words of Converse, which cannot say this one."""
    MESSAGES_NOT_TRANSLATED = "MessagesNotTranslated"
    """It takes messages as they are, or in the words of Converse: those of chat/completions cannot say this one."""

    def met_by(self, target: Target) -> bool:
        """Tell whether a target has it."""
        if self is Need.ANTHROPIC:
            return target.protocol is Protocol.ANTHROPIC
        if self in _MESSAGES:
            return target.protocol in _MESSAGES[self]
        takes_chat = target.protocol not in {Protocol.ANTHROPIC, Protocol.BEDROCK} or target.translates_chat
        if self is Need.CHAT:
            return takes_chat
        if self in _NOT_CHAT:
            return takes_chat and target.protocol is not _NOT_CHAT[self]
        speaks = target.protocol in {Protocol.OPENAI, Protocol.AZURE_OPENAI}
        if self is Need.RESPONSES:
            return speaks and (not target.api_version or target.api_version >= FIRST_WITH_RESPONSES)
        return speaks


_MESSAGES = {
    Need.MESSAGES_NOT_CONVERSE: frozenset(Protocol) - {Protocol.BEDROCK},
    Need.MESSAGES_NOT_TRANSLATED: frozenset({Protocol.ANTHROPIC, Protocol.BEDROCK}),
}
_NOT_CHAT = {Need.CHAT_NOT_CONVERSE: Protocol.BEDROCK, Need.CHAT_NOT_TRANSLATED: Protocol.ANTHROPIC}
UNSAID: Mapping[Need, str] = {
    Need.MESSAGES_NOT_CONVERSE: "messages",
    Need.MESSAGES_NOT_TRANSLATED: "messages",
    Need.CHAT_NOT_CONVERSE: "chat/completions",
    Need.CHAT_NOT_TRANSLATED: "chat/completions",
}
"""What requests need that cannot be said in one of the words that rungs of their plan want, and their path."""
FIRST_WITH_RESPONSES = "2025-03-01-preview"
"""The first version of Azure's API by deployments that has responses."""
CHAT, MESSAGES = "chat/completions", "messages"
CONVERSE = "converse"
"""Bedrock's words, which are neither API's."""
NEEDS: Mapping[tuple[str, ...], Need | None] = {
    (CHAT,): Need.CHAT,
    ("completions",): Need.OPENAI,
    ("responses",): Need.RESPONSES,
    (MESSAGES,): None,
    ("messages/count_tokens",): Need.ANTHROPIC,
}
"""Paths below `/v1` that chat models answer, and what they need of a rung; None = all of them are asked."""


def need_of(path: str) -> Need | None:
    """Return what requests to a path below `/v1` need; None = all rungs are asked, of vectors too."""
    return next((need for paths, need in NEEDS.items() if path in paths), None)


def other_words(path: str, target: Target) -> str:
    """Name what a target wants requests to a path below `/v1` in the words of; empty = they go as they came."""
    if path == CHAT and target.translates_chat:
        return CONVERSE if target.protocol is Protocol.BEDROCK else MESSAGES
    if path == MESSAGES and target.translates_messages:
        return CONVERSE if target.protocol is Protocol.BEDROCK else CHAT
    return ""
