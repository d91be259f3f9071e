"""What survives: kills in every phase, routes that are deleted and restored, a status or a memory that is lost."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from fairlead.adapters.kube import ForbiddenError, Object
from fairlead.errors import ClusterError
from fairlead.manifests import packing
from operator_stage import NAME, until
from rollout_stage import BY_HAND, LONG, PROVIDER, Site, chat, plays

KEPT = "fairlead-rollouts"


def passes(site: Site) -> Callable[[], bool]:
    """Tell whether an operator has made the cluster what it takes to be right, and looked at rollouts."""

    def has_passed() -> bool:
        values = site.metrics.registry
        return bool(
            values.get_sample_value("fairlead_reconciles_total", {"result": "success"})
            and values.get_sample_value("fairlead_rollout_step", {"route": "team-web/chat"}) is not None
        )

    return has_passed


def follower(first: Site) -> Site:
    """Return the operator that comes after one that was killed, an hour later."""
    second = Site(cluster=first.cluster, identity="next")
    second.clock.ahead(3600)
    return second


def pack_routes(site: Site) -> None:
    """Let gateways have their routes from ConfigMaps in gzip."""
    plain = site.cluster.find("ConfigMap", f"{NAME}-routes") or {}
    site.cluster.take("ConfigMap", f"{NAME}-routes")
    content = packing.pack(plain["data"]["rds.json"].encode())
    metadata = {**plain["metadata"], "name": f"{NAME}-packed-routes"}
    site.cluster.put({**plain, "metadata": metadata, "data": {}, "binaryData": {"rds.json.gz": content}})


async def to_awaiting(site: Site) -> None:
    site.cluster.put(chat("new"))
    await until(site.stands("AwaitingPromotion", 1))


async def to_second_step(site: Site) -> None:
    site.cluster.put(chat("new", order="promote 1"))
    await until(site.stands("AwaitingPromotion", 2))


async def to_progressing(site: Site) -> None:
    site.cluster.put(chat("new", steps=LONG))
    await until(site.stands("Progressing", 1))


async def to_paused(site: Site) -> None:
    site.cluster.put(chat("new", order="pause 1"))
    await until(site.stands("Paused", 1))


async def to_rolled_back(site: Site) -> None:
    site.cluster.put(chat("new", steps=LONG))
    await until(site.with_traffic(site.stands("RolledBack"), code=500))


async def to_aborted(site: Site) -> None:
    site.cluster.put(chat("new"))
    await until(site.stands("AwaitingPromotion", 1))
    site.cluster.put(chat("new", order="abort 1"))
    await until(site.stands("Aborted"))


async def to_promoted(site: Site) -> None:
    await to_second_step(site)
    site.cluster.put(chat("new", order="promote 2"))
    await until(site.stands("Stable"))


PHASES = [to_awaiting, to_second_step, to_progressing, to_paused, to_rolled_back, to_aborted, to_promoted]


def told(site: Site) -> tuple[Any, ...]:
    """Return what a kill may not change."""
    fields = ("phase", "reason", "step", "traffic", "stable", "candidate", "previous", "refused", "since", "order")
    return *(site.rollout.get(field) for field in fields), site.weights()


@pytest.mark.parametrize("to", PHASES)
def test_an_operator_that_is_killed_changes_nothing(to: Any) -> None:
    first = Site()

    async def before() -> None:
        await until(first.stands("Stable"))
        await to(first)

    plays(first, before)
    stood, written = told(first), len(first.cluster.writes)
    second = follower(first)

    async def after() -> None:
        has_passed = passes(second)

        def stands() -> bool:
            assert told(second)[:-1] == stood[:-1]
            return has_passed()

        await until(stands)
        assert told(second) == stood

    plays(second, after)
    if "candidate" in second.rollout:  # else clusters of the candidate may go, which nobody is led to any more
        assert [one for one in second.cluster.writes[written:] if one[2].startswith(NAME)] == []


def test_a_kill_between_what_is_kept_and_what_serves_goes_on_with_what_is_kept() -> None:
    first = Site()
    apply = first.cluster.apply

    async def refuses(manifest: Object) -> Object:
        if manifest["metadata"]["name"].endswith("-routes"):
            raise ClusterError("killed")
        return await apply(manifest)

    async def before() -> None:
        await until(first.stands("Stable"))
        first.cluster.apply = refuses  # type: ignore[method-assign]
        first.cluster.put(chat("new", order="none 1"))
        await until(lambda: first.kept.candidate == "p/new")
        assert first.stands("Stable")(), "nothing is said that does not serve"

    plays(first, before)
    begun = first.kept.step_since_ms
    first.cluster.apply = apply  # type: ignore[method-assign]
    second = follower(first)

    async def after() -> None:
        await until(second.stands("AwaitingPromotion", 1))
        assert second.kept.step_since_ms == begun
        assert second.weights() == [9_000, 1_000]

    plays(second, after)


def test_what_cannot_be_kept_moves_no_traffic() -> None:
    site = Site()

    async def story() -> None:
        await until(site.stands("Stable"))
        apply = site.cluster.apply

        async def refuses(manifest: Object) -> Object:
            if manifest["metadata"]["name"] == KEPT:
                raise ForbiddenError("no")
            return await apply(manifest)

        site.cluster.apply = refuses  # type: ignore[method-assign]
        site.cluster.put(chat("new"))
        errors = site.metrics.registry
        await until(lambda: (errors.get_sample_value("fairlead_reconciles_total", {"result": "error"}) or 0) >= 2)
        assert site.weights() in ([], [10_000])
        site.cluster.apply = apply  # type: ignore[method-assign]
        await until(lambda: site.weights() == [9_000, 1_000])

    plays(site, story)


def test_a_route_that_is_deleted_and_restored_goes_on_where_it_was() -> None:
    site = Site()

    async def story() -> None:
        await until(site.stands("Stable"))
        await to_second_step(site)
        begun = site.kept.step_since_ms
        site.cluster.take("ModelRoute", "chat", "team-web")
        await until(lambda: site.weights() == [])
        site.cluster.put(chat("new", order="promote 1"))
        await until(site.stands("AwaitingPromotion", 2))
        assert (site.weights(), site.kept.step_since_ms) == ([5_000, 5_000], begun)

    plays(site, story)


def test_a_target_that_was_never_promoted_does_not_jump_into_a_route_that_is_made_anew() -> None:
    site = Site()

    async def story() -> None:
        await until(site.stands("Stable"))
        site.cluster.take("ModelRoute", "chat", "team-web")
        await until(lambda: site.operator._reconciler.compiled.rollouts == {})  # type: ignore[union-attr]
        site.cluster.put(chat("new"))
        await until(site.stands("AwaitingPromotion", 1))
        assert site.rollout["stable"] == "p/old"

    plays(site, story)


@pytest.mark.parametrize("to", [to_second_step, to_rolled_back])
def test_a_status_that_is_lost_is_said_again(to: Any) -> None:
    site = Site()

    async def story() -> None:
        await until(site.stands("Stable"))
        await to(site)
        stood = told(site)
        found = site.cluster.find("ModelRoute", "chat", "team-web") or {}
        site.cluster.put({**found, "status": {}})
        await until(lambda: bool(site.rollout) and told(site) == stood)

    plays(site, story)


@pytest.mark.parametrize(
    ("to", "damage"), [*((to, "deleted") for to in PHASES), (to_second_step, ""), (to_second_step, "bm8=")]
)
def test_what_was_kept_and_is_lost_goes_on_from_status(to: Any, damage: str) -> None:
    first = Site()

    async def before() -> None:
        await until(first.stands("Stable"))
        await to(first)

    plays(first, before)
    stood = told(first)
    if damage == "deleted":
        first.cluster.take("ConfigMap", KEPT)
    else:
        found = first.cluster.find("ConfigMap", KEPT) or {}
        first.cluster.put({**found, "binaryData": {"rollouts.json.gz": damage}})
    second = follower(first)

    async def after() -> None:
        await until(passes(second))
        await until(lambda: second.kept.phase.value == stood[0])
        assert told(second) == stood

    plays(second, after)


@pytest.mark.parametrize(
    ("to", "phase"),
    [(to_second_step, "AwaitingPromotion"), (to_progressing, "Progressing"), (to_aborted, "AwaitingPromotion")],
)
@pytest.mark.parametrize("packed", [False, True])
def test_where_status_is_lost_as_well_what_gateways_serve_is_stable(to: Any, phase: str, packed: bool) -> None:
    first = Site()

    async def before() -> None:
        await until(first.stands("Stable"))
        await to(first)

    plays(first, before)
    first.cluster.take("ConfigMap", KEPT)
    found = first.cluster.find("ModelRoute", "chat", "team-web") or {}
    first.cluster.put({**found, "status": {}})
    if packed:
        pack_routes(first)
    second = follower(first)

    async def after() -> None:
        await until(second.stands(phase, 1))
        assert (second.rollout["stable"], second.rollout["candidate"]) == ("p/old", "p/new")
        await until(lambda: second.weights() == [9_000, 1_000])

    plays(second, after)


def test_a_cluster_in_which_nothing_happens_is_not_written() -> None:
    site = Site()

    async def story() -> None:
        await until(site.stands("Stable"))
        await to_second_step(site)
        await until(lambda: len(site.rollout["verdicts"]) > 0)
        before = site.cluster.writes.count(("status", "ModelRoute", "chat"))
        verdicts = site.kept.verdicts
        await until(lambda: site.kept.verdicts[-3:] != verdicts[-3:] and site.kept.verdicts[0] not in verdicts)
        assert site.cluster.writes.count(("status", "ModelRoute", "chat")) == before, "ten verdicts say the same"

    plays(site, story)


def test_a_gateway_that_restarts_loses_what_it_counted_and_nothing_else() -> None:
    site = Site(PROVIDER, chat(steps=LONG))

    async def story() -> None:
        await until(site.stands("Stable"))
        await to_progressing(site)
        await until(site.with_traffic(lambda: site.kept.tally.candidate.attempts > 0))
        counted = site.kept.tally.candidate.attempts
        site.counters.attempts.clear()
        site.serves("new", times=3)
        await until(lambda: site.kept.tally.candidate.attempts >= counted + 3)
        assert json.dumps(site.kept.tally.candidate.failed) == "0"

    plays(site, story)


def test_a_plan_with_fewer_steps_in_the_middle_stays_at_its_last() -> None:
    site = Site()

    async def story() -> None:
        await until(site.stands("Stable"))
        await to_second_step(site)
        site.cluster.put(chat("new", steps=BY_HAND[:1], order="promote 1"))
        await until(lambda: site.weights() == [9_000, 1_000])
        assert site.rollout["stable"] == "p/old"

    plays(site, story)
