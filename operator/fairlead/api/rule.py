"""Rules that a type cannot express: one text, judged by the API server in CEL and by `decode` in Python."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A condition on one value, with the message for whoever breaks it.

    The value is a JSON value with all defaults filled in, as it is when the API server runs CEL.
    """

    holds: Callable[[Any], bool] | None = None
    """Whether the value keeps the rule. Called only where everything in `reads` is well-formed. None: it does where
    `places` names none."""
    cel: str | None
    """The same in CEL; None where CEL's cost limit, or a missing function, leaves it to `decode` and to a condition."""
    message: str
    """`got X, want Y, what to do`. For a rule on a string it begins with `want`, since both sides print the string."""
    reads: tuple[str, ...] = ()
    """Properties of the value that the rule looks at; it is skipped while one of them has a problem of its own."""
    field: str = ""
    """Where the problem is reported, below the value: `primary.model`. Empty: at the value itself."""
    places: Callable[[Any], Iterable[str]] | None = None
    """The same more exactly, for entries of lists: `steps[2].traffic`. CEL cannot name them."""

    def broken_at(self, value: Any) -> tuple[str, ...]:
        """Return the places below the value where the rule is broken; none if it holds."""
        if self.holds is not None and self.holds(value):
            return ()
        return tuple(self.places(value)) if self.places else (self.field,)


def repeated(identities: Iterable[object]) -> tuple[int, ...]:
    """Return the indices of what stands earlier in a list already."""
    seen: set[object] = set()
    indices = []
    for index, identity in enumerate(identities):
        if identity in seen:
            indices.append(index)
        seen.add(identity)
    return tuple(indices)
