"""What users thought of answers, as budget servers count it: pure."""

from collections.abc import Iterable
from typing import Any

from fairlead.adapters.exposition import samples
from fairlead.ir import word

Json = dict[str, Any]
PORT = 8083
"""Where a budget server of a cluster shows what it counts."""
_ANSWERS, _RATINGS = "fairlead_feedback_answers_total", "fairlead_feedback_ratings_total"


def told(texts: Iterable[str]) -> list[Json]:
    """Sum up what servers show since they started, by route, target and side of a rollout.

    Each has `answers` that could be rated, and how many were rated `up` and `down`.
    """
    found: dict[tuple[str, str, str], Json] = {}
    for text in texts:
        for one in samples(text, {_ANSWERS, _RATINGS}):
            key = tuple(one.labels.get(label, "") for label in ("route", "target", "arm"))
            route, target, arm = key
            of = found.setdefault(
                (route, target, arm),
                {"route": route, "target": word.decode(target), "arm": arm, "answers": 0, "up": 0, "down": 0},
            )
            counts = "answers" if one.name == _ANSWERS else one.labels.get("rating", "")
            if counts in of:
                of[counts] += one.value
    return [found[key] for key in sorted(found)]
