"""Consumers that a person has stopped: `killed.json`, written by `fairlead kill` and read by `fairlead up`.

A file that cannot be read stops nobody who was not stopped before: the caller keeps what it knew.
"""

import json
from pathlib import Path

from fairlead.adapters import disk
from fairlead.errors import StateError


def read(path: Path) -> frozenset[str]:
    """Return the stopped consumers, `namespace/name`; none when there is no file.

    Raises:
        StateError: the file is damaged.

    """
    content = disk.read(path)
    if content is None:
        return frozenset()
    try:
        names = json.loads(content)["killed"]
    except (ValueError, KeyError, TypeError):
        raise StateError(f"{path}: got something else than a list of consumers, remove the file") from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise StateError(f"{path}: got something else than a list of consumers, remove the file")
    return frozenset(names)


def write(path: Path, killed: frozenset[str]) -> None:
    """Write down who is stopped."""
    disk.write(path, json.dumps({"killed": sorted(killed)}).encode())
