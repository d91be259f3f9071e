"""When pods are told that there is something new for them."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from fairlead.controller.live import Live
from fairlead.controller.metrics import Metrics
from fairlead.controller.nudges import AGAIN_ANNOTATION, Nudges
from fast_clock import FastClock
from memory_cluster import MemoryCluster

DIGEST = "fairlead.dev/configuration"


class Stage:
    """One pod, and what it is to have."""

    def __init__(self) -> None:
        self.clock = FastClock(faster=0)  # stands still unless it is moved
        self.live = Live()
        self.cluster = MemoryCluster()
        self.live.put(self.cluster.put({"kind": "Pod", "metadata": {"name": "one", "namespace": "fairlead"}}))
        self.nudges = Nudges(self.cluster, self.clock, namespace="fairlead", live=self.live, metrics=Metrics())

    def tell(self, digest: str) -> tuple[int, float | None]:
        return asyncio.run(self.nudges.tell(lambda _: {"annotations": {DIGEST: digest}}))

    def again(self, after_s: float) -> str | None:
        """Ask some seconds later for one more nudge; return how often there was one."""
        self.clock.ahead(after_s)
        asyncio.run(self.nudges.again(["one"]))
        return self.annotations.get(AGAIN_ANNOTATION)

    @property
    def annotations(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = (self.cluster.find("Pod", "one") or {})["metadata"].get("annotations", {})
        return found


def test_a_pod_is_told_once_and_at_most_once_a_second() -> None:
    stage = Stage()
    assert stage.tell("a") == (1, None)
    assert stage.tell("a") == (0, None)
    nudged, again_in_s = stage.tell("b")
    assert nudged == 0
    assert again_in_s == 1.0
    stage.clock.ahead(1.0)
    assert stage.tell("b") == (1, None)
    assert stage.annotations[DIGEST] == "b"


def test_a_pod_that_does_not_follow_is_told_again_ever_more_slowly_and_not_for_ever() -> None:
    stage = Stage()
    stage.tell("a")
    assert stage.again(0.75) is None
    assert stage.again(0.25) == "1"
    assert stage.again(1.0) == "1"
    assert stage.again(1.0) == "2"
    for expected in ("3", "4", "5", "6", "6", "6"):
        assert stage.again(60.0) == expected


def test_something_new_begins_anew() -> None:
    stage = Stage()
    stage.tell("a")
    assert [stage.again(60.0) for _ in range(3)] == ["1", "2", "3"]
    stage.clock.ahead(1.0)
    stage.tell("b")
    assert stage.again(0.5) == "3"
    assert stage.again(0.5) == "4"
    assert stage.again(1.0) == "4"
    assert stage.again(1.0) == "5"


def test_a_pod_that_another_operator_told_has_time_to_follow() -> None:
    stage = Stage()
    assert stage.again(1000.0) is None
    assert stage.again(1.0) == "1"


@pytest.mark.parametrize("written", ["by hand", "", "1.5", "\u00b2", "9" * 5000])
def test_an_annotation_that_somebody_wrote_by_hand_counts_as_none(written: str) -> None:
    stage = Stage()
    stage.tell("a")
    pod = stage.cluster.find("Pod", "one") or {}
    pod["metadata"]["annotations"] = {**pod["metadata"]["annotations"], AGAIN_ANNOTATION: written}
    stage.live.put(stage.cluster.put(pod))
    assert stage.again(60.0) == "1"
