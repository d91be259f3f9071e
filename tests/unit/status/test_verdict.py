"""Programmed and Ready: from the compiler's report and the gateways' answers."""

import pytest

from builders import US, budget, compiled, provider, route, target
from fairlead.api.conditions import Condition, ConditionStatus, ConditionType, Reason
from fairlead.compiler import Report
from fairlead.status import RegionState, conditions

SERVES, BEHIND, TOO_LARGE = RegionState.SERVES, RegionState.BEHIND, RegionState.TOO_LARGE


def _report(*, edited: str | None = None, broken: bool = False) -> Report:
    """A route's report: well, with a bad edit after a good version, or bad from the start."""
    first = compiled(provider("p"), route("chat", target("p", "none") if broken else None))
    now = compiled(provider("p"), route("chat", target("p", edited)), before=first) if edited else first
    return next(report for report in now.reports if report.key.kind == "ModelRoute")


def _by_type(stated: tuple[Condition, ...]) -> dict[str, tuple[str, str]]:
    return {str(one.type): (str(one.status), str(one.reason)) for one in stated}


@pytest.mark.parametrize(
    ("report", "states", "programmed", "ready"),
    [
        pytest.param(_report(), {US: SERVES}, ("True", "Programmed"), ("True", "Ready"), id="well"),
        pytest.param(_report(), {}, ("True", "Programmed"), ("True", "Ready"), id="no gateway here is concerned"),
        pytest.param(
            _report(),
            {US: SERVES, "eu-west-1": BEHIND},
            ("False", "GatewayBehind"),
            ("False", "NotInEffect"),
            id="one of two regions is behind",
        ),
        pytest.param(
            _report(),
            {US: TOO_LARGE, "eu-west-1": BEHIND},
            ("False", "TooLarge"),
            ("False", "NotInEffect"),
            id="what must be done comes first",
        ),
        pytest.param(
            _report(edited="none"),
            {US: SERVES},
            ("False", "LastGood"),
            ("False", "LastGood"),
            id="an older version serves",
        ),
        pytest.param(
            _report(broken=True),
            {US: SERVES},
            ("False", "NotInEffect"),
            ("False", "NotInEffect"),
            id="there never was a good version",
        ),
    ],
)
def test_what_is_said(
    report: Report, states: dict[str, RegionState], programmed: tuple[str, str], ready: tuple[str, str]
) -> None:
    said = _by_type(conditions(report, states.items()))
    assert said["Programmed"] == programmed
    assert said["Ready"] == ready


def test_ready_says_what_is_wrong_in_the_words_of_the_condition_that_knows() -> None:
    stated = conditions(_report(broken=True), [(US, SERVES)])
    refs = next(one for one in stated if one.type == "ResolvedRefs")
    ready = next(one for one in stated if one.type == "Ready")
    assert ready.message == refs.message


def test_an_expired_consumer_is_not_ready() -> None:
    said = _by_type(conditions(_report(), [(US, SERVES)], expired=True))
    assert said["Ready"] == ("False", "Expired")
    assert said["Programmed"] == ("True", "Programmed")


@pytest.mark.parametrize(
    ("status", "reason", "ready"),
    [
        pytest.param(ConditionStatus.TRUE, Reason.ENFORCED, ("True", "Ready"), id="somebody decides"),
        pytest.param(ConditionStatus.FALSE, Reason.FAILING_OPEN, ("False", "NotEnforced"), id="nobody can"),
        pytest.param(ConditionStatus.UNKNOWN, Reason.PENDING, ("Unknown", "Pending"), id="nobody does yet"),
    ],
)
def test_a_policy_does_its_work_when_somebody_decides_by_it(
    status: ConditionStatus, reason: Reason, ready: tuple[str, str]
) -> None:
    (report,) = compiled(budget("agents")).reports
    enforced = Condition(type=ConditionType.ENFORCED, status=status, reason=reason, message="said")
    stated = conditions(report, [], enforced=enforced)
    assert [str(one.type) for one in stated] == ["Accepted", "ResolvedRefs", "Programmed", "Enforced", "Ready"]
    assert _by_type(stated)["Ready"] == ready


def test_a_region_whose_pods_do_not_run_is_told_why() -> None:
    why = "pod us-1: 0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector"
    stated = {one.type: one.message for one in conditions(_report(), [(US, BEHIND)], lacking={US: why})}
    assert stated[ConditionType.PROGRAMMED] == f"no gateway in `{US}` is ready: {why}"
