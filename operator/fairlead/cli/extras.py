"""What is not installed: which extra of the package brings it, said in one line."""

import importlib.util
from collections.abc import Mapping

_BUDGET = frozenset(
    {
        "aiohttp",
        "cryptography",
        "google",
        "hiredis",
        "hpack",
        "httpx",
        "prometheus_client",
        "redis",
        "structlog",
        "uvloop",
        "yarl",
    }
)
MODULES: Mapping[str, frozenset[str]] = {
    "standalone": frozenset(
        {*_BUDGET, "certifi", "envoy", "httpx", "jinja2", "markupsafe", "typing_extensions", "watchfiles"}
    ),
    "operator": frozenset(
        {
            "aiohttp",
            "certifi",
            "h11",
            "httpx",
            "jinja2",
            "kopf",
            "kubernetes",
            "markupsafe",
            "prometheus_client",
            "structlog",
            "typing_extensions",
            "yarl",
        }
    ),
    "budget": _BUDGET,
    "init": frozenset({"genai_prices"}),
    "demo": frozenset({"aiohttp", "gguf", "numpy", "openai", "xllamacpp"}),
}
"""Modules that come with each extra, as they are imported."""


def missing(extra: str) -> list[str]:
    """List the modules of an extra that cannot be imported, sorted."""
    return sorted(name for name in MODULES[extra] if importlib.util.find_spec(name) is None)


def advice(module: str, extras: tuple[str, ...]) -> str:
    """Say what to do about a module that is not there, for a command that needs one of these extras."""
    bringing = [extra for extra in extras if module.partition(".")[0] in MODULES[extra]] or list(extras)
    commands = " or ".join(f"`pip install 'fairlead[{extra}]'`{_for(extra, bringing)}" for extra in bringing)
    return f"got no `{module}`, which is not installed; run {commands}"


def _for(extra: str, others: list[str]) -> str:
    if len(others) == 1:
        return ""
    return {"standalone": " for `fairlead up`", "operator": " for a cluster"}.get(extra, "")
