"""A user's mistake in one object, told in one line."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, where, and what to do. Prints as `path: message`."""

    path: str
    """The field, as a person would write it: `spec.rollout.steps[2].traffic`."""
    message: str
    """`got X, want Y, what to do`: one line, no final period, literals in backticks, the same text every time."""
    missing: str = field(default="", compare=False)
    """The object that it lacks, `Kind namespace/name`: where that is told to be wrong itself, this is no news."""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message
