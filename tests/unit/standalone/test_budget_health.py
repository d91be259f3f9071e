"""What a budget server's health means, in words for a person."""

from typing import Any

import pytest

from fairlead.standalone import budget_health

DOWN = {"store": "down", "problem": "redis: refused", "failure_policy": "Closed", "bounding": True}
ENFORCED, COUNTED = "budgets are not enforced: redis: refused; ", "what requests cost is not counted: redis: refused; "


@pytest.mark.parametrize(
    ("health", "said"),
    [
        ({**DOWN, "store": "up"}, ""),
        (DOWN, ENFORCED + "requests are refused until it is mended"),
        ({**DOWN, "failure_policy": "Open"}, ENFORCED + "requests pass unchecked until it is mended"),
        ({**DOWN, "failure_policy": "Open", "bounding": False}, COUNTED + "it is booked when that is mended"),
    ],
)
def test_what_becomes_of_requests_while_the_store_is_away(health: dict[str, Any], said: str) -> None:
    assert budget_health.outage(health) == said


def test_a_store_of_shared_answers_that_is_away_is_said() -> None:
    assert budget_health.sharing({"answers": None}) == budget_health.sharing({}) == ""
    away = {"since": "2026-11-30T14:00:00Z", "problem": "redis: refused"}
    assert budget_health.sharing({"answers": away}) == (
        "shared answers: the store does not answer, since 2026-11-30T14:00:00Z: redis: refused; requests are asked anew"
    )
