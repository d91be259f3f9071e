"""An object's whole status: stable, complete, and news only when something has happened."""

from typing import Any

from builders import US, compiled, model, provider, route
from fairlead.api.conditions import Condition, ConditionStatus, ConditionType, Reason
from fairlead.status import Serving, differs, news, served_routes, status
from fairlead.status.object_status import ladder

NOW, LATER = "2026-11-21T12:00:00Z", "2026-11-21T13:00:00Z"


def _stated(ready: bool = True) -> tuple[Condition, ...]:
    accepted = Condition(
        type=ConditionType.ACCEPTED,
        status=ConditionStatus.TRUE,
        reason=Reason.ACCEPTED,
        message="well",
        observed_generation=3,
    )
    return (
        accepted,
        Condition(
            type=ConditionType.READY,
            status=ConditionStatus.TRUE if ready else ConditionStatus.FALSE,
            reason=Reason.READY if ready else Reason.NOT_IN_EFFECT,
            message="m",
            observed_generation=3,
        ),
    )


def _status(ready: bool = True, before: dict | None = None, now: str = NOW) -> dict:  # type: ignore[type-arg]  # JSON
    serving = [Serving(region=US, digest="d" * 64, generation=3, ladder=("p/us/small",))]
    return dict(status(_stated(ready), serving, generation=3, before=before or {}, now=now))


def test_everything_stands_in_it() -> None:
    written = _status()
    assert written["observedGeneration"] == 3
    assert written["servedIn"] == US
    (gateway,) = written["gateways"]
    assert gateway == {
        "region": US,
        "digest": "d" * 64,
        "observedGeneration": 3,
        "target": "p/us/small",
        "ladder": ["p/us/small"],
    }


def test_the_same_again_is_nothing_to_write() -> None:
    before = _status()
    assert not differs(_status(before=before, now=LATER), before)
    assert differs(_status(ready=False, before=before, now=LATER), before)


def test_conditions_of_others_are_no_difference_and_are_not_repeated() -> None:
    theirs = {"type": "Reviewed", "status": "True", "reason": "R", "message": "", "lastTransitionTime": NOW}
    before = _status()
    before = {**before, "conditions": [theirs, *reversed(before["conditions"])]}
    written = _status(before=before, now=LATER)
    assert not differs(written, before)
    assert "Reviewed" not in [one["type"] for one in written["conditions"]]


def test_the_default_of_the_crd_is_a_difference() -> None:
    pending = {"type": "Ready", "status": "Unknown", "reason": "Pending", "message": "", "lastTransitionTime": NOW}
    assert differs(_status(before={"conditions": [pending]}), {"conditions": [pending]})


def test_news() -> None:
    fresh = [str(one.type) for one in news(_stated(), {})]
    assert fresh == ["Ready"]  # an object began to do its work: one Event
    before = _status()
    assert news(_stated(), before) == ()
    went_wrong = news(_stated(ready=False), before)
    assert [str(one.reason) for one in went_wrong] == ["NotInEffect"]
    came_right = news(_stated(), _status(ready=False))
    assert [str(one.reason) for one in came_right] == ["Ready"]


def test_a_ladder_is_every_target_once_and_a_catalogue_is_shown_as_one() -> None:
    (one,) = served_routes(compiled(provider("p"), route("chat")).gateways[US].ir)
    assert ladder(one) == ("p/us/small",)
    many = provider("p", models=[model("small"), model("large")])
    catalogue = route("all", {"provider": "p"}, modelNames=["*"])
    (one,) = served_routes(compiled(many, catalogue).gateways[US].ir)
    assert ladder(one) == ("p/us/*",)


def test_that_a_policy_is_enforced_or_not_is_told_once() -> None:
    def stated(reason: Reason, ready: Reason) -> tuple[Condition, ...]:
        states = {Reason.ENFORCED: ConditionStatus.TRUE, Reason.READY: ConditionStatus.TRUE}
        states |= {Reason.PENDING: ConditionStatus.UNKNOWN}
        pairs = ((ConditionType.ENFORCED, reason), (ConditionType.READY, ready))
        return tuple(
            Condition(type=kind, status=states.get(found, ConditionStatus.FALSE), reason=found, message="m")
            for kind, found in pairs
        )

    def told(*moments: tuple[Reason, Reason]) -> list[list[str]]:
        before: dict[str, Any] = {}
        said = []
        for moment in moments:
            said.append([str(one.reason) for one in news(stated(*moment), before)])
            before = dict(status(stated(*moment), [], generation=3, before=before, now=NOW))
        return said

    pending, well = (Reason.PENDING, Reason.PENDING), (Reason.ENFORCED, Reason.READY)
    lost = (Reason.FAILING_OPEN, Reason.NOT_ENFORCED)
    assert told(pending, well, lost, lost, well) == [[], ["Ready"], ["FailingOpen"], [], ["Ready"]]


def test_what_only_a_kind_has() -> None:
    before = _status()
    further = {"budget": {"spentUSD": "1.00"}}
    written = status(_stated(), [], generation=3, before=before, now=NOW, further=further)
    assert written["budget"] == further["budget"]
    assert differs(written, {**written, "budget": {"spentUSD": "0.50"}})
