"""A gateway's files as ConfigMaps: few enough for one volume, apart enough that each stays below 1 MiB.

A pod mounts the three of `xds/` as one projected volume, so that the kubelet swaps them in one rename. What changes
together is patched in the order of this module: clusters before the routes that name them.
"""

from collections.abc import Mapping
from typing import Any, Final

from fairlead.errors import TooLargeError

BOOTSTRAP = "bootstrap"
CLUSTERS, LISTENERS, ROUTES = "clusters", "listeners", "routes"
XDS_PARTS: Final = (CLUSTERS, LISTENERS, ROUTES)
"""In the order in which they are to be written."""
WATCHED_FILES: Final = ("xds/cds.json", "xds/lds.json", "xds/rds.json")
"""What the three hold."""

_LIMIT_BYTES = 900 * 1024
_PART_OF = {"xds/cds.json": CLUSTERS, "xds/rds.json": ROUTES, "bootstrap.json": BOOTSTRAP}


def parts(files: Mapping[str, bytes]) -> Mapping[str, Mapping[str, str]]:
    """Distribute a gateway's files over its ConfigMaps: part to file name to content; raises `TooLargeError`."""
    distributed: dict[str, dict[str, str]] = {part: {} for part in (BOOTSTRAP, *XDS_PARTS)}
    for path in sorted(files):
        part = _PART_OF.get(path, LISTENERS)
        distributed[part][path.rpartition("/")[2]] = files[path].decode()
    for part, contents in distributed.items():
        size = sum(len(text.encode()) for text in contents.values())
        if size > _LIMIT_BYTES:
            raise TooLargeError(
                f"{part}: got {size} bytes for one ConfigMap, want at most {_LIMIT_BYTES}, "
                "split the regions or the routes over several installations"
            )
    return distributed


def config_map(head: dict[str, Any], contents: Mapping[str, str]) -> dict[str, Any]:
    """Make a ConfigMap of one part."""
    return {**head, "data": dict(contents)}
