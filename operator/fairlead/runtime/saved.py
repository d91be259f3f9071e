"""State that was saved as JSON. What cannot be read counts as absent, and whoever reads it says so once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from fairlead.adapters import disk
from fairlead.errors import StateError

T = TypeVar("T")

_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)
"""What reading raises from a document of another shape; deep nesting ends in a `RecursionError`."""


_DEEPEST = 100
"""Nesting that no state of ours has; far below where Python's own recursion ends."""


def decoded(content: bytes, decode: Callable[[Any], T], place: str) -> T:
    """Read one saved document.

    Raises:
        StateError: it is damaged; the message names `place`.

    """
    try:
        document = json.loads(content)
        _check_depth(document)
        return decode(document)
    except _DAMAGE:
        raise StateError(f"{place}: got something that Fairlead did not write, want its state as JSON") from None


def read(path: Path, decode: Callable[[Any], T], *, warn: Callable[[str], None]) -> T | None:
    """Return what a state file says; None where there is none, and, told by `warn`, where it cannot be read."""
    try:
        content = disk.read(path)
        return None if content is None else decoded(content, decode, str(path))
    except StateError as error:
        warn(f"{error}; it counts as absent until it is written anew")
        return None


def _check_depth(document: Any) -> None:
    level = [document]
    for _ in range(_DEEPEST):
        level = [
            child
            for node in level
            if isinstance(node, (dict, list))
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return
    raise ValueError("nested too deeply")
