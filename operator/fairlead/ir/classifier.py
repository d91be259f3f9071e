"""What gives requests a category, for rules that ask for one."""

from dataclasses import dataclass

MOST_TEXT = 8192
"""Bytes of the user's last text that are sent."""
NO_CATEGORY = "none"
"""What stands for a category where a request has none; no category is called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """Who is asked, and how. One of `route` and `service` is not empty."""

    categories: tuple[str, ...]
    """Sorted. An answer that begins with none of them is no category."""
    timeout_ms: int
    """How long a request waits; then it has no category."""
    remember_s: int = 0
    """How long an answer stands for the same text; 0: each text is asked about."""
    route: str = ""
    """Name of a route of the gateway that has one plan without a key, of chat, and speaks OpenAI's API."""
    prompt: str = ""
    """What the route's model is told before the text."""
    service: str = ""
    """`host:port` of an HTTP service."""
    path: str = "/"
    """Where the service is asked."""
