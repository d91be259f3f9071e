"""Leading: one at a time, taken over when it ends, never by two."""

import asyncio
import contextlib

from fairlead.adapters.kube import UnreachableError
from fairlead.controller.lease import GIVE_UP_AFTER_S, LEASE_S, Election
from fast_clock import FastClock
from memory_cluster import MemoryCluster

OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "fairlead-installation", "uid": "u"}


def _election(cluster: MemoryCluster, clock: FastClock, identity: str) -> Election:
    return Election(cluster, clock, namespace="fairlead", name="lease", identity=identity, owner=OWNER)


def test_the_first_leads_and_the_second_stands_by() -> None:
    cluster, clock = MemoryCluster(), FastClock()
    first, second = _election(cluster, clock, "first"), _election(cluster, clock, "second")

    async def story() -> None:
        await first.step()
        await second.step()
        assert (first.leads, second.leads) == (True, False)
        for _ in range(3):  # as long as it is renewed, however long that is
            clock.ahead(LEASE_S - 5)
            await first.step()
            await second.step()
            assert (first.leads, second.leads) == (True, False)

    asyncio.run(story())


def test_the_second_takes_over_when_the_first_is_silent_and_not_before() -> None:
    cluster, clock = MemoryCluster(), FastClock()
    first, second = _election(cluster, clock, "first"), _election(cluster, clock, "second")

    async def story() -> None:
        await first.step()
        await second.step()
        clock.ahead(GIVE_UP_AFTER_S + 1)
        assert not first.leads  # it stopped by itself, before anybody could take over
        await second.step()
        assert not second.leads
        clock.ahead(LEASE_S)
        await second.step()
        assert second.leads
        await first.step()
        assert (first.leads, second.leads) == (False, True)
        lease = cluster.find("Lease", "lease")
        assert lease is not None
        assert lease["spec"]["leaseTransitions"] == 2
        assert lease["metadata"]["ownerReferences"] == [OWNER]

    asyncio.run(story())


def test_who_resigns_need_not_be_waited_for() -> None:
    cluster, clock = MemoryCluster(), FastClock()
    first, second = _election(cluster, clock, "first"), _election(cluster, clock, "second")

    async def story() -> None:
        await first.step()
        await first.resign()
        assert not first.leads
        await second.step()
        assert second.leads

    asyncio.run(story())


def test_a_restarted_container_of_the_same_pod_goes_on() -> None:
    cluster, clock = MemoryCluster(), FastClock()

    async def story() -> None:
        await _election(cluster, clock, "pod").step()
        again = _election(cluster, clock, "pod")
        await again.step()
        assert again.leads

    asyncio.run(story())


def test_of_two_that_ask_at_once_one_wins() -> None:
    cluster, clock = MemoryCluster(), FastClock()
    first, second = _election(cluster, clock, "first"), _election(cluster, clock, "second")

    async def story() -> None:
        await asyncio.gather(first.step(), second.step())
        assert first.leads != second.leads

    asyncio.run(story())


def test_an_outage_shorter_than_the_lease_changes_nothing() -> None:
    cluster, clock = MemoryCluster(), FastClock()
    election = _election(cluster, clock, "pod")

    async def story() -> None:
        await election.step()
        cluster.refusals["*", "Lease"] = UnreachableError("away")
        clock.ahead(GIVE_UP_AFTER_S / 2)
        with contextlib.suppress(UnreachableError):
            await election.step()
        assert election.leads

    asyncio.run(story())
