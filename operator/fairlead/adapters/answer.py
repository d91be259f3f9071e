"""JSON that came over a wire, decoded once: a value, or one error that says what came instead."""

import json
from typing import Any

from fairlead.errors import AnswerError

_SHOWN = 60


def decoded(content: bytes) -> Any:
    """Decode an answer's body.

    Raises:
        AnswerError: it is no JSON in UTF-8, or nested too deeply.

    """
    try:
        return json.loads(content.decode())
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are both ValueErrors
        raise AnswerError(f"got {content[:_SHOWN]!r} for an answer, want JSON") from None
