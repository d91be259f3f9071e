"""Leading: one at a time, taken over when it ends, never by two."""

import asyncio
import contextlib

from fairlead.adapters.kube import UnreachableError
from fairlead.controller.lease import ASK_S, GIVE_UP_AFTER_S, HAND_OVER_S, LEASE_S, RENEW_EVERY_S, Election
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


class Upgrade:
    """Two operators of two revisions, and what the release wants."""

    def __init__(self, *, old: str = "one", new: str = "two", wanted: str = "two") -> None:
        self.cluster, self.clock, self.wanted = MemoryCluster(), FastClock(), wanted
        self.old, self.new = self.operator("old", old), self.operator("new", new)

    def operator(self, identity: str, revision: str) -> Election:
        return Election(
            self.cluster,
            self.clock,
            namespace="fairlead",
            name="lease",
            identity=identity,
            owner=OWNER,
            revision=revision,
            wanted=lambda: self.wanted,
        )

    async def go_on(self, seconds: float) -> None:
        for _ in range(int(seconds / RENEW_EVERY_S)):
            for one in (self.old, self.new):
                await one.step()
            assert not (self.old.leads and self.new.leads)
            self.clock.ahead(RENEW_EVERY_S)


def test_who_is_of_the_revision_that_is_wanted_gets_the_lease_and_nobody_writes_at_the_same_time() -> None:
    async def story() -> None:
        both = Upgrade(wanted="one")
        await both.go_on(10)
        assert (both.old.leads, both.new.leads, both.new.asks) == (True, False, False)
        both.wanted = "two"
        await both.new.step()
        assert both.new.asks
        await both.old.step()
        assert not both.old.leads, "it stops as soon as it is asked"
        both.clock.ahead(HAND_OVER_S - 1)
        await both.old.step()
        await both.new.step()
        assert not both.new.leads, "what the old one writes has time to end"
        await both.go_on(10)
        assert (both.old.leads, both.new.leads, both.new.asks) == (False, True, False)
        await both.go_on(60)
        assert (both.old.leads, both.new.leads) == (False, True), "and keeps it"

    asyncio.run(story())


def test_one_that_is_no_more_wanted_leads_where_who_asked_is_gone() -> None:
    async def story() -> None:
        both = Upgrade()
        await both.go_on(4)
        await both.new.step()
        for _ in range(20):  # only the old one lives
            await both.old.step()
            both.clock.ahead(RENEW_EVERY_S)
        assert both.old.leads

    asyncio.run(story())


def test_a_leader_of_another_version_that_knows_nothing_of_it_is_not_asked() -> None:
    async def story() -> None:
        both = Upgrade(old="")
        await both.go_on(20)
        assert (both.old.leads, both.new.leads, both.new.asks) == (True, False, False)

    asyncio.run(story())


def test_one_that_asks_in_vain_stands_by_after_a_while() -> None:
    async def story() -> None:
        both = Upgrade(wanted="")  # nobody says what the release wants
        await both.go_on(10)
        assert both.new.asks
        await both.go_on(ASK_S)
        assert (both.old.leads, both.new.asks) == (True, False)

    asyncio.run(story())


def test_one_that_ends_while_it_hands_over_need_not_be_waited_for() -> None:
    async def story() -> None:
        both = Upgrade(wanted="one")
        await both.go_on(4)
        both.wanted = "two"
        await both.new.step()
        await both.old.step()
        assert not both.old.leads
        await both.old.resign()
        await both.new.step()
        assert both.new.leads

    asyncio.run(story())
