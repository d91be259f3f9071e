"""How large a rendered file may be: a ConfigMap holds 1 MiB, and each file stands in one."""

from collections.abc import Mapping

from fairlead.errors import TooLargeError

LIMIT_BYTES = 900 * 1024
"""Leaves 124 KiB of the ConfigMap for metadata, managed fields and the JSON of the update itself."""


def check(files: Mapping[str, bytes], *, region: str) -> None:
    """Refuse files that do not fit a ConfigMap, the largest first; nothing is ever cut off.

    Raises:
        TooLargeError: names region, file, size, limit and what to do.

    """
    for path in sorted(files, key=lambda name: (-len(files[name]), name)):
        size = len(files[path])
        if size > LIMIT_BYTES:
            raise TooLargeError(
                f"region `{region}`: got `{path}` of {size} bytes, want at most {LIMIT_BYTES},"
                " serve fewer models or endpoints in this region (`regions`, `residency`, `models` of an endpoint)"
                " or split the catalogue over two installations"
            )
