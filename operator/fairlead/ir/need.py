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

    def met_by(self, target: Target) -> bool:
        """Tell whether a target has it."""
        if self is Need.ANTHROPIC:
            return target.protocol is Protocol.ANTHROPIC
        if self is Need.CHAT:
            return target.protocol not in {Protocol.ANTHROPIC, Protocol.BEDROCK} or target.translates_chat
        speaks = target.protocol in {Protocol.OPENAI, Protocol.AZURE_OPENAI}
        if self is Need.RESPONSES:
            return speaks and (not target.api_version or target.api_version >= FIRST_WITH_RESPONSES)
        return speaks


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
