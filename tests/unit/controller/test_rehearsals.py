"""Drills in a cluster: what is drained when, what ends them, and that there is a report of each."""

import asyncio
import json
from typing import Any

import pytest

from builders import EU_WEST, US, compiled, provider, route
from fairlead.controller import rehearsals
from fairlead.controller.drains import CONFIG_MAP, rfc3339
from fairlead.controller.rehearsals import PREFIX, Asked, Rehearsals, ask, asked_of, reported, undo
from fairlead.errors import ClusterError
from fairlead.health.region import DrainKind
from fairlead.health.rehearsal import Bounds
from fairlead.runtime.readings import GatewayPlace
from fairlead.status import Happening
from fast_clock import FastClock
from memory_cluster import MemoryCluster

BOUNDS = Bounds(error_rate_bp=100, first_byte_increase_bp=20_000)
COMPILED = compiled(provider("p"), route("chat"))
PLACES = [GatewayPlace(name="one", region=US, address="10.0.0.1:9090")]
METADATA = {"name": CONFIG_MAP, "namespace": "fairlead"}


class Clients:
    """What a gateway counts of its clients."""

    def __init__(self) -> None:
        self.well = self.failed = self.moved = 0

    async def read(self, address: str, *, only: str) -> str:
        assert (address, "requests" in only) == ("10.0.0.1:9090", True)
        labels = 'consumer="c",route="r",target="p/us/small",region="-",model="m"'
        return (
            f'envoy_fairlead_requests{{{labels},code="200"}} {self.well}\n'
            f'envoy_fairlead_requests{{{labels},code="502"}} {self.failed}\n'
            f'envoy_fairlead_requests{{{labels.replace("p/us", "q/eu")},code="200"}} {self.moved}\n'
        )


class Stage:
    """A cluster with the ConfigMap of drains, and one who looks after drills there."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster({"kind": "ConfigMap", "metadata": METADATA, "data": {"regions": US}})
        self.clock, self.clients = FastClock(0), Clients()
        self.told: list[Happening] = []
        self.rehearsals = self.another()

    def another(self) -> Rehearsals:
        return Rehearsals(
            kube=self.cluster,
            clock=self.clock,
            namespace="fairlead",
            known_regions=(US, EU_WEST),
            metrics=self.clients,
            told=self.told.append,
        )

    def now_ms(self) -> int:
        return int(self.clock.now().timestamp()) * 1000

    def wanted(self, for_s: int = 100, region: str = US) -> Asked:
        return Asked(region=region, began_ms=self.now_ms(), until_ms=self.now_ms() + 1000 * for_s, bounds=BOUNDS)

    def ask(self, wanted: Asked) -> Asked:
        asyncio.run(ask(self.cluster, "fairlead", wanted))
        return wanted

    def after(
        self, seconds: float, *, well: int = 0, failed: int = 0, moved: int = 0, shares: dict[str, int] | None = None
    ) -> list[str]:
        """Let time pass and clients ask; return the regions that are drained then."""
        self.clients.well += well
        self.clients.failed += failed
        self.clients.moved += moved
        self.clock.ahead(seconds)
        asyncio.run(self.rehearsals.step(self.found, COMPILED, PLACES, shares))
        assert all(one.kind is DrainKind.REGION for one in self.rehearsals.orders)
        return [one.name for one in self.rehearsals.orders]

    @property
    def found(self) -> dict[str, Any]:
        return self.cluster.find("ConfigMap", CONFIG_MAP) or {}

    @property
    def report(self) -> dict[str, Any]:
        return dict(reported(self.found, US) or {})


def test_a_region_is_looked_at_drained_and_let_go_and_clients_are_counted() -> None:
    stage = Stage()
    assert stage.after(0) == []
    wanted = stage.ask(stage.wanted(for_s=100))
    assert stage.after(0) == []
    assert stage.after(9, well=40) == [], "a tenth of the drill is the look before"
    assert stage.after(1) == [US]
    (order,) = stage.rehearsals.orders
    assert (order.began_ms, order.until_ms) == (stage.now_ms(), wanted.until_ms), "it ends by itself"
    assert stage.after(50, well=5, moved=5) == [US], "what was under way ends"
    assert stage.after(40, moved=20) == []
    assert (
        stage.report.items()
        >= {"region": US, "outcome": "Held", "reason": "", "began": rfc3339(wanted.began_ms)}.items()
    )
    assert (stage.report["before"]["requests"], stage.report["drained"]["requests"]) == (40, 30)
    assert stage.report["drained"]["servedBy"] == {"p/us": 5, "q/eu": 25}
    assert [one.reason for one in stage.told] == ["RehearsalBegan", "RehearsalHeld"]
    assert stage.found["data"]["regions"] == US, "what the chart wrote stands"
    assert stage.report["after"] is None, "its traffic is on its way back"
    assert stage.after(1, moved=3, shares={"p/us": 10}) == []
    assert stage.after(30, well=5, moved=5, shares={"p/us": 50}) == []
    assert stage.after(31, well=20) == []
    assert stage.report["outcome"] == "Held"
    assert stage.report["after"].items() >= {"requests": 30, "servedBy": {"p/us": 25, "q/eu": 5}}.items()
    assert stage.report["after"]["backAfterSeconds"] is not None
    assert [one.reason for one in stage.told] == ["RehearsalBegan", "RehearsalHeld", "RehearsalReturned"]
    assert stage.after(1) == [], "once is enough, although the annotation is still there"
    assert len(stage.told) == 3


def test_a_return_that_clients_suffer_from_has_not_held() -> None:
    stage = Stage()
    stage.after(0)
    stage.ask(stage.wanted(for_s=100))
    stage.after(0)
    stage.after(10, well=40)
    stage.after(50, moved=5)
    assert stage.after(40, moved=20) == []
    stage.after(1, shares={"p/us": 10})
    stage.after(30, well=20, failed=5)
    assert (stage.report["outcome"], stage.told[-1].reason) == ("GaveUp", "RehearsalGaveUp")
    assert "5 of 25 requests failed (20%) while its traffic came back" in stage.report["reason"]


def test_who_is_served_by_the_drained_region_itself_has_not_held() -> None:
    stage = Stage()
    stage.after(0)
    stage.ask(stage.wanted())
    stage.after(0)
    assert stage.after(10, well=50) == [US]
    assert stage.after(5, well=30) == [US]
    assert stage.after(1, well=30) == [], "at once"
    assert stage.report["outcome"] == "GaveUp"
    assert "30 of 30 requests were answered by the drained region itself" in stage.report["reason"]
    assert stage.told[-1].reason == "RehearsalGaveUp"


def test_a_drill_without_a_client_says_nothing() -> None:
    stage = Stage()
    stage.after(0)
    stage.ask(stage.wanted())
    stage.after(0)
    assert stage.after(10) == [US]
    assert stage.after(50) == [US]
    assert stage.after(50) == []
    assert (stage.report["outcome"], stage.told[-1].reason) == ("Inconclusive", "RehearsalInconclusive")
    assert stage.told[-1].warning


def test_too_many_errors_end_it_at_once() -> None:
    stage = Stage()
    stage.after(0)
    stage.ask(stage.wanted())
    stage.after(0)
    assert stage.after(10, well=50) == [US]
    assert stage.after(1, well=20, failed=5) == []
    assert stage.report["outcome"] == "GaveUp"
    assert "5 of 25 requests failed" in stage.report["reason"]
    assert stage.told[-1].warning
    assert stage.after(1) == []


def test_a_hand_ends_it_and_another_may_begin() -> None:
    stage = Stage()
    stage.after(0)
    stage.ask(stage.wanted())
    stage.after(0)
    assert stage.after(10) == [US]
    asyncio.run(undo(stage.cluster, "fairlead", US))
    assert stage.after(1) == []
    assert stage.report["reason"] == "it was ended by hand"
    stage.ask(stage.wanted())
    stage.after(0)
    assert stage.after(10) == [US]


def test_who_comes_after_the_operator_that_began_it_drains_nothing_and_says_so() -> None:
    stage = Stage()
    stage.after(0)
    stage.ask(stage.wanted())
    stage.after(0)
    assert stage.after(10) == [US]
    stage.rehearsals.stand_by()
    assert stage.rehearsals.orders == ()
    stage.rehearsals = stage.another()
    assert stage.after(5) == []
    assert stage.report["reason"] == "the operator that began it is gone"
    stage.rehearsals = stage.another()
    told = len(stage.told)
    assert stage.after(5) == []
    assert len(stage.told) == told, "it was reported, and the next one knows"


def test_a_report_that_the_api_server_refuses_is_written_later() -> None:
    stage = Stage()
    stage.after(0)
    stage.ask(stage.wanted())
    stage.after(0)
    stage.after(10, well=20)
    stage.after(50)
    stage.cluster.refusals["merge", "ConfigMap"] = ClusterError("away")
    with pytest.raises(ClusterError):
        stage.after(40, moved=20)
    assert stage.rehearsals.orders == ()
    stage.cluster.refusals.clear()
    stage.after(1)
    assert stage.report["outcome"] == "Held"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "BEGAN/UNTIL",
        "BEGAN/UNTIL error-rate 1% first-byte-p95",
        "BEGAN/UNTIL error-rate x first-byte-p95 200%",
        "BEGAN/UNTIL error-rate 1 first-byte-p95 200%",
        "UNTIL/BEGAN error-rate 1% first-byte-p95 200%",
        "BEGAN/9999-12-31T00:00:00Z error-rate 1% first-byte-p95 200%",
        "x" * 100_000,
    ],
)
def test_what_nobody_can_follow_begins_nothing(value: str) -> None:
    stage = Stage()
    began = stage.now_ms()
    written = value.replace("BEGAN", rfc3339(began)).replace("UNTIL", rfc3339(began + 60_000))
    found = {"metadata": {**METADATA, "annotations": {f"{PREFIX}{US}": written}}}
    assert asked_of(found, known_regions=[US], now_ms=began) is None


def test_a_region_that_nobody_knows_begins_nothing() -> None:
    stage = Stage()
    wanted = stage.ask(stage.wanted(region="mars"))
    assert asked_of(stage.found, known_regions=[US], now_ms=wanted.began_ms) is None


@pytest.mark.parametrize("written", [None, 5, "{", "[]", "[" * 100_000])
def test_a_report_that_cannot_be_read_is_none(written: Any) -> None:
    assert reported({"data": {f"rehearsal.{US}.json": written}}, US) is None
    assert reported(None, US) is None


def test_who_asked_waits_for_the_report_of_that_drill() -> None:
    stage = Stage()
    wanted = stage.wanted()
    clock = FastClock(1000)

    def outcome() -> Any:
        return asyncio.run(rehearsals.outcome(stage.cluster, clock, "fairlead", wanted, within_s=5))

    for began_ms, is_ours in ((wanted.began_ms - 1000, False), (wanted.began_ms, True)):
        written = json.dumps({"began": rfc3339(began_ms), "outcome": "Held"})
        stage.cluster.put({"kind": "ConfigMap", "metadata": METADATA, "data": {f"rehearsal.{US}.json": written}})
        assert (outcome() is not None) is is_ours


def test_a_chart_without_the_config_map_is_to_be_upgraded() -> None:
    with pytest.raises(ClusterError, match="upgrade the chart"):
        asyncio.run(ask(MemoryCluster(), "fairlead", Stage().wanted()))
