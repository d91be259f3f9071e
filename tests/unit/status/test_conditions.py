from typing import Any

import pytest

from fairlead.api.conditions import Condition, ConditionStatus, ConditionType, Reason
from fairlead.status import merge

THEN, NOW = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"


def accepted(
    status: ConditionStatus = ConditionStatus.TRUE, generation: int | None = 2, message: str = "m"
) -> Condition:
    reason = {ConditionStatus.TRUE: Reason.ACCEPTED, ConditionStatus.FALSE: Reason.INVALID}.get(status, Reason.PENDING)
    return Condition(
        type=ConditionType.ACCEPTED, status=status, reason=reason, message=message, observed_generation=generation
    )


def stored(type_: str = "Accepted", status: str = "True", **fields: Any) -> dict[str, Any]:
    return {
        "type": type_,
        "status": status,
        "reason": "Accepted",
        "message": "m",
        "lastTransitionTime": THEN,
        "observedGeneration": 1,
        **fields,
    }


@pytest.mark.parametrize(
    ("old", "new", "time", "reason"),
    [
        ([], accepted(), NOW, "said for the first time"),
        ([stored()], accepted(), THEN, "the status is the same, for another generation"),
        ([stored(message="other", reason="Other")], accepted(), THEN, "other words are no transition"),
        ([stored(status="False")], accepted(), NOW, "the status changes"),
        ([stored()], accepted(ConditionStatus.UNKNOWN), NOW, "to unknown is a change as well"),
        ([stored(lastTransitionTime=None)], accepted(), NOW, "a broken entry heals"),
    ],
)
def test_the_time_moves_only_with_the_status(old: list[dict[str, Any]], new: Condition, time: str, reason: str) -> None:
    (merged,) = merge(old, [new], now=NOW)
    assert merged["lastTransitionTime"] == time, reason
    assert (merged["status"], merged["message"], merged["observedGeneration"]) == (str(new.status), "m", 2), reason


def test_conditions_of_others_stay_where_they_are() -> None:
    foreign = stored("Pretty", note="kept")
    merged = merge([foreign, stored(), stored("Last")], [accepted()], now=NOW)
    assert [one["type"] for one in merged] == ["Pretty", "Accepted", "Last"]
    assert merged[0] == foreign


def test_new_types_go_to_the_end_in_the_order_given() -> None:
    resolved = Condition(
        type=ConditionType.RESOLVED_REFS, status=ConditionStatus.TRUE, reason=Reason.RESOLVED_REFS, message="m"
    )
    merged = merge([stored("Pretty")], [accepted(), resolved], now=NOW)
    assert [one["type"] for one in merged] == ["Pretty", "Accepted", "ResolvedRefs"]
    assert "observedGeneration" not in merged[2]


def test_a_newer_generation_is_not_overwritten() -> None:
    newer = stored(status="False", observedGeneration=3)
    assert merge([newer], [accepted(generation=2)], now=NOW) == [newer]


def test_inputs_are_left_alone() -> None:
    old = [stored()]
    merge(old, [accepted(ConditionStatus.FALSE)], now=NOW)
    assert old == [stored()]
