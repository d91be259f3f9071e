"""Server-sent events, as bytes."""

import json
from collections.abc import Mapping
from typing import Any


def dumps(value: Any) -> bytes:
    """Write JSON as the big providers do: compact, UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


def data(value: Mapping[str, Any]) -> bytes:
    """Write an event without a name (chat, completions)."""
    return b"data: " + dumps(value) + b"\n\n"


def event(value: Mapping[str, Any]) -> bytes:
    """Write an event that is named by its `type` (responses, messages)."""
    return b"event: " + str(value["type"]).encode() + b"\ndata: " + dumps(value) + b"\n\n"
