"""What answers a route's names at one gateway, short enough to be shown: in a ModelRoute's status and on a page.

A wildcard route has a plan for each of a hundred models, and most of them differ in the model alone: those are told
once, with `*` where the model stands.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fairlead.status.serving import Answer, Share, percent

NAMED = 6
"""So many names of one answer are told; of the others, how many they are."""
GROUPS, TARGETS = 8, 96
"""So many answers, and rungs of all of them together, are told."""

Json = Mapping[str, Any]


def answers(found: Iterable[Answer]) -> dict[str, Any]:
    """Return `answers`, and in `furtherLadders` how many ladders are left out because they are too many."""
    told: list[Json] = []
    left, further = TARGETS, 0
    for one in _grouped(found):
        ladders = []
        for share in one.ladders if len(told) < GROUPS else ():
            left -= len(share.targets)
            ladders += [share] if left >= 0 else []
        further += len(one.ladders) - len(ladders)
        if ladders:
            told.append(_told(replace(one, ladders=tuple(ladders))))
    return {"answers": told, "furtherLadders": further}


def any_model(target: str) -> str:
    """Return a target with `*` for its model."""
    provider, endpoint, _ = target.split("/", 2)
    return f"{provider}/{endpoint}/*"


def _grouped(found: Iterable[Answer]) -> list[Answer]:
    """Join the answers that differ in names and models alone."""
    groups: dict[Answer, list[Answer]] = {}
    for one in found:
        groups.setdefault(_without_model(one), []).append(one)
    return [
        ones[0] if len(ones) == 1 else replace(form, names=tuple(sorted(name for one in ones for name in one.names)))
        for form, ones in groups.items()
    ]


def _without_model(one: Answer) -> Answer:
    ladders = tuple(
        Share(weight=share.weight, targets=tuple(dict.fromkeys(map(any_model, share.targets)))) for share in one.ladders
    )
    return replace(one, names=(), ladders=ladders, last_resort=any_model(one.last_resort))


def _told(one: Answer) -> Json:
    return {
        "names": list(one.names[:NAMED]),
        "furtherNames": max(0, len(one.names) - NAMED),
        "ladders": [
            {
                "share": percent(share.weight),
                "targets": list(share.targets),
                **({"judged": list(share.judged)} if share.judged else {}),
            }
            for share in one.ladders
        ],
        "lastResort": one.last_resort,
    }
