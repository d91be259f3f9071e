"""Chunks of Lua: the parts of a filter, joined behind what all filters share. Package data, code and not input."""

from collections.abc import Iterable
from functools import cache
from importlib import resources

SHARED = "word.lua"
"""Names of models as words, `fairlead.ir.word` in Lua."""


def parts(folder: str, names: Iterable[str]) -> str:
    """Read `lua/<folder>/<name>.lua`, in this order, without what all filters share."""
    return "\n".join(_read(folder, f"{name}.lua") for name in names)


def joined(folder: str, parts: Iterable[str]) -> str:
    """Read `lua/<folder>/<part>.lua`, in this order: each part sees the locals of those before it."""
    return "\n".join((_read(SHARED), *(_read(folder, f"{part}.lua") for part in parts)))


@cache
def _read(*path: str) -> str:
    """Read a file below `lua/` once: a gateway is made of a hundred, and they were a quarter of what rendering took."""
    return resources.files("fairlead.envoy").joinpath("lua", *path).read_text(encoding="utf-8")
