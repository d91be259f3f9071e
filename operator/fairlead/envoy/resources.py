"""The resources of discovery files, by name: what two versions of a file hold together, what leads to what. Pure.

Files have thousands of resources, of which a change touches one. So a file that was rendered here is cut into its
resources where each begins, and of a resource's text is remembered what was read of it; any other is parsed as a whole.
"""

import json
from collections.abc import Collection, Mapping
from functools import lru_cache

from fairlead.envoy.protobuf import Json, text

_HEAD, _TAIL = b'{"resources":[', b"]}"
_REMEMBERED = 16_384
"""Texts of resources, of about 1 kB: those of 2,000 routes in two regions, as they are and were, are half of it."""

_Found = tuple[str, tuple[str, ...] | None]
"""The name of a resource, and of a ladder the clusters of its rungs."""


def names(content: bytes) -> frozenset[str]:
    """Return the names of a file's resources; raises `ValueError` or `KeyError` where it is none of ours."""
    return frozenset(_by_name(content))


def union(*, first: bytes, second: bytes, only: Collection[str] | None = None) -> bytes:
    """Merge the resources of two files; where both have one, the first's. Of the second's only those named `only`.

    Returns the first as it is where nothing comes to it; else what a renderer would write, without a version.
    """
    if first == second or (only is not None and not only):
        return first
    mine = _by_name(first)
    further = {
        name: one for name, one in _by_name(second).items() if name not in mine and (only is None or name in only)
    }
    if not further:
        return first
    both = {**mine, **further}
    return _HEAD + b",".join(both[name] for name in sorted(both)) + _TAIL


def size(content: bytes, which: Collection[str]) -> int:
    """Return how many bytes of a file are resources of these names."""
    return len(b"[%b]" % b",".join(one for name, one in _by_name(content).items() if name in which))


def ladders(clusters: bytes) -> Mapping[str, tuple[str, ...]]:
    """Return, by a ladder's cluster, the clusters of its rungs."""
    read = (_read(one) for one in _by_name(clusters).values())
    return {name: rungs for name, rungs in read if rungs is not None}


def _by_name(content: bytes) -> Mapping[str, bytes]:
    """Return the text of each resource, as a renderer writes it."""
    try:
        return {_read(one)[0]: one for one in _cut(content)}
    except ValueError:
        return {item["name"]: text(item).encode() for item in json.loads(content)["resources"]}


def _cut(content: bytes) -> list[bytes]:
    """Cut a file into its resources, each of which begins with the type that all have.

    Raises:
        ValueError: this is not how it was written.

    """
    if not (content.startswith(_HEAD) and content.endswith(_TAIL)):
        raise ValueError("got another head or tail, want what a renderer writes")
    inside = content[len(_HEAD) : -len(_TAIL)]
    begin = inside[: inside.index(b",") + 1] if inside else b""
    if not begin.startswith(b'{"@type":"'):
        raise ValueError("got no type at the beginning, want what a renderer writes")
    return [begin + rest for rest in inside[len(begin) :].split(b"," + begin)]


@lru_cache(_REMEMBERED)
def _read(resource: bytes) -> _Found:
    found: Json = json.loads(resource)
    configured = found.get("cluster_type", {}).get("typed_config", {})
    rungs = tuple(rung["name"] for rung in configured["clusters"]) if "clusters" in configured else None
    return found["name"], rungs
