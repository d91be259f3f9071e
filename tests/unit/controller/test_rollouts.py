"""Rollouts in a cluster: what is promoted, what goes back, what is said, what people order."""

import asyncio
from typing import Any

import pytest

from builders import EU_WEST, US
from fairlead import compiler
from fairlead.api.status import ModelRouteStatus
from fairlead.controller import reconciler
from operator_stage import until
from rollout_stage import LONG, PROVIDER, STEPS, Site, chat, plays


def test_a_change_in_git_goes_by_steps_to_all_traffic() -> None:
    site = Site(PROVIDER, chat(steps=STEPS))
    own = ["RolloutStarted", "RolloutStepped", "RolloutPromoted"]

    async def story() -> None:
        await until(site.stands("Stable"))
        assert site.status["stable"] == {"provider": "p", "model": "old"}
        site.cluster.put(chat("new", steps=STEPS))
        await until(site.with_traffic(lambda: site.rollout["stable"] == "p/new"))
        assert (site.rollout["phase"], site.rollout["step"], site.rollout["previous"]) == ("Stable", 0, "p/old")
        assert site.rollout["reason"] == "Promoted"
        assert site.status["previous"] == {"provider": "p", "model": "old"}
        assert site.condition("ModelRoute", "chat", "Reconciling") == {}
        assert site.weights() in ([], [10_000])
        await until(lambda: [one for one in site.events() if one in own] == own)

    plays(site, story)


def test_a_step_is_said_as_it_serves() -> None:
    site = Site(PROVIDER, chat(steps=LONG))

    async def story() -> None:
        await until(site.stands("Stable"))
        site.cluster.put(chat("new", steps=LONG))
        await until(site.stands("Progressing", 1))
        assert (site.rollout["traffic"], site.rollout["candidate"], site.rollout["stable"]) == ("10%", "p/new", "p/old")
        assert site.weights() == [9_000, 1_000]
        assert site.condition("ModelRoute", "chat", "Reconciling")["reason"] == "RollingOut"
        assert site.is_ready("ModelRoute", "chat")()
        await until(site.with_traffic(lambda: site.rollout["progress"]["candidate"]["requests"] >= 20))
        ModelRouteStatus.model_validate(site.status)

    plays(site, story)


def test_a_candidate_that_fails_goes_back_and_is_degraded_until_git_says_otherwise() -> None:
    site = Site(PROVIDER, chat(steps=LONG))

    async def story() -> None:
        await until(site.stands("Stable"))
        site.cluster.put(chat("new", steps=LONG))
        await until(site.with_traffic(site.stands("RolledBack"), code=500))
        said = "Git asks for p/new, p/old serves: "
        assert site.rollout["message"].startswith(said)
        assert site.rollout["verdicts"][-1]["outcome"] == "Failed"
        for kind, status in (("Ready", "False"), ("Stalled", "True")):
            found = site.condition("ModelRoute", "chat", kind)
            assert (found["status"], found["reason"]) == (status, "RolledBack")
            assert found["message"].startswith(said)
        assert site.weights() in ([], [10_000])
        await until(lambda: "RolloutRolledBack" in site.events())
        assert "RolledBack" not in site.events(), "told once"
        ModelRouteStatus.model_validate(site.status)
        site.cluster.put(chat("old", steps=LONG))
        await until(lambda: site.stands("Stable")() and site.is_ready("ModelRoute", "chat")())
        assert site.condition("ModelRoute", "chat", "Stalled") == {}

    plays(site, story)


def test_counters_that_nobody_shows_are_an_error_until_they_can_be_read() -> None:
    site = Site(PROVIDER, chat(steps=LONG))

    def outcome() -> str:
        verdicts = site.rollout.get("verdicts") or [{"outcome": ""}]
        return str(verdicts[-1]["outcome"])

    async def story() -> None:
        await until(site.stands("Stable"))
        site.cluster.put(chat("new", steps=LONG))
        await until(site.stands("Progressing", 1))
        site.counters.problem = "10.0.0.1: no answer"
        await until(lambda: outcome() == "Error")
        assert "no answer" in site.rollout["verdicts"][-1]["message"]
        site.counters.problem = ""
        await until(site.with_traffic(lambda: outcome() == "Successful"))
        assert site.stands("Progressing", 1)()

    plays(site, story)


@pytest.mark.parametrize("act", ["promote", "pause", "abort"])
def test_an_order_is_carried_out_once_and_acknowledged(act: str) -> None:
    site = Site()
    after = {"promote": ("AwaitingPromotion", 2), "pause": ("Paused", 1), "abort": ("Aborted", 0)}[act]

    async def story() -> None:
        await until(site.stands("Stable"))
        site.cluster.put(chat("new"))
        await until(site.stands("AwaitingPromotion", 1))
        assert site.condition("ModelRoute", "chat", "Reconciling")["reason"] == "AwaitingPromotion"
        site.cluster.put(chat("new", order=f"{act} first"))
        await until(lambda: site.rollout["order"] == f"{act} first" and site.stands(*after)())
        assert site.rollout["declined"] == ""
        site.cluster.put(chat("new", order=f"{act} first", maxAttempts=3))  # edited, and ordered no more
        generation = (site.cluster.find("ModelRoute", "chat", "team-web") or {})["metadata"]["generation"]
        await until(lambda: site.status["observedGeneration"] == generation)
        assert site.stands(*after)()

    plays(site, story)


def test_what_cannot_be_carried_out_is_said() -> None:
    site = Site()

    async def story() -> None:
        await until(site.stands("Stable"))
        site.cluster.put(chat(order="resume now"))
        await until(lambda: site.rollout["order"] == "resume now")
        assert site.rollout["declined"] == "cannot resume: Stable"
        site.cluster.put(chat(order="promote"))
        await until(lambda: "a word that is another each time" in site.rollout["declined"])
        await until(lambda: site.events().count("RolloutOrderDeclined") == 2)
        site.cluster.put(chat())
        await until(lambda: site.rollout["declined"] == "cannot resume: Stable")

    plays(site, story)


def test_undo_takes_back_without_git_and_retry_begins_again() -> None:
    site = Site()

    async def story() -> None:
        await until(site.stands("Stable"))
        site.cluster.put(chat("new", order="promote none"))
        await until(site.stands("AwaitingPromotion", 2))
        site.cluster.put(chat("new", order="promote second"))
        await until(site.stands("Stable"))
        site.cluster.put(chat("new", order="undo it"))
        await until(site.stands("Aborted"))
        assert site.condition("ModelRoute", "chat", "Ready")["reason"] == "Aborted"
        assert site.condition("ModelRoute", "chat", "Ready")["message"].endswith("p/old serves, Git asks for p/new")
        site.cluster.put(chat("new", order="retry it"))
        await until(site.stands("AwaitingPromotion", 1))
        spec = (site.cluster.find("ModelRoute", "chat", "team-web") or {})["spec"]
        assert spec == chat("new")["spec"], "nobody but Git writes spec"

    plays(site, story)


def test_an_edit_in_the_middle_begins_from_stable() -> None:
    site = Site()

    async def story() -> None:
        await until(site.stands("Stable"))
        site.cluster.put(chat("new", order="promote none"))
        await until(site.stands("AwaitingPromotion", 2))
        site.cluster.put(chat("third", order="promote none"))
        await until(lambda: site.rollout.get("candidate") == "p/third" and site.stands("AwaitingPromotion", 1)())
        assert site.rollout["stable"] == "p/old"
        assert site.weights() == [9_000, 1_000]

    plays(site, story)


def test_a_lease_that_is_lost_while_the_operator_compiles_leaves_nobody_asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(PROVIDER, chat(steps=LONG))
    forgets = [True]

    async def story() -> None:
        loop = asyncio.get_running_loop()

        def compiles(*arguments: Any) -> Any:
            if forgets:
                forgets.clear()
                asyncio.run_coroutine_threadsafe(forget(), loop).result()
            return compiler.compile(*arguments)

        async def forget() -> None:
            site.operator._reconciler.forget()

        await until(site.stands("Stable"))
        monkeypatch.setattr(reconciler, "compile_all", compiles)
        site.cluster.put(chat("new", steps=LONG))
        await until(site.with_traffic(lambda: bool(site.rollout.get("verdicts"))))

    plays(site, story)


def test_the_pods_of_all_regions_are_counted() -> None:
    site = Site(PROVIDER, chat(steps=LONG, residency="Any"), serves_both=True)
    site.pod("two", region=EU_WEST, address="10.0.0.2")

    async def story() -> None:
        await until(site.stands("Stable"))
        site.cluster.put(chat("new", steps=LONG))
        await until(site.stands("Progressing", 1))
        assert [one["region"] for one in site.status["gateways"]] == [EU_WEST, US]
        await until(lambda: bool(site.rollout["verdicts"]))
        site.serves("new", times=30)
        await until(lambda: site.rollout["progress"]["candidate"]["requests"] == 60)
        assert site.rollout["verdicts"][-1]["outcome"] == "Successful"

    plays(site, story)


def test_an_operator_that_stands_by_judges_nothing() -> None:
    first = Site(PROVIDER, chat(steps=LONG))
    second = Site(cluster=first.cluster, identity="next")

    async def story() -> None:
        await until(first.stands("Stable"))
        standing_by = asyncio.create_task(second.operator.run())
        first.cluster.put(chat("new", steps=LONG))
        await until(first.with_traffic(lambda: bool(first.rollout.get("verdicts"))))
        shown = second.metrics.registry.get_sample_value
        assert shown("fairlead_rollout_step", {"route": "team-web/chat"}) is None
        assert shown("fairlead_leader") == 0
        assert second.operator._rollouts.now.states == {}
        standing_by.cancel()

    plays(first, story)
