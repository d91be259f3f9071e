import pytest

from fairlead.api.conditions import Condition, ConditionStatus, ConditionType, Reason
from fairlead.api.meta import ObjectKey
from fairlead.status import RegionState, conditions
from fairlead.translate import Report, Served


def report(served: Served = Served.CURRENT, *, missing: bool = False) -> Report:
    resolved = (ConditionStatus.FALSE, Reason.SECRET_NOT_FOUND, "got x")
    well = (ConditionStatus.TRUE, Reason.RESOLVED_REFS, "m")
    status, reason, message = resolved if missing else well
    return Report(
        key=ObjectKey("ModelRoute", "team", "chat"),
        generation=3,
        served=served,
        conditions=(
            Condition(
                type=ConditionType.ACCEPTED,
                status=ConditionStatus.TRUE,
                reason=Reason.ACCEPTED,
                message="m",
                observed_generation=3,
            ),
            Condition(
                type=ConditionType.RESOLVED_REFS, status=status, reason=reason, message=message, observed_generation=3
            ),
        ),
        warnings=(),
        problems=(),
    )


@pytest.mark.parametrize(
    ("said", "regions", "expired", "expected", "reason"),
    [
        (report(), [("us", RegionState.SERVES)], False, ("True/Programmed", "True/Ready"), "all is well"),
        (report(), [], False, ("True/Programmed", "True/Ready"), "no gateway has to serve it"),
        (
            report(),
            [("us", RegionState.SERVES), ("eu", RegionState.BEHIND)],
            False,
            ("False/GatewayBehind", "False/NotInEffect"),
            "one gateway is behind",
        ),
        (
            report(),
            [("us", RegionState.TOO_LARGE), ("eu", RegionState.BEHIND)],
            False,
            ("False/TooLarge", "False/NotInEffect"),
            "what will not pass by itself is said first",
        ),
        (
            report(Served.LAST_GOOD, missing=True),
            [("us", RegionState.SERVES)],
            False,
            ("False/LastGood", "False/LastGood"),
            "an older version serves",
        ),
        (
            report(Served.NOTHING, missing=True),
            [],
            False,
            ("False/NotInEffect", "False/NotInEffect"),
            "nothing serves",
        ),
        (
            report(missing=True),
            [("us", RegionState.SERVES)],
            False,
            ("True/Programmed", "False/NotInEffect"),
            "it serves, but not all of it",
        ),
        (report(), [("us", RegionState.SERVES)], True, ("True/Programmed", "False/Expired"), "its time has passed"),
    ],
)
def test_conditions(
    said: Report,
    regions: list[tuple[str, RegionState]],
    expired: bool,
    expected: tuple[str, str],
    reason: str,
) -> None:
    found = conditions(said, regions, expired=expired)
    assert [one.type for one in found] == list(ConditionType), reason
    assert [f"{one.status}/{one.reason}" for one in found[2:]] == list(expected), reason
    assert {one.observed_generation for one in found} == {3}


def test_messages_name_regions_sorted() -> None:
    found = conditions(report(), [("us", RegionState.BEHIND), ("eu", RegionState.BEHIND)])
    assert "`eu`, `us`" in found[2].message
    assert "`eu`, `us`" in found[3].message
