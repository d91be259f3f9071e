"""What the operator remembers of its objects: how long ago each was repaired, and nothing of what nobody wants."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import pytest
import structlog

from fairlead.adapters.kube import ConflictError
from fairlead.controller.live import Live
from fairlead.controller.metrics import Metrics
from fairlead.controller.written_objects import Brought, WrittenObjects
from fairlead.manifests import OWNED_KINDS
from fast_clock import FastClock
from memory_cluster import MemoryCluster

OWNER = "uid-of-owner"
Object = Mapping[str, Any]


def _service(name: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "fairlead", "labels": {}, "ownerReferences": [{"uid": OWNER}]},
        "spec": {"type": "ClusterIP"},
    }


def _deployment(image: str, replicas: int | None = None) -> Object:
    own = {} if replicas is None else {"replicas": replicas}
    return {**_service("east"), "apiVersion": "apps/v1", "kind": "Deployment", "spec": {"image": image, **own}}


def _scaler(least: int) -> Object:
    return {**_service("east"), "kind": "HorizontalPodAutoscaler", "spec": {"minReplicas": least, "maxReplicas": 9}}


EAST, WEST = _service("east"), _service("west")


class World:
    """An operator's objects in a cluster in memory, at a time that stands until it is moved."""

    def __init__(self) -> None:
        self._cluster, self._live = MemoryCluster(), Live()
        self.clock, self.metrics = FastClock(faster=0), Metrics()
        self.written = WrittenObjects(
            kube=self._cluster,
            clock=self.clock,
            live=self._live,
            metrics=self.metrics,
            log=structlog.get_logger(),
            namespace="fairlead",
            owner_uid=OWNER,
        )

    async def bring(self, *wanted: Object) -> Brought:
        """Look at the cluster, and make it so."""
        for kind in OWNED_KINDS:
            self._live.replace(kind, await self._cluster.list(kind, namespace="fairlead"))
        planned = self.written.compare(wanted)
        brought = await self.written.bring(planned.apply, lambda one: str(one["metadata"]["name"]))
        assert brought.failed == {}
        await self.written.delete(planned.delete)
        return brought

    async def compared(self) -> tuple[Object, ...]:
        """Return the Services as an operator has judged them."""
        self._live.replace("Service", await self._cluster.list("Service", namespace="fairlead"))
        return self._live.of_kind("Service")

    def scale(self, replicas: int) -> None:
        """Let an autoscaler choose how many pods there are."""
        found = self._cluster.find("Deployment", "east") or {}
        self._cluster.put({**found, "spec": {**found["spec"], "replicas": replicas}})

    @property
    def replicas(self) -> int | None:
        return ((self._cluster.find("Deployment", "east") or {}).get("spec") or {}).get("replicas")

    def write(self, name: str, *, annotations: Object | None = None, **fields: Any) -> None:
        """Let somebody write a Service, or make it."""
        found = self._cluster.find("Service", name) or dict(_service(name))
        metadata = {**found["metadata"], "annotations": annotations or found["metadata"].get("annotations", {})}
        self._cluster.put({**found, **fields, "metadata": metadata})

    def harm(self, *names: str) -> None:
        """Let somebody delete Services."""
        for name in names:
            assert self.is_there(name)
            self._cluster.take("Service", name)

    def is_there(self, name: str) -> bool:
        return self._cluster.find("Service", name) is not None

    @property
    def repairs(self) -> float:
        return float(self.metrics.repairs.labels("Service")._value.get())


def play(story: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        await story(World())

    asyncio.run(run())


def test_one_object_is_repaired_once_a_second_at_most() -> None:
    async def story(world: World) -> None:
        await world.bring(EAST)
        world.harm("east")
        assert (await world.bring(EAST)).later_s is None, "the first repair waits for nothing"
        for number in range(1, 4):
            world.harm("east")
            world.clock.ahead(0.25)
            assert (await world.bring(EAST)).later_s == pytest.approx(0.75)
            assert (world.is_there("east"), world.repairs) == (False, number)
            world.clock.ahead(0.75)
            assert (await world.bring(EAST)).later_s is None
            assert (world.is_there("east"), world.repairs) == (True, number + 1)

    play(story)


def test_a_repair_that_waits_holds_no_other_back() -> None:
    async def story(world: World) -> None:
        await world.bring(EAST, WEST)
        world.harm("east")
        await world.bring(EAST, WEST)
        world.harm("east", "west")
        assert (await world.bring(EAST, WEST)).later_s == 1
        assert (world.is_there("east"), world.is_there("west")) == (False, True)

    play(story)


def test_what_is_wanted_again_is_no_repair() -> None:
    async def story(world: World) -> None:
        await world.bring(EAST)
        await world.bring()
        assert not world.is_there("east")
        await world.bring(EAST)
        assert (world.is_there("east"), world.repairs) == (True, 0)

    play(story)


def _kept(world: World) -> Iterable[str]:
    """Return the names of all that it keeps by object."""
    return {name for name, value in vars(world.written).items() if isinstance(value, dict) and value}


def test_nothing_is_kept_of_what_nobody_wants() -> None:
    async def story(world: World) -> None:
        for number in range(3):
            name = f"region-{number}"
            await world.bring(_service(name))
            world.harm(name)
            await world.bring(_service(name))
            assert world.repairs == number + 1
            assert {"_written", "_repaired", "_compared"} <= set(_kept(world))
        await world.bring()
        assert _kept(world) == set()

    play(story)


def test_what_somebody_wrote_since_is_not_deleted_and_others_fields_are_no_reason() -> None:
    async def story(world: World) -> None:
        await world.bring(EAST, WEST)
        (judged,) = [one for one in await world.compared() if one["metadata"]["name"] == "east"]
        # A status that changes meanwhile is nobody's wish
        world.write("east", status={"loadBalancer": {}})
        await world.written.delete([judged])
        assert not world.is_there("east")
        # what another operator wrote, or made anew, is
        await world.bring(EAST, WEST)
        (judged,) = [one for one in await world.compared() if one["metadata"]["name"] == "east"]
        world.write("east", annotations={"fairlead.dev/rendered": "by another operator"})
        with pytest.raises(ConflictError, match="somebody else wrote it"):
            await world.written.delete([judged])
        world.harm("east")
        world.write("east", annotations=dict(judged["metadata"]["annotations"]))
        with pytest.raises(ConflictError, match="somebody else wrote it"):
            await world.written.delete([judged])
        assert world.is_there("east")
        # and what is gone is well
        world.harm("east")
        await world.written.delete([judged])

    play(story)


def test_pods_stay_as_many_when_an_autoscaler_takes_over_and_whatever_is_written_then() -> None:
    """What was stated and is not any more would go, and one pod is what Kubernetes takes then."""

    async def story(world: World) -> None:
        await world.bring(_deployment("one", replicas=6))
        await world.bring(_scaler(2), _deployment("one"))
        assert world.replicas == 6
        world.scale(7)
        await world.bring(_scaler(2), _deployment("two"))
        await world.bring(_scaler(2), _deployment("three"))
        assert world.replicas == 7
        await world.bring(_deployment("three", replicas=3))
        assert world.replicas == 3, "without it, what the values say"

    play(story)


def test_a_deployment_under_an_autoscaler_begins_with_the_least_that_it_may_have() -> None:
    async def story(world: World) -> None:
        await world.bring(_scaler(4), _deployment("one"))
        assert world.replicas == 4

    play(story)


def test_an_autoscaler_is_no_repair() -> None:
    async def story(world: World) -> None:
        for replicas in (5, 3):
            await world.bring(_scaler(2), _deployment("one"))
            world.scale(replicas)
        assert (await world.bring(_scaler(2), _deployment("one"))).later_s is None
        assert (world.replicas, world.metrics.repairs.labels("Deployment")._value.get()) == (3, 0)

    play(story)
