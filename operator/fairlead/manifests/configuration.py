"""A gateway's files as ConfigMaps: few enough for one volume, apart enough that each stays below 1 MiB.

A pod mounts the three of `xds/` as one projected volume, so that the kubelet swaps them in one rename. What changes
together is patched in the order of this module: clusters before the routes that name them. Packed, they are ConfigMaps
of other names: a pod that wants plain files keeps those that it has, until it is replaced.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from fairlead.errors import StateError, TooLargeError
from fairlead.manifests import packing

BOOTSTRAP = "bootstrap"
CLUSTERS, LISTENERS, ROUTES = "clusters", "listeners", "routes"
XDS_PARTS: Final = (CLUSTERS, LISTENERS, ROUTES)
"""In the order in which they are to be written."""
WATCHED_FILES: Final = ("xds/cds.json", "xds/lds.json", "xds/rds.json")
"""What the three hold."""
PACKED_SUFFIX = ".gz"
"""Of a packed file's name."""
LONGEST_FILE_BYTES = 16 * 1024 * 1024
"""Of a packed file, unpacked: more than any that is made."""

_PLAIN, _PACKED = "data", "binaryData"
_LIMIT_BYTES = 900 * 1024
_PART_OF = {"xds/cds.json": CLUSTERS, "xds/rds.json": ROUTES, "bootstrap.json": BOOTSTRAP}


def suffix(part: str, *, packed: bool) -> str:
    """Return what the name of a part's ConfigMap ends in, behind the gateway's; the bootstrap is never packed."""
    return f"-packed-{part}" if packed and part != BOOTSTRAP else f"-{part}"


def parts(
    files: Mapping[str, bytes], *, packed: bool = False, pack: Callable[[bytes], str] = packing.pack
) -> Mapping[str, Mapping[str, Any]]:
    """Distribute a gateway's files over its ConfigMaps: part to what the object holds; raises `TooLargeError`.

    `pack` is `packing.pack`, or what remembers what that returned.
    """
    distributed: dict[str, dict[str, bytes]] = {part: {} for part in (BOOTSTRAP, *XDS_PARTS)}
    for path in sorted(files):
        distributed[_PART_OF.get(path, LISTENERS)][path.rpartition("/")[2]] = files[path]
    return {part: _content(part, found, pack if packed else None) for part, found in distributed.items()}


def carrying(maps: Collection[Mapping[str, Any]], files: Mapping[str, bytes]) -> Mapping[str, Mapping[str, Any]]:
    """Let a gateway's ConfigMaps of `xds/` carry other files, in the form that they have: by name.

    Raises `TooLargeError`.
    """
    found = parts(files, packed=any(_PACKED in one for one in maps))
    return {one["metadata"]["name"]: {**_head(one), **found[_part(one)]} for one in maps}


def carried(found: Mapping[str, Any], path: str) -> bytes | None:
    """Return the content of a file that a ConfigMap carries, packed or not; None where it carries no such file.

    Raises:
        StateError: what should be packed is not; the message names the ConfigMap.

    """
    name = path.rpartition("/")[2]
    plain = (found.get(_PLAIN) or {}).get(name)
    if isinstance(plain, str):
        return plain.encode()
    packed = (found.get(_PACKED) or {}).get(f"{name}{PACKED_SUFFIX}")
    if not isinstance(packed, str):
        return None
    try:
        return packing.unpack(packed, limit=LONGEST_FILE_BYTES)
    except ValueError as error:
        raise StateError(f"{found['metadata']['name']}: {error}, want what Fairlead wrote") from None


def watched(found: Callable[[str], Mapping[str, Any] | None], name: str, *, packed: bool) -> Mapping[str, bytes] | None:
    """Return the files of `xds/` in the ConfigMaps of the gateway `name`; None = not everything is there, or whole.

    `found` gives a ConfigMap by its name.
    """
    stored = [found(f"{name}{suffix(part, packed=packed)}") or {} for part in XDS_PARTS]
    try:
        files = {path: content for one in stored for path, content in _files(one, packed=packed)}
        return {path: files[path] for path in WATCHED_FILES}
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _head(found: Mapping[str, Any]) -> Mapping[str, Any]:
    return {field: value for field, value in found.items() if field not in {_PLAIN, _PACKED}}


def _part(found: Mapping[str, Any]) -> str:
    return str(found["metadata"]["name"].rpartition("-")[2])


def _content(part: str, files: Mapping[str, bytes], pack: Callable[[bytes], str] | None) -> Mapping[str, Any]:
    if pack is None or part == BOOTSTRAP:
        _check(part, sum(map(len, files.values())))
        return {_PLAIN: {name: content.decode() for name, content in files.items()}}
    shrunk = {f"{name}{PACKED_SUFFIX}": pack(content) for name, content in files.items()}
    _check(part, sum(map(packing.size, shrunk.values())))
    return {_PACKED: shrunk}


def _check(part: str, size: int) -> None:
    if size > _LIMIT_BYTES:
        raise TooLargeError(
            f"{part}: got {size} bytes for one ConfigMap, want at most {_LIMIT_BYTES}, "
            "split the regions or the routes over several installations"
        )


def _files(found: Mapping[str, Any], *, packed: bool) -> list[tuple[str, bytes]]:
    """List path and content of what a ConfigMap holds.

    Raises what damage does: anybody may have edited it.
    """
    if not packed:
        return [(f"xds/{name}", text.encode()) for name, text in found[_PLAIN].items()]
    return [
        (f"xds/{name.removesuffix(PACKED_SUFFIX)}", packing.unpack(text, limit=LONGEST_FILE_BYTES))
        for name, text in found[_PACKED].items()
    ]
