"""How fast models are taken to be where nothing is sent: as a file beside the hour's routes declares."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path

FILE = "speeds.toml"
_SECOND_MS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Of a model."""

    first_token_ms: int
    tokens_per_second: int

    def whole_ms(self, completion_tokens: int) -> float:
        """Return how long an answer of so many tokens takes, to its last one."""
        return self.first_token_ms + completion_tokens * _SECOND_MS / self.tokens_per_second


def speeds(folder: Path) -> dict[str, Speed]:
    """Read what is declared, by the model's name."""
    declared = tomllib.loads((folder / FILE).read_text())
    return {
        model: Speed(first_token_ms=one["firstTokenMs"], tokens_per_second=one["tokensPerSecond"])
        for model, one in declared.items()
    }


def percentile(took_ms: Mapping[float, int], share: float) -> float:
    """Return the time within which this share of some requests were answered: at least one of them took so long.

    `took_ms`: how many requests took how long, at least one.
    """
    left = ceil(share * sum(took_ms.values()))
    for ms in sorted(took_ms):
        left -= took_ms[ms]
        if left <= 0:
            return ms
    raise ValueError("took_ms: got no request, want some")
