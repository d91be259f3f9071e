from typing import Any

import pytest

from builders import US, compiled, endpoint, model, provider, route, target
from fairlead.api.conditions import Condition, ConditionStatus, ConditionType, Reason
from fairlead.status import Serving, differs, ladder, news, served_routes, status

THEN, NOW = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"


def accepted(status_: ConditionStatus = ConditionStatus.TRUE, reason: Reason = Reason.ACCEPTED) -> Condition:
    return Condition(type=ConditionType.ACCEPTED, status=status_, reason=reason, message="m", observed_generation=2)


def ready() -> Condition:
    return Condition(type=ConditionType.READY, status=ConditionStatus.TRUE, reason=Reason.READY, message="m")


def write(*stated: Condition, before: dict[str, Any] | None = None, now: str = NOW) -> dict[str, Any]:
    serving = [Serving(region="us", digest="d1", ladder=("p/us/m", "p/eu/m")), Serving(region="eu", digest="d2")]
    return dict(status(stated, serving, generation=2, before=before or {}, now=now))


def test_a_status_says_what_each_region_serves() -> None:
    assert write(accepted()) == {
        "observedGeneration": 2,
        "conditions": [
            {
                "type": "Accepted",
                "status": "True",
                "reason": "Accepted",
                "message": "m",
                "lastTransitionTime": NOW,
                "observedGeneration": 2,
            }
        ],
        "gateways": [
            {"region": "eu", "digest": "d2", "observedGeneration": 2},
            {
                "region": "us",
                "digest": "d1",
                "observedGeneration": 2,
                "target": "p/us/m",
                "ladder": ["p/us/m", "p/eu/m"],
            },
        ],
        "servedIn": "eu, us",
    }


def test_without_a_generation_none_is_written() -> None:
    written = status([], [Serving(region="us", digest="d")], generation=None, before={}, now=NOW)
    assert written == {"conditions": [], "gateways": [{"region": "us", "digest": "d"}], "servedIn": "us"}


def test_the_same_again_is_no_difference() -> None:
    before = write(accepted(), now=THEN)
    assert not differs(write(accepted(), before=before), before)
    assert differs(write(accepted(ConditionStatus.FALSE, Reason.INVALID), before=before), before)
    assert differs(write(accepted(), before={}), {})


def test_conditions_of_others_make_no_difference_and_are_not_written() -> None:
    before = write(accepted(), now=THEN)
    foreign = {"type": "Pretty", "status": "True"}
    stored = {**before, "conditions": [foreign, *before["conditions"]]}
    again = write(accepted(), before=stored)
    assert [one["type"] for one in again["conditions"]] == ["Accepted"]
    assert not differs(again, stored)


@pytest.mark.parametrize(
    ("stated", "before", "expected", "reason"),
    [
        (accepted(), {}, False, "well from the start is no news"),
        (ready(), {}, True, "an object began to do its work"),
        (accepted(ConditionStatus.FALSE, Reason.INVALID), {}, True, "wrong from the start"),
        (accepted(), {"status": "False", "reason": "Invalid"}, True, "came right"),
        (accepted(ConditionStatus.FALSE, Reason.INVALID), {"status": "True", "reason": "Accepted"}, True, "went wrong"),
        (
            accepted(ConditionStatus.FALSE, Reason.NAME_CONFLICT),
            {"status": "False", "reason": "Invalid"},
            True,
            "wrong for another reason",
        ),
        (accepted(ConditionStatus.FALSE, Reason.INVALID), {"status": "False", "reason": "Invalid"}, False, "as before"),
        (accepted(ConditionStatus.UNKNOWN, Reason.PENDING), {"status": "True", "reason": "Accepted"}, False, "not yet"),
    ],
)
def test_news(stated: Condition, before: dict[str, str], expected: bool, reason: str) -> None:
    stored = {"conditions": [{"type": str(stated.type), **before}]} if before else {}
    assert bool(news([stated], stored)) is expected, reason


def test_a_ladder_lists_each_target_once_and_a_catalogue_as_one() -> None:
    p = provider("p", endpoints=[endpoint("a", US), endpoint("b", US)], models=[model("small"), model("qwen/large")])
    written = [route("chat", target("p", "small")), route("all", target("p"), modelNames=["*"])]
    found = {one.name: ladder(one) for one in served_routes(compiled(p, *written).gateways[US].ir)}
    assert found == {
        "team-web/chat": ("p/a/small", "p/b/small"),
        "team-web/all": ("p/a/*", "p/b/*"),
    }
