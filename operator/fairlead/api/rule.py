"""Rules that a type cannot express: one text, judged by the API server in CEL and by `decode` in Python."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A condition on one value, with the message for whoever breaks it.

    The value is a JSON value with all defaults filled in, as it is when the API server runs CEL.
    """

    holds: Callable[[Any], bool]
    """Whether the value keeps the rule. Called only where everything in `reads` is well-formed."""
    cel: str | None
    """The same in CEL; None where CEL's cost limit, or a missing function, leaves it to `decode` and to a condition."""
    message: str
    """`got X, want Y, what to do`. For a rule on a string it begins with `want`, since both sides print the string."""
    reads: tuple[str, ...] = ()
    """Properties of the value that `holds` looks at; it is skipped while one of them has a problem of its own."""
    field: str = ""
    """Where the problem is reported, below the value: `primary.model`. Empty: at the value itself."""
