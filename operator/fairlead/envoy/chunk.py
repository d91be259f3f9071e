"""Chunks of Lua: the parts of a filter, joined behind what all filters share. Package data, code and not input."""

from collections.abc import Iterable
from importlib import resources

SHARED = "word.lua"
"""Names of models as words, `fairlead.ir.word` in Lua."""


def parts(folder: str, names: Iterable[str]) -> str:
    """Read `lua/<folder>/<name>.lua`, in this order, without what all filters share."""
    lua = resources.files("fairlead.envoy").joinpath("lua", folder)
    return "\n".join(lua.joinpath(f"{name}.lua").read_text(encoding="utf-8") for name in names)


def joined(folder: str, parts: Iterable[str]) -> str:
    """Read `lua/<folder>/<part>.lua`, in this order: each part sees the locals of those before it."""
    lua = resources.files("fairlead.envoy").joinpath("lua")
    files = [lua.joinpath(SHARED), *(lua.joinpath(folder, f"{part}.lua") for part in parts)]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)
