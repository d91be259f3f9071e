"""A page says the same of a `fairlead up` and of a cluster that serve the same."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stories
from stages import Stage
from stories import CHAT

from builders import EU_WEST, US
from fairlead.console.cluster import ClusterSource
from fairlead.console.picture import NO_BUDGET
from fairlead.errors import EnvoyError
from memory_cluster import MemoryCluster

TOLD_BY_UP_ALONE = ("observedAt",)


@pytest.mark.parametrize("story", stories.ALL.values(), ids=stories.ALL)
def test_both_say_the_same_field_by_field(story: Callable[[], Stage], tmp_path: Path) -> None:
    stage = story()
    up, cluster = stage.up(tmp_path / "state"), stage.in_cluster()
    assert up.routes == cluster.routes
    assert up.endpoints == cluster.endpoints
    assert up.classifiers == cluster.classifiers
    assert up.feedback == cluster.feedback
    assert [_bare(one) for one in up.rollouts] == [_bare(one) for one in cluster.rollouts]
    if not stage.manifests:
        return  # a cluster names regions by pods and by what is served
    told = {one["name"]: one for one in cluster.regions}
    for region in up.regions:
        other = told[region["name"]]
        assert {**region, "address": "", "state": ""} == {**other, "address": "", "state": ""}
        assert (region["state"] == "Serves") == (other["state"] == "Serves")


def test_both_tell_kept_answers_and_classifiers_where_nobody_has_a_budget(tmp_path: Path) -> None:
    stage = stories.by_content()
    up = stage.up(tmp_path / "state", money=NO_BUDGET)
    cluster = stage.in_cluster(stage.spent())
    assert (up.budgets, up.money) == (cluster.budgets, cluster.money)
    assert up.budgets is not None
    assert up.budgets["caches"] == [
        {
            "route": "team-web/kept",
            "requests": 10,
            "hits": 3,
            "share": "30%",
            "savedUSD": "0.002",
            "estimatedUSD": "0.00",
            "since": None,
        }
    ]
    assert up.classifiers == [
        {
            "route": "team-web/burning",
            "asked": 0,
            "remembered": 0,
            "without": {"open": 9, "timeout": 5},
            "openSince": "2026-11-21T11:59:00Z",
        },
        {"route": "team-web/sorted", "asked": 10, "remembered": 4, "without": {}, "openSince": None},
    ]
    assert "1 classifier not asked" in up.verdict
    assert up.feedback == [
        {"route": "team-web/kept", "target": "p/us/small", "arm": "stable", "answers": 10, "up": 4, "down": 2},
        {"route": "team-web/kept", "target": "p/us/vendor/a~", "arm": "candidate", "answers": 6, "up": 0, "down": 0},
    ]


class Servers:
    """Budget servers that say what users thought, or do not answer."""

    async def read(self, address: str, *, only: str) -> str:
        if address != "fairlead/one:8083":
            raise EnvoyError("nobody answers")
        assert only
        return stories.RATINGS


def test_a_cluster_asks_its_budget_servers_and_does_without_those_that_are_silent() -> None:
    def pod(name: str, component: str) -> dict[str, Any]:
        labels = {"app.kubernetes.io/part-of": "fairlead", "app.kubernetes.io/component": component}
        return {
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "fairlead", "labels": labels},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }

    cluster = MemoryCluster(pod("one", "budget-server"), pod("two", "budget-server"), pod("three", "operator"))
    source = ClusterSource(cluster, Servers(), namespace="fairlead", called="x")
    picture = asyncio.run(source.look())
    assert [(one["arm"], one["answers"], one["up"]) for one in picture.feedback] == [
        ("stable", 5, 2),
        ("candidate", 3, 0),
    ]


def _bare(rollout: Any) -> dict[str, Any]:
    return {name: value for name, value in rollout.items() if name not in TOLD_BY_UP_ALONE}


def test_a_cluster_has_shares_last_resorts_names_and_geos() -> None:
    picture = stories.rolling().in_cluster()
    assert {one["name"]: one["geo"] for one in picture.regions}[US] == "us"
    ladders = [one for one in picture.routes[0]["ladders"] if one["region"] == US]
    assert [(one["weight"], one["last"], one["names"]) for one in ladders] == [
        ("90%", "p/us/old", "chat"),
        ("10%", "p/us/old", "chat"),
    ]


def test_who_serves_now_is_not_who_is_declared() -> None:
    serves = {one["name"]: one["serves"] for one in stories.every_state().in_cluster().regions}
    ((found,),) = [[one for one in serves[US] if one["route"] == CHAT]]
    told = {one["target"]: one["share"] for one in found["answers"]}
    assert "p/down/small" not in told
    assert "p/drained/small" not in told
    assert "p/suspect/small" not in told, "this gateway ejected it"
    assert told["p/recovering/small"]


def test_where_all_are_ejected_the_last_resort_serves(tmp_path: Path) -> None:
    serves = {one["name"]: one["serves"] for one in stories.all_down().up(tmp_path / "state").regions}
    assert [one["state"] for one in serves[US][0]["answers"]] == ["Last resort"]
    assert [one["state"] for one in serves[EU_WEST][0]["answers"]] == ["Down"]


def test_a_region_that_does_not_answer_is_no_green(tmp_path: Path) -> None:
    stage = stories.all_down()
    for picture in (stage.up(tmp_path / "state"), stage.in_cluster()):
        assert f"{EU_WEST}: " in picture.verdict
        assert f"{US}: Degraded" in picture.verdict, "it runs, and nothing that it serves is well"


def test_a_catalogue_is_told_as_one_answer_with_how_many_names() -> None:
    (route,) = stories.catalogue().in_cluster().routes
    (ladder,) = [one for one in route["ladders"] if one["region"] == US]
    assert (ladder["further"], ladder["rungs"][0]["target"]) == (34, "p/us/*")
