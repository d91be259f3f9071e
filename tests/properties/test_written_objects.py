"""No write of an older compilation lands after one of a newer, whatever the API server delays, refuses or keeps.

Two operators write: one that leads, and one that led until a moment ago and still believes so.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from examples import times
from fairlead.adapters.kube import ConflictError, Object, UnreachableError
from fairlead.controller.keys_secret import KEYS_FILE, Keys, KeysSecret
from fairlead.controller.live import Live
from fairlead.controller.metrics import Metrics
from fairlead.controller.plan import RENDERED_ANNOTATION
from fairlead.controller.written_objects import Failure, WrittenObjects
from fairlead.errors import ClusterError
from fairlead.manifests import OWNED_KINDS
from fast_clock import FastClock
from memory_cluster import MemoryCluster

OWNER = "uid-of-owner"
LANES = ("east", "west")
OBJECTS = [(lane, kind) for lane in LANES for kind in OWNED_KINDS]
LOG = structlog.wrap_logger(structlog.ReturnLogger())
Write = Callable[[], Awaitable[Object]]


class UnreliableCluster(MemoryCluster):
    """It takes its time, refuses, and takes writes that it never answers, some of them much later."""

    def __init__(self, chance: random.Random, *objects: Object) -> None:
        super().__init__(*objects)
        self._chance = chance
        self.landed: dict[tuple[str, str], list[int]] = {}
        self.late: set[asyncio.Task[None]] = set()
        self.is_well = False

    async def apply(self, manifest: Object) -> Object:
        return await self._perhaps(lambda: self._land(manifest, super(UnreliableCluster, self).apply(manifest)))

    async def create(self, manifest: Object) -> Object:
        return await self._perhaps(lambda: self._land(manifest, super(UnreliableCluster, self).create(manifest)))

    async def merge(self, kind: str, *, namespace: str, name: str, patch: Object) -> Object | None:
        async def merged() -> Object:
            found = await super(UnreliableCluster, self).merge(kind, namespace=namespace, name=name, patch=patch)
            assert found is not None
            if "data" in patch:
                self.landed.setdefault((kind, name), []).append(int(patch["data"][KEYS_FILE], 36))
            return found

        return await self._perhaps(merged)

    async def _perhaps(self, write: Write) -> Object:
        if self.is_well:
            return await write()
        for _ in range(self._chance.randrange(6)):
            await asyncio.sleep(0)
        self._change_a_status()
        match self._chance.randrange(6):
            case 0:
                raise UnreachableError("refused")
            case 1:
                await write()
                raise UnreachableError("the answer was lost")
            case 2:
                self.late.add(asyncio.create_task(self._late(write)))
                raise UnreachableError("timed out")
            case _:
                return await write()

    async def _late(self, write: Write) -> None:
        for _ in range(self._chance.randrange(60)):
            await asyncio.sleep(0)
        try:
            await write()
        except ConflictError:
            return

    async def _land(self, manifest: Object, write: Awaitable[Object]) -> Object:
        written = await write
        key = manifest["kind"], manifest["metadata"]["name"]
        self.landed.setdefault(key, []).append(int(manifest["spec"]["revision"]))
        return written

    def _change_a_status(self) -> None:
        """As other controllers do all the time: the version grows, what is ours does not change."""
        found = self.find(*self._chance.choice([(kind, f"{lane}-{kind}".lower()) for lane, kind in OBJECTS]))
        if found is not None:
            self.put({**found, "status": {"seen": self._chance.random()}})


def _desired(revision: int) -> list[Mapping[str, Any]]:
    return [
        {
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {
                "name": f"{lane}-{kind}".lower(),
                "namespace": "fairlead",
                "labels": {"lane": lane},
                "ownerReferences": [{"uid": OWNER}],
            },
            "spec": {"revision": str(revision), f"only-in-{revision}": "x"},
        }
        for lane, kind in OBJECTS
    ]


class Writer:
    """One operator's half of the mechanism, with a picture of the cluster that is as old as it was last looked at."""

    def __init__(self, cluster: UnreliableCluster) -> None:
        self._cluster, self._live = cluster, Live()
        self._written = WrittenObjects(
            kube=cluster,
            clock=FastClock(),
            live=self._live,
            metrics=Metrics(),
            log=LOG,
            namespace="fairlead",
            owner_uid=OWNER,
        )

    async def look(self) -> None:
        for kind in OWNED_KINDS:
            self._live.replace(kind, await self._cluster.list(kind, namespace="fairlead"))

    async def bring(self, revision: int) -> Mapping[str, Failure]:
        planned = self._written.compare(_desired(revision))
        brought = await self._written.bring(planned.apply, lambda one: str(one["metadata"]["labels"]["lane"]))
        return brought.failed


async def _story(seed: int, revisions: int) -> UnreliableCluster:
    chance = random.Random(seed)
    cluster = UnreliableCluster(chance)
    writers = [Writer(cluster), Writer(cluster)]
    for revision in range(revisions):
        if chance.random() < 0.5:
            writers.reverse()  # the lease changes hands: the other one's writes may be under way still
            stale = writers[1].bring(revision - 1) if revision > 0 else asyncio.sleep(0)
        else:
            stale = asyncio.sleep(0)
        await writers[0].look()
        await asyncio.gather(writers[0].bring(revision), stale)
    await asyncio.gather(*cluster.late)
    cluster.is_well = True
    for _ in range(2):  # what was found in the hands of another is compared once more
        await writers[0].look()
        failed = await writers[0].bring(revisions)
    assert failed == {}
    return cluster


@times(3)
@given(st.integers(0, 2**32), st.integers(0, 8))
@example(0, 8)
@example(133, 8)  # a creation that was not finished is finished by another operator, before it is read anew
@example(15067696, 5)
def test_what_lands_is_never_older_than_what_landed_before(seed: int, revisions: int) -> None:
    cluster = asyncio.run(_story(seed, revisions))
    for key, landed in cluster.landed.items():
        assert landed == sorted(landed), key
    for _, kind in OBJECTS:
        wanted: dict[str, Any] = {"revision": str(revisions), f"only-in-{revisions}": "x"}
        if kind == "Deployment":
            wanted["replicas"] = 1  # stated where nobody says how many
        for found in cluster.all(kind):
            assert found["spec"] == wanted, "nothing old is left"
            assert found["metadata"]["annotations"][RENDERED_ANNOTATION]


async def _keys_story(seed: int, revisions: int) -> UnreliableCluster:
    cluster = UnreliableCluster(
        random.Random(seed), {"kind": "Secret", "metadata": {"name": "keys", "namespace": "fairlead"}}
    )
    keys = KeysSecret(cluster, Metrics(), LOG, namespace="fairlead", name="keys")
    for revision in range(revisions):
        try:
            await keys.write(_content(revision))
        except ClusterError:
            continue
    await asyncio.gather(*cluster.late)
    cluster.is_well = True
    keys.look()
    await keys.write(_content(revisions))
    return cluster


def _content(revision: int) -> Keys:
    """Bytes whose Base64 is a number of base 36 that grows with the revision."""
    return Keys(content=bytes([0, 0, revision]), mark="", of={}, refused=frozenset())


@given(st.integers(0, 2**32), st.integers(0, 12))
def test_no_older_keys_land_after_newer(seed: int, revisions: int) -> None:
    cluster = asyncio.run(_keys_story(seed, revisions))
    found = cluster.find("Secret", "keys")
    assert found is not None
    landed = cluster.landed[("Secret", "keys")]
    assert landed == sorted(landed)
    assert landed[-1] == int(found["data"][KEYS_FILE], 36)
