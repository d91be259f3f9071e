"""Envoy's router, which ends the chain of filters of a listener and of each hop."""

from fairlead.envoy.protobuf import Json, extension


def render(fields: Json) -> Json:
    """Make the filter, with what all of ours have in common.

    Without dynamic stats: they count each answer by its code up to five times for its cluster, and its time in two or
    three histograms of 20 lines. `stats` counts both once, by who asked; nothing reads the others.
    """
    return extension(
        "envoy.filters.http.router",
        "envoy.extensions.filters.http.router.v3.Router",
        {"suppress_envoy_headers": True, "dynamic_stats": False, **fields},
    )
