"""The resources of discovery files, by name: what two versions of a file hold together, what leads to what. Pure."""

import json
from collections.abc import Collection, Mapping

from fairlead.envoy.protobuf import Json


def names(content: bytes) -> frozenset[str]:
    """Return the names of a file's resources; raises `ValueError` or `KeyError` where it is none of ours."""
    return frozenset(_by_name(content))


def union(*, first: bytes, second: bytes, only: Collection[str] | None = None) -> bytes:
    """Merge the resources of two files; where both have one, the first's. Of the second's only those named `only`.

    Returns the first as it is where nothing comes to it; else what a renderer would write, without a version.
    """
    if first == second:
        return first
    mine = _by_name(first)
    further = {
        name: one for name, one in _by_name(second).items() if name not in mine and (only is None or name in only)
    }
    if not further:
        return first
    both = {**mine, **further}
    merged = {"resources": [both[name] for name in sorted(both)]}
    return json.dumps(merged, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


def size(content: bytes, which: Collection[str]) -> int:
    """Return how many bytes of a file are resources of these names."""
    named = [one for name, one in _by_name(content).items() if name in which]
    return len(json.dumps(named, separators=(",", ":"), ensure_ascii=False).encode())


def ladders(clusters: bytes) -> Mapping[str, tuple[str, ...]]:
    """Return, by a ladder's cluster, the clusters of its rungs."""
    configured = {
        name: one["cluster_type"]["typed_config"] for name, one in _by_name(clusters).items() if "cluster_type" in one
    }
    return {
        name: tuple(rung["name"] for rung in one["clusters"]) for name, one in configured.items() if "clusters" in one
    }


def _by_name(content: bytes) -> Mapping[str, Json]:
    return {item["name"]: item for item in json.loads(content)["resources"]}
