"""What becomes of requests."""

from collections import Counter
from dataclasses import dataclass, field

PATH = "/v1/chat/completions"
PAUSE_S = 0.1
"""What who was refused waits before it comes again: less than it was told."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of some."""

    ends: Counter[str] = field(default_factory=Counter)
    """By status, or how else they ended."""
    without_retry_after: int = 0
    """Refusals that do not say when to come again."""
    took_s: list[float] = field(default_factory=list)

    def note(self, status: str, *, retry_after: bool) -> None:
        """Count an answer."""
        self.ends[status] += 1
        if status == "503" and not retry_after:
            self.without_retry_after += 1
