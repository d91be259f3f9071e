"""A share of few callers is a lottery, and is said to be one."""

from typing import Any

import pytest

import builders
from fairlead.rollout.machine import Shares
from fairlead.status.rollout import small_cohort

PROVIDER = builders.provider("p", models=[builders.model("small"), builders.model("new")])


def said(callers: int, traffic: int, **rollout: Any) -> str:
    route = builders.manifest(
        "ModelRoute",
        "chat",
        "team",
        {
            "primary": {"provider": "p", "model": "small"},
            "residency": "Any",
            "rollout": {"steps": [{"traffic": "1%"}], **rollout},
        },
    )
    consumers = [builders.consumer(f"c{number}", namespace="team") for number in range(callers)]
    elsewhere = [builders.consumer(f"c{number}", namespace="other") for number in range(20)]
    compiled = builders.compiled(PROVIDER, route, *consumers, *elsewhere)
    shares = Shares(stable="p/small", candidate="p/new", traffic=traffic)
    return small_cohort([one.ir for one in compiled.gateways.values()], "team/chat", shares)


@pytest.mark.parametrize(("callers", "traffic"), [(1, 5_000), (9, 5_000), (49, 1_000)])
def test_a_share_that_may_be_nobody_is_said(callers: int, traffic: int) -> None:
    count = "1 caller" if callers == 1 else f"{callers} callers"
    assert said(callers, traffic).startswith(
        f"{count} may use the route and each stays on its side, so {traffic // 100}%"
    )


@pytest.mark.parametrize(("callers", "traffic"), [(10, 5_000), (50, 1_000), (1, 0), (1, 10_000)])
def test_a_share_of_enough_callers_is_not(callers: int, traffic: int) -> None:
    assert said(callers, traffic) == ""


def test_where_each_request_is_drawn_nobody_stays() -> None:
    assert said(1, 100, stickiness="Request") == ""
