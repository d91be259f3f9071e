"""How well a classifier sorts texts whose category is known: accuracy, and which category was taken for which."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.ir.classifier import NO_CATEGORY

MOST_LINES = 100_000
NOT_ASKED = "(not asked)"
"""What stands for the category of a request that was answered without one."""
FAILED = "(failed)"
"""The same of a request that was not answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A text, and what it is about."""

    text: str
    category: str


def labelled(lines: Iterable[bytes]) -> tuple[Labelled, ...]:
    """Read lines of `{"text": ..., "category": ...}`; empty ones are skipped.

    Raises:
        ValueError: names the line that is none, what is wrong with it, and what is wanted.

    """
    found = []
    for number, line in enumerate(lines, start=1):
        if number > MOST_LINES:
            raise ValueError(f"line {number}: want at most {MOST_LINES} lines, take a part of them")
        if line.strip():
            found.append(_labelled(number, line))
    return tuple(found)


def _labelled(number: int, line: bytes) -> Labelled:
    want = 'want {"text": "...", "category": "..."}, correct it'
    try:
        read = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"line {number}: got no JSON, {want}") from error
    if not isinstance(read, dict) or set(read) != {"text", "category"}:
        raise ValueError(f"line {number}: got other members, {want}")
    text, category = read["text"], read["category"]
    if not (isinstance(text, str) and isinstance(category, str) and text and category):
        raise ValueError(f"line {number}: got a text or a category that is none, {want}")
    return Labelled(text=text, category=category)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often texts of one category were taken for another: (of, taken for) -> how often."""

    counts: Mapping[tuple[str, str], int]

    @classmethod
    def of(cls, answers: Iterable[tuple[str, str]]) -> "Confusion":
        """Count pairs of the category of a text and what was said of it."""
        return cls(counts=Counter(answers))

    @property
    def total(self) -> int:
        """How many texts there were."""
        return sum(self.counts.values())

    @property
    def right(self) -> int:
        """How many of them were taken for what they are."""
        return sum(count for (wanted, said), count in self.counts.items() if wanted == said)

    @property
    def accuracy(self) -> float:
        """Which share of all that is, from 0 to 1; whoever was not answered was not right."""
        return self.right / self.total if self.total else 0.0

    @property
    def rows(self) -> tuple[str, ...]:
        """The categories that texts have."""
        return tuple(sorted({wanted for wanted, _ in self.counts}))

    @property
    def columns(self) -> tuple[str, ...]:
        """What was said of them: categories first."""
        last = (NO_CATEGORY, NOT_ASKED, FAILED)
        said = {said for _, said in self.counts}
        return (*sorted({*self.rows, *said}.difference(last)), *(one for one in last if one in said))

    def document(self) -> dict[str, Any]:
        """Describe it as JSON."""
        table = {wanted: {said: self.counts.get((wanted, said), 0) for said in self.columns} for wanted in self.rows}
        return {"accuracy": round(self.accuracy, 6), "right": self.right, "total": self.total, "confusion": table}

    def lines(self) -> Sequence[str]:
        """Write it as a table: a row for what texts are, a column for what they were taken for."""
        columns = self.columns
        head = ["is \\ said", *columns]
        table = [head, *([row, *(str(self.counts.get((row, said), 0)) for said in columns)] for row in self.rows)]
        widths = [max(len(row[at]) for row in table) for at in range(len(head))]
        written = [
            "  ".join(
                [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
            )
            for row in table
        ]
        return [f"accuracy {self.accuracy:.1%} ({self.right} of {self.total})", "", *written]
