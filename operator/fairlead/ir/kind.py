"""What models make, and by which paths it is asked for."""

from collections.abc import Mapping
from enum import StrEnum


class ModelKind(StrEnum):
    """What a model makes; decides which paths of the API a plan answers."""

    CHAT = "Chat"
    EMBEDDING = "Embedding"
    IMAGE = "Image"
    AUDIO = "Audio"
    SPEECH = "Speech"
    TRANSCRIPTION = "Transcription"
    RERANK = "Rerank"
    MODERATION = "Moderation"


OTHER_PATHS: Mapping[ModelKind, tuple[str, ...]] = {
    ModelKind.EMBEDDING: ("embeddings",),
    ModelKind.IMAGE: ("images/generations", "images/edits"),
    ModelKind.AUDIO: ("audio/speech", "audio/transcriptions", "audio/translations"),
    ModelKind.SPEECH: ("audio/speech",),
    ModelKind.TRANSCRIPTION: ("audio/transcriptions", "audio/translations"),
    ModelKind.RERANK: ("rerank",),
    ModelKind.MODERATION: ("moderations",),
}
"""Paths below `/v1` that models of other kinds than chat answer; all of their rungs are asked."""
STREAMING = frozenset({ModelKind.CHAT, ModelKind.IMAGE, ModelKind.AUDIO, ModelKind.SPEECH, ModelKind.TRANSCRIPTION})
"""Kinds whose answers may be streams."""
