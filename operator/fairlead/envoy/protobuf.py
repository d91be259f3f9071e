"""Protobuf's JSON forms: `Any`, `Duration`, and Envoy's named extensions. Plain dicts, no messages."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]
"""One JSON object of an Envoy file."""


def packed(message: str, fields: Mapping[str, Any] | None = None) -> Json:
    """Make a `google.protobuf.Any` of the message with this full name."""
    return {"@type": f"type.googleapis.com/{message}", **(fields or {})}


def extension(name: str, message: str, fields: Mapping[str, Any] | None = None) -> Json:
    """Make a named extension (`TypedExtensionConfig`, a filter, a logger, a transport socket)."""
    return {"name": name, "typed_config": packed(message, fields)}


def duration(milliseconds: int) -> str:
    """Write a `google.protobuf.Duration`: `8s`, `0.25s`."""
    whole, rest = divmod(milliseconds, 1000)
    return f"{whole}.{rest:03d}".rstrip("0") + "s" if rest else f"{whole}s"


def file_source(directory: str, name: str, *, mounted: bool) -> Json:
    """Name one file as a `ConfigSource`.

    In a mount, which changes as a whole by a renamed link, it is read again whenever something is renamed into its
    directory; else only when it is itself replaced by a rename.
    """
    source: Json = {"path": f"{directory}/{name}"}
    if mounted:
        source["watched_directory"] = {"path": directory}
    return {"resource_api_version": "V3", "path_config_source": source}


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def text(value: Any) -> str:
    """Write JSON as it stands in files: sorted, so that the same value is the same text, and short."""
    return _ENCODER.encode(value)


def with_texts(message: Json, field: str, texts: Iterable[str]) -> str:
    """Write a message whose last field in the order of names is a list, of which each item is written already."""
    head = text({**message, field: []}).removesuffix("[]}")
    return f"{head}[{','.join(texts)}]}}"
