"""Conditions as they stand in an object's status: merged into what is there, by Kubernetes' rules.

Source of the rules: Kubernetes API conventions, and Gateway API's `apis/v1/shared_types.go`: conditions of other
writers are neither dropped nor reordered, and a newer generation is never overwritten by an older one.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fairlead.api.conditions import Condition


def merge(old: Sequence[Mapping[str, Any]], new: Iterable[Condition], *, now: str) -> list[dict[str, Any]]:
    """Return `status.conditions` after something new was said.

    `now` is an RFC 3339 time; it becomes `lastTransitionTime` of what is new or changed its status, and of nothing
    else. An entry of `old` that is not one of ours stays as it is and where it is; new types go to the end.
    """
    said = {str(condition.type): condition for condition in new}
    merged = []
    for entry in old:
        condition = said.pop(str(entry.get("type")), None)
        merged.append(
            dict(entry) if condition is None or _is_newer(entry, condition) else _write(condition, entry, now)
        )
    return merged + [_write(condition, {}, now) for condition in said.values()]


def _is_newer(entry: Mapping[str, Any], condition: Condition) -> bool:
    seen = entry.get("observedGeneration")
    return isinstance(seen, int) and condition.observed_generation is not None and seen > condition.observed_generation


def _write(condition: Condition, entry: Mapping[str, Any], now: str) -> dict[str, Any]:
    unchanged = entry.get("status") == condition.status and isinstance(entry.get("lastTransitionTime"), str)
    written = {
        "type": str(condition.type),
        "status": str(condition.status),
        "reason": str(condition.reason),
        "message": condition.message,
        "lastTransitionTime": entry["lastTransitionTime"] if unchanged else now,
    }
    if condition.observed_generation is not None:
        written["observedGeneration"] = condition.observed_generation
    return written
