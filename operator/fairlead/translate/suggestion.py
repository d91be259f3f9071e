"""The second half of a message about a name that does not exist: what there is, and what was probably meant."""

from collections.abc import Collection
from difflib import get_close_matches

from fairlead.api.validation import legible

_LISTED = 6


def listed(names: Collection[str]) -> str:
    """Name what there is, sorted, the first few of many: `a`, `b` and 7 more."""
    shown = sorted(names)
    more = len(shown) - _LISTED
    if more <= 0:
        return ", ".join(f"`{legible(name)}`" for name in shown)
    return ", ".join(f"`{legible(name)}`" for name in shown[:_LISTED]) + f" and {more} more"


def meant(got: str, names: Collection[str]) -> str:
    """Return `, did you mean X` for the nearest name, or nothing."""
    lowered = {name.lower(): name for name in sorted(names, reverse=True)}
    near = get_close_matches(got.lower(), sorted(lowered), n=1, cutoff=0.6)
    return f", did you mean `{legible(lowered[near[0]])}`" if near else ""
