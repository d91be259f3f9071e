"""Which statuses are judged anew: those of routes that something differs for, by each thing that can; no others."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from builders import US, budget, consumer, endpoint, provider, route
from fairlead.api.meta import ObjectKey
from fairlead.budget.baseline import SavingsAccount
from fairlead.budget.spend import SpendSnapshot
from fairlead.compiler import Compiled, Report
from fairlead.controller.credentials import Credentials
from fairlead.controller.status import Statuses
from fairlead.health.endpoint import EndpointHealth, State
from fairlead.health.fleet import Fleet
from fairlead.status import Availability, Failing, Reading
from fairlead.statuses import Failure
from operator_stage import Stage, until, while_it_runs

_OTHER = "team-web/other"
CHAT, OTHER = ObjectKey("ModelRoute", "team-web", "chat"), ObjectKey("ModelRoute", "team-web", "other")
ROUTES = {CHAT, OTHER}


class Judging:
    """Statuses of an operator that has ended, written again by hand."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stage, self.statuses = stage, stage.operator._statuses
        self.judged: list[ObjectKey] = []
        judge = Statuses._judge

        def counted(statuses: Statuses, found: Any, compiled: Compiled, too_large: Any) -> Any:
            self.judged.append(found.report.key)
            return judge(statuses, found, compiled, too_large)

        monkeypatch.setattr(Statuses, "_judge", counted)

    @property
    def compiled(self) -> Compiled:
        found = self.stage.operator._reconciler.compiled
        assert found is not None
        return found

    async def routes(self, **changed: Any) -> set[ObjectKey]:
        """Write all statuses with what differs; which routes were judged for it?"""
        self.judged.clear()
        operator = self.stage.operator
        now: dict[str, Any] = {
            "compiled": self.compiled,
            "credentials": operator._reconciler.credentials,
            "too_large": (),
            "obstacles": {},
            "keyless": {},
            "failing": (),
            "fleet": operator._health.fleet,
            **changed,
        }
        await self.statuses.write(now.pop("compiled"), now.pop("credentials"), **now)
        return {key for key in self.judged if key.kind == "ModelRoute"}


async def _rest(judging: Judging) -> None:
    """Write until nothing is left to say."""
    for _ in range(3):
        await judging.routes()
    assert await judging.routes() == set()


def _too_large(_: Judging) -> dict[str, Any]:
    return {"too_large": frozenset({US})}


def _a_drained_endpoint(_: Judging) -> dict[str, Any]:
    return {"fleet": Fleet(endpoints={"q/eu": EndpointHealth(state=State.DRAINED, share=0)})}


def _an_endpoint_in_another_region(judging: Judging) -> dict[str, Any]:
    first, *others = judging.compiled.endpoints
    moved = replace(first, health=replace(first.health, region="elsewhere"))
    return {"compiled": replace(judging.compiled, endpoints=(moved, *others))}


def _traffic_that_fails(_: Judging) -> dict[str, Any]:
    failing = Failing(
        subject="p/us/small",
        provider="p",
        endpoint="us",
        targets=("p/us/small",),
        failure=Failure.NOT_FOUND,
        message="knows no such model",
        since_ms=1,
        regions=(US,),
    )
    return {"failing": (failing,)}


def _an_obstacle(_: Judging) -> dict[str, Any]:
    return {"obstacles": {US: "the quota is used up"}}


def _another_credential(judging: Judging) -> dict[str, Any]:
    gateway = judging.compiled.gateways[US]
    targets = tuple(replace(one, credential="another/key/0") for one in gateway.ir.targets)
    other = replace(gateway, ir=replace(gateway.ir, targets=targets))
    return {"credentials": Credentials(replace(judging.compiled, gateways={US: other}))}


def _a_pod_that_lacks_one(judging: Judging) -> dict[str, Any]:
    last = judging.statuses._readback._last
    for pod, answer in last.items():
        last[pod] = replace(answer, absent=frozenset({"p/key"}))
    return {}


def _secrets_that_pods_lack(judging: Judging) -> dict[str, Any]:
    gateway = judging.compiled.gateways[US]
    return {"compiled": replace(judging.compiled, gateways={US: replace(gateway, lacking=frozenset({"later"}))})}


def _objects_that_wait(judging: Judging) -> dict[str, Any]:
    gateway = judging.compiled.gateways[US]
    return {"compiled": replace(judging.compiled, gateways={US: replace(gateway, waiting=frozenset({CHAT}))})}


@pytest.mark.parametrize(
    "change",
    [
        _too_large,
        _a_drained_endpoint,
        _an_endpoint_in_another_region,
        _traffic_that_fails,
        _an_obstacle,
        _another_credential,
        _a_pod_that_lacks_one,
        _secrets_that_pods_lack,
        _objects_that_wait,
    ],
)
def test_what_all_depend_on_lets_all_be_judged(
    change: Callable[[Judging], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def then(judging: Judging) -> None:
        assert await judging.routes(**change(judging)) == ROUTES

    _when_all_is_said(then, monkeypatch)


def _another_report(judging: Judging) -> dict[str, Any]:
    found = judging.compiled.status[CHAT]
    report: Report = replace(found.report, generation=7)
    status = {**judging.compiled.status, CHAT: replace(found, report=report)}
    return {"compiled": replace(judging.compiled, status=status)}


def _another_version(judging: Judging) -> dict[str, Any]:
    found = judging.stage.cluster.find("ModelRoute", "chat", "team-web") or {}
    edited = judging.stage.cluster.put({**found, "status": {}})
    assert not judging.stage.operator._inputs.view.put(edited)
    return {}


def _another_rollout(judging: Judging) -> dict[str, Any]:
    judging.stage.operator._rollouts._applied = {"team-web/other": judging.stage.operator._rollouts.now.shares[_OTHER]}
    return {}


def _an_account(judging: Judging) -> dict[str, Any]:
    account = SavingsAccount(
        route="team-web/chat", baseline="p/us/small", spent=1, cost_there=2, estimated=0, since_ms=1
    )
    spend = SpendSnapshot(configuration="", store_up=True, accounts=(), savings=(account,))
    judging.stage.operator._budgets.reading = Reading(availability=Availability.ANSWERS, spend=spend)
    return {}


@pytest.mark.parametrize("change", [_another_report, _another_version, _another_rollout, _an_account])
def test_what_one_depends_on_lets_that_one_be_judged(
    change: Callable[[Judging], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def then(judging: Judging) -> None:
        assert await judging.routes(**change(judging)) == {CHAT}

    _when_all_is_said(then, monkeypatch)


def test_what_others_spend_lets_no_route_be_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    async def then(judging: Judging) -> None:
        for configuration in ("one", "another"):
            spend = SpendSnapshot(configuration=configuration, store_up=True, accounts=())
            judging.stage.operator._budgets.reading = Reading(availability=Availability.ANSWERS, spend=spend)
            assert await judging.routes() == set()

    _when_all_is_said(then, monkeypatch)


def test_a_probe_that_moves_no_traffic_lets_no_route_be_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    async def then(judging: Judging) -> None:
        for state in (State.HEALTHY, State.SUSPECT):
            fleet = Fleet(endpoints={"p/us": EndpointHealth(state=state, message=f"now {state}", since_ms=7)})
            assert await judging.routes(fleet=fleet) == set()

    _when_all_is_said(then, monkeypatch)


def _when_all_is_said(then: Callable[[Judging], Awaitable[None]], monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(
        provider("p", endpoints=[endpoint("us", US, credential={"secretName": "p"})]),
        provider("q", endpoints=[endpoint("eu", US)]),
        route("chat"),
        route("other"),
    )
    stage.pod("one", "p")

    async def story() -> None:
        for name in ("chat", "other"):
            await until(stage.is_ready("ModelRoute", name))

    async def whole() -> None:
        await while_it_runs(stage, story)
        judging = Judging(stage, monkeypatch)
        await _rest(judging)
        await then(judging)

    asyncio.run(whole())


def _is_judged_as_it_stands(stage: Stage, names: list[str]) -> bool:
    """Tell whether these routes were judged once more after their status was written."""
    said = stage.operator._statuses._said
    keys = [ObjectKey("ModelRoute", "team-web", name) for name in names]
    return all(key in said and said[key].version == stage.cluster.version_of(*_place(key)) for key in keys)


def _place(key: ObjectKey) -> tuple[str, str, str]:
    return key.kind, key.name, key.namespace


def test_another_consumer_lets_no_route_be_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(
        provider("p", healthCheck={"type": "None"}),
        *(route(f"chat-{number}") for number in range(5)),
        consumer("agent"),
        budget("all"),
        budgets=True,
    )
    stage.pod("one")
    stage.budget_server()

    async def story() -> None:
        for number in range(5):
            await until(stage.is_ready("ModelRoute", f"chat-{number}"))
        await until(stage.is_ready("BudgetPolicy", "all"))
        await until(lambda: _is_judged_as_it_stands(stage, [f"chat-{number}" for number in range(5)]))
        judging = Judging(stage, monkeypatch)
        for changed in (consumer("agent", maxInFlight=7), consumer("another", labels={"tier": "pro"})):
            judging.judged.clear()
            stage.cluster.put(changed)
            name = changed["metadata"]["name"]
            await until(lambda name=name: ObjectKey("ModelConsumer", "team-web", name) in judging.judged)
            assert [key for key in judging.judged if key.kind == "ModelRoute"] == []
        stage.servers.spent["team-web/agent"] = 1_000_000_000
        found = stage.cluster.find
        await until(lambda: "1.0" in str((found("BudgetPolicy", "all", "team-web") or {})["status"].get("budget")))
        assert [key for key in judging.judged if key.kind == "ModelRoute"] == []

    asyncio.run(while_it_runs(stage, story))
