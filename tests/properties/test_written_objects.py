"""No write of an older compilation lands after one of a newer, whatever the API server delays, refuses or keeps."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import structlog
from hypothesis import given
from hypothesis import strategies as st

from fairlead.adapters.kube import ConflictError, Object, UnreachableError
from fairlead.controller.live import Live
from fairlead.controller.metrics import Metrics
from fairlead.controller.written_objects import WrittenObjects
from fairlead.errors import ClusterError
from fast_clock import FastClock
from memory_cluster import MemoryCluster

OWNER = "uid-of-owner"
LANES = ("east", "west", "north")
OBJECTS = [(lane, number) for lane in LANES for number in range(2)]


class UnreliableCluster(MemoryCluster):
    """It takes its time, refuses, and takes writes that it never answers, some of them much later."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance
        self.landed: dict[str, list[int]] = {}
        self.late: set[asyncio.Task[None]] = set()
        self.is_well = False

    async def apply(self, manifest: Object) -> Object:
        if self.is_well:
            return await self._land(manifest)
        await self._pause()
        match self._chance.randrange(5):
            case 0:
                raise UnreachableError("refused")
            case 1:
                await self._land(manifest)
                raise UnreachableError("the answer was lost")
            case 2:
                self.late.add(asyncio.create_task(self._land_late(manifest)))
                raise UnreachableError("timed out")
            case _:
                return await self._land(manifest)

    async def _pause(self) -> None:
        for _ in range(self._chance.randrange(6)):
            await asyncio.sleep(0)

    async def _land(self, manifest: Object) -> Object:
        applied = await super().apply(manifest)
        self.landed.setdefault(manifest["metadata"]["name"], []).append(int(manifest["data"]["revision"]))
        return applied

    async def _land_late(self, manifest: Object) -> None:
        for _ in range(self._chance.randrange(60)):
            await asyncio.sleep(0)
        try:
            await self._land(manifest)
        except ConflictError:
            return


def _desired(revision: int) -> list[Mapping[str, Any]]:
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": f"{lane}-{number}",
                "namespace": "fairlead",
                "labels": {"lane": lane},
                "ownerReferences": [{"uid": OWNER}],
            },
            "data": {"revision": str(revision)},
        }
        for lane, number in OBJECTS
    ]


async def _story(seed: int, revisions: int) -> UnreliableCluster:
    cluster, live = UnreliableCluster(random.Random(seed)), Live()
    written = WrittenObjects(
        kube=cluster,
        clock=FastClock(),
        live=live,
        metrics=Metrics(),
        log=structlog.wrap_logger(structlog.ReturnLogger()),
        namespace="fairlead",
        owner_uid=OWNER,
    )

    async def bring(revision: int) -> Mapping[str, ClusterError]:
        live.replace("ConfigMap", await cluster.list("ConfigMap", namespace="fairlead"))
        planned = written.compare(_desired(revision))
        brought = await written.bring(planned.apply, lambda one: str(one["metadata"]["labels"]["lane"]))
        return brought.failed

    cluster.is_well = True
    await bring(0)
    cluster.is_well = False
    for revision in range(1, revisions):
        await bring(revision)
    await asyncio.gather(*cluster.late)
    cluster.is_well = True
    assert await bring(revisions) == {}
    return cluster


@given(st.integers(0, 2**32), st.integers(1, 8))
def test_what_lands_is_never_older_than_what_landed_before(seed: int, revisions: int) -> None:
    cluster = asyncio.run(_story(seed, revisions))
    for name, landed in cluster.landed.items():
        assert landed == sorted(landed), name
    assert {found["data"]["revision"] for found in cluster.all("ConfigMap")} == {str(revisions)}
