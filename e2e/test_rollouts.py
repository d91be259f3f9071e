"""A change of one string in Git takes its traffic by evidence, on a real cluster: in, out, whatever happens to it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from harness import operator
from harness.cluster import Cluster
from harness.gateway import reach
from harness.install import NAMESPACE, operator_pods
from harness.kubectl import CommandError, condition
from harness.load import Load
from harness.provider import Provider
from harness.team import Team
from harness.waiting import always, eventually

KEY = "roller-key-0001"
CANARY = "canary"
"""A ModelProvider of the same server: models that fail, are slow, or cost ten times as much."""
OLD, NEW = "sim/model-a", "sim/model-b"
ANALYSIS = {"interval": "1s", "minRequests": 20, "maxErrorRate": "0.5%"}
HALF_HOUR = {"traffic": "50%", "hold": "30m"}
WITHIN_S = 180.0
Json = dict[str, Any]


@pytest.fixture(scope="module")
def crew(provider: Provider) -> Iterator[Team]:
    """A team for all tests of this file, with one caller, and the canary's models."""
    team = Team(provider._cluster, "team-rollouts")  # noqa: SLF001
    team.join()
    provider.control("POST", "/_control/settings", {"models": ["model-a", "model-b", "failing", "slow"]})
    for fault in (
        {"model": "failing", "status": 500, "probability": 0.05},
        {"model": "slow", "slow_first_byte_ms": 700},
    ):
        provider.control("POST", "/_control/faults", fault)
    cheap = {"usdPerMillionTokens": {"input": "0.18", "output": "0.25"}}
    dear = {"usdPerMillionTokens": {"input": "1.80", "output": "2.50"}}
    models = [
        {"name": "failing", **cheap},
        {"name": "slow", **cheap},
        {"name": "dear", "id": "model-b", **dear},
        {"name": "other", "id": "model-b", **cheap},
    ]
    resource = provider.resource(models=models)
    team.kubectl.apply({**resource, "metadata": {**resource["metadata"], "name": CANARY}})
    team.kubectl.apply(team.key("roller", KEY), team.consumer("roller"))
    team.is_ready("modelconsumer", "roller")
    yield team
    team.leave()
    team.kubectl("-n", NAMESPACE, "delete", "modelprovider", CANARY, "--ignore-not-found")
    provider.control("DELETE", "/_control/faults")
    provider.control("POST", "/_control/settings", {"models": ["model-a", "model-b"]})


@pytest.fixture(scope="module")
def gateway(crew: Team) -> Iterator[str]:
    with reach(crew.cluster, "us-east-1") as url:
        crew.is_let_in(url, KEY)
        yield url


def route(crew: Team, name: str, primary: str, *steps: Mapping[str, str], **analysis: Any) -> Json:
    """Write a route that asks for a target, `provider/model`."""
    provider, model = primary.split("/")
    rollout = {"stickiness": "Request", "steps": [*steps], "analysis": {**ANALYSIS, **analysis}}
    return crew.route(name, provider, model, rollout=rollout)


def standing(crew: Team, name: str) -> Json:
    found: Json = crew.kubectl.get("modelroute", name, crew.namespace)
    return dict(found.get("status", {}).get("rollout") or {})


def stands(crew: Team, name: str, phase: str, reason: str = "", **fields: Any) -> Json:
    """Wait until a rollout is in a phase; return all that is said of it."""

    def ask() -> Json | None:
        found = standing(crew, name)
        wanted = {"phase": phase, **({"reason": reason} if reason else {}), **fields}
        return found if wanted.items() <= found.items() else None

    last: list[Json] = []
    try:
        return eventually(f"{name} to be {phase} {reason} {fields}", ask, within_s=WITHIN_S) or {}
    except AssertionError as error:
        last.append(standing(crew, name))
        raise AssertionError(f"{error}: it stands {json.dumps(last[0])}") from error


def started(crew: Team, name: str, candidate: str, *steps: Mapping[str, str], **analysis: Any) -> Json:
    """Let a route serve the old target first, then ask for the candidate; return how it stands."""
    serve(crew, (name, steps, analysis))
    crew.kubectl.apply(route(crew, name, candidate, *steps, **analysis))
    return stands(crew, name, "Progressing", candidate=candidate)


def serve(crew: Team, *wanted: tuple[str, tuple[Mapping[str, str], ...], Mapping[str, Any]]) -> None:
    crew.kubectl.apply(*(route(crew, name, OLD, *steps, **analysis) for name, steps, analysis in wanted))
    for name, _, _ in wanted:
        stands(crew, name, "Stable", stable=OLD)
        crew.is_ready("modelroute", name)


def load(gateway: str, name: str, rate: float = 30, **options: Any) -> Load:
    return Load(url=gateway, key=KEY, model=name, rate=rate, **options)


def served(load: Load, number: int = 60) -> dict[str, int]:
    """Count who answers the next requests."""
    begun = len(load.answers)
    eventually(f"{number} answers", lambda: len(load.answers) >= begun + number)
    targets = [answer.target.replace("/main/", "/") for answer in load.answers[begun:]]
    return {target: targets.count(target) for target in set(targets)}


def events(crew: Team, name: str) -> dict[tuple[str, str], str]:
    """Return what Events say of a route, by reason and moment."""
    found = [one for one in crew.kubectl.list("events", crew.namespace) if one["involvedObject"]["name"] == name]
    return {(one["reason"], one["metadata"]["name"]): one["message"] for one in found}


def fairlead(crew: Team, *words: str) -> str:
    context = crew.kubectl("config", "current-context").strip()
    return crew.kubectl.command("fairlead", *words, "--context", context)


def test_a_change_in_git_goes_in_by_its_steps_and_back_at_once(crew: Team, gateway: str) -> None:
    steps = ({"shadow": "50%", "hold": "1s"}, {"traffic": "10%", "hold": "1s"}, {"traffic": "50%", "hold": "1s"})
    serve(crew, ("good", steps, {}))
    with load(gateway, "good", rate=50) as asking:
        served(asking, 20)
        # When one string is another
        crew.kubectl.apply(route(crew, "good", NEW, *steps))
        # then copies tell of it first, then requests, and then all of them
        stands(crew, "good", "Stable", "Promoted", stable=NEW, previous=OLD)
        eventually("the new model alone", lambda: served(asking, 30).keys() == {NEW})
        crew.is_ready("modelroute", "good")
        # (each step was there, which this test is too slow to see)
        for said in ("step 1 of 3, 50% copied to", "step 2 of 3, 10% of", "step 3 of 3, 50% of", "(Promoted)"):
            eventually(said, lambda said=said: any(said in one for one in events(crew, "good").values()))
        # and back is never slow
        crew.kubectl.apply(route(crew, "good", OLD, *steps))
        stands(crew, "good", "Stable", "AtOnce", stable=OLD)
        eventually("the old model alone", lambda: served(asking, 30).keys() == {OLD})
    assert asking.failed == []


def test_back_in_the_middle_is_at_once_and_fails_no_request(crew: Team, gateway: str) -> None:
    steps = (HALF_HOUR,)
    serve(crew, ("back", steps, {}))
    with load(gateway, "back", rate=50) as asking:
        for _ in range(2):
            crew.kubectl.apply(route(crew, "back", NEW, *steps))
            stands(crew, "back", "Progressing", step=1)
            shares = eventually("both", lambda: len(found := served(asking)) == 2 and found)
            assert shares.keys() == {OLD, NEW}
            crew.kubectl.apply(route(crew, "back", OLD, *steps))
            stands(crew, "back", "Stable", "AtOnce", stable=OLD)
            eventually("the old model alone", lambda: served(asking, 30).keys() == {OLD})
    assert asking.failed == []


BAD: dict[str, tuple[str, str, Json, bool]] = {
    # route: candidate, what is judged, the bounds, whether its clients stream
    "errors": (f"{CANARY}/failing", "ErrorRate", {}, False),
    "late": (f"{CANARY}/slow", "FirstByte", {"maxErrorRate": "5%", "maxFirstByteP95Increase": "25%"}, True),
    "dear": (f"{CANARY}/dear", "Cost", {"maxErrorRate": "5%", "maxCostIncrease": "10%"}, False),
}


@pytest.fixture(scope="module")
def judged(crew: Team, gateway: str) -> dict[str, tuple[Json, Load]]:
    """Three bad candidates at once, each with clients of its own, until each is sent back."""
    serve(crew, *((name, (HALF_HOUR,), analysis) for name, (_, _, analysis, _) in BAD.items()))
    with ExitStack() as stack:
        loads = {
            name: stack.enter_context(load(gateway, name, rate=40 if name == "errors" else 15, stream=stream))
            for name, (_, _, _, stream) in BAD.items()
        }
        for asking in loads.values():
            served(asking, 20)
        crew.kubectl.apply(
            *(route(crew, name, target, HALF_HOUR, **analysis) for name, (target, _, analysis, _) in BAD.items())
        )
        found = {name: stands(crew, name, "RolledBack", "BoundBroken") for name in BAD}
        for name, asking in loads.items():
            eventually(f"stable alone on {name}", lambda asking=asking: served(asking, 15).keys() == {OLD})
    return {name: (found[name], loads[name]) for name in BAD}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_candidate_is_sent_back_and_its_clients_notice_nothing(
    crew: Team, judged: Mapping[str, tuple[Json, Load]], name: str
) -> None:
    found, asking = judged[name]
    candidate, measure, _, _ = BAD[name]
    *before, last = found["verdicts"]
    print(f"{name}: {last['message']}")
    assert (last["outcome"], last["measure"]) == ("Failed", measure)
    assert [one for one in before if one["outcome"] == "Failed"] == [], "one that is shown is enough"
    assert (found["stable"], found["refused"], found["traffic"]) == (OLD, candidate, "0%")
    assert asking.failed == []
    # Git asks for what does not serve, and whoever looks is told: kubectl, GitOps tools, the command
    ready = eventually("Ready", lambda: _said(crew, name, "Ready", "False", "RolledBack"))
    assert f"Git asks for {candidate}, {OLD} serves" in ready["message"]
    eventually("Stalled", lambda: _said(crew, name, "Stalled", "True", "RolledBack"))
    eventually("an Event", lambda: "RolloutRolledBack" in {reason for reason, _ in events(crew, name)})
    with pytest.raises(CommandError) as red:
        fairlead(crew, "rollout", "status", f"{crew.namespace}/{name}")
    assert "RolledBack (BoundBroken)" in red.value.stdout


def _said(crew: Team, name: str, kind: str, status: str, reason: str) -> Json | None:
    """Return a condition once it stands like this: before, gateways may still be behind."""
    found = crew.state("modelroute", name, kind)
    return found if (found["status"], found["reason"]) == (status, reason) else None


def test_without_traffic_it_pauses_and_goes_on_when_there_is_some(crew: Team, gateway: str) -> None:
    steps = ({"traffic": "50%", "hold": "1s"}, HALF_HOUR | {"traffic": "80%"})
    serve(crew, ("idle", steps, {}))
    crew.kubectl.apply(route(crew, "idle", NEW, *steps))
    found = stands(crew, "idle", "Paused", "Inconclusive", step=1)
    assert (found["verdicts"][-1]["outcome"], found["verdicts"][-1]["measure"]) == ("Inconclusive", "Requests")
    crew.is_ready("modelroute", "idle")
    with load(gateway, "idle", rate=40) as asking:
        stands(crew, "idle", "Progressing", step=2, traffic="80%")
    assert asking.failed == []


def test_an_edit_in_the_middle_begins_again_from_stable(crew: Team) -> None:
    steps = ({"traffic": "10%"}, {"traffic": "50%"})
    serve(crew, ("edited", steps, {}))
    crew.kubectl.apply(route(crew, "edited", NEW, *steps))
    stands(crew, "edited", "AwaitingPromotion", step=1)
    fairlead(crew, "rollout", "promote", f"{crew.namespace}/edited")
    stands(crew, "edited", "AwaitingPromotion", step=2, candidate=NEW)
    crew.kubectl.apply(route(crew, "edited", f"{CANARY}/other", *steps))
    stands(crew, "edited", "AwaitingPromotion", step=1, candidate=f"{CANARY}/other", stable=OLD, traffic="10%")


def test_a_route_that_is_deleted_and_restored_does_not_jump(crew: Team, gateway: str) -> None:
    steps = ({"traffic": "20%", "hold": "30m"}, {"traffic": "50%"})
    started(crew, "restored", NEW, *steps)
    crew.kubectl("-n", crew.namespace, "delete", "modelroute", "restored", "--timeout=60s")
    body = {"model": "restored", "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"authorization": f"Bearer {KEY}"}

    def status() -> int:
        return httpx.post(f"{gateway}/v1/chat/completions", json=body, headers=headers, trust_env=False).status_code

    eventually("404", lambda: all(status() == 404 for _ in range(5)))
    # When it is applied again as Git has it, with the candidate as its primary
    crew.kubectl.apply(route(crew, "restored", NEW, *steps))
    stands(crew, "restored", "Progressing", step=1, traffic="20%", stable=OLD, candidate=NEW)
    crew.is_ready("modelroute", "restored")
    with load(gateway, "restored", rate=50) as asking:
        found = served(asking, 150)
    assert asking.failed == []
    assert 5 <= found[NEW] <= 60, "a fifth of 150, within 4 deviations"


def test_orders_are_given_by_command_and_by_annotation(crew: Team) -> None:
    steps = ({"traffic": "10%"}, {"traffic": "50%"})
    name = f"{crew.namespace}/ordered"
    serve(crew, ("ordered", steps, {}))
    crew.kubectl.apply(route(crew, "ordered", NEW, *steps))
    stands(crew, "ordered", "AwaitingPromotion", step=1)
    before = crew.kubectl.get("modelroute", "ordered", crew.namespace)

    def annotate(order: str) -> None:
        crew.kubectl("-n", crew.namespace, "annotate", "--overwrite", "mr", "ordered", f"fairlead.dev/rollout={order}")

    annotate("pause one")
    stands(crew, "ordered", "Paused", "ByHand", order="pause one")
    assert "paused by hand" in fairlead(crew, "rollout", "status", name)
    fairlead(crew, "rollout", "resume", name)
    stands(crew, "ordered", "AwaitingPromotion", step=1)
    fairlead(crew, "rollout", "promote", name)
    document = json.loads(fairlead(crew, "rollout", "status", name, "-o", "json"))
    assert (document["step"], document["traffic"], document["candidate"]) == (2, "50%", NEW)
    annotate("abort two")
    stands(crew, "ordered", "Aborted", "ByHand", stable=OLD, refused=NEW)
    annotate("hurry")  # which is no order, and says so
    said = stands_declined(crew, "ordered")
    assert "want one of" in said
    fairlead(crew, "rollout", "retry", name)
    for _ in steps:
        fairlead(crew, "rollout", "promote", name)
    stands(crew, "ordered", "Stable", "ByHand", stable=NEW, previous=OLD)
    fairlead(crew, "rollout", "undo", name)
    stands(crew, "ordered", "Aborted", "Undone", stable=OLD)
    # Nothing of that is in what belongs to Git
    assert crew.kubectl.get("modelroute", "ordered", crew.namespace)["spec"] == before["spec"]


def stands_declined(crew: Team, name: str) -> str:
    return str(eventually("a reason", lambda: standing(crew, name).get("declined")))


PHASES: dict[str, Callable[[Team, str], None]] = {
    "at-rest": lambda crew, name: crew.kubectl.apply(route(crew, name, OLD, *HELD)),
    "rolling": lambda crew, name: crew.kubectl.apply(route(crew, name, NEW, *HELD)),
    "awaiting": lambda crew, name: _order(crew, name, "promote"),
    "paused": lambda crew, name: _order(crew, name, "pause"),
    "aborted": lambda crew, name: _order(crew, name, "abort"),
}
HELD = ({"traffic": "20%", "hold": "30m"}, {"traffic": "50%"})
KEPT = ("phase", "reason", "step", "traffic", "stable", "candidate", "previous", "refused", "since")


def _order(crew: Team, name: str, order: str) -> None:
    crew.kubectl.apply(route(crew, name, NEW, *HELD))
    stands(crew, name, "Progressing", step=1)
    fairlead(crew, "rollout", order, f"{crew.namespace}/{name}")


def test_an_operator_that_is_killed_in_any_phase_changes_nothing(
    crew: Team, gateway: str, judged: Mapping[str, tuple[Json, Load]]
) -> None:
    # Given a route in each phase (`errors` was rolled back),
    cluster = crew.cluster
    serve(crew, *((name, HELD, {}) for name in PHASES))
    for name, bring in PHASES.items():
        bring(crew, name)
    phases = {"at-rest": "Stable", "rolling": "Progressing", "awaiting": "AwaitingPromotion", "paused": "Paused"}
    for name, phase in {**phases, "aborted": "Aborted", "errors": "RolledBack"}.items():
        stands(crew, name, phase)
    names = [*PHASES, "errors"]
    before = {name: _kept(crew, name) for name in names}
    with load(gateway, "rolling", rate=30) as asking:
        served(asking, 30)
        # when the operator is killed, and while nobody is there
        pod = operator_pods(cluster)[0]["metadata"]["name"]
        crew.kubectl("-n", NAMESPACE, "delete", "pod", pod, "--grace-period=0", "--force")
        eventually("another leader", lambda: operator.leaders(cluster) not in ([], [pod]))
        # then all of it is as it was, and stays so
        always("every rollout as it was", lambda: before == {name: _kept(crew, name) for name in names}, for_s=4)
        assert served(asking, 100).keys() == {OLD, NEW}
    assert asking.failed == []
    assert judged["errors"][0]["since"] == before["errors"]["since"]
    # and it goes on from there
    fairlead(crew, "rollout", "promote", f"{crew.namespace}/awaiting")
    stands(crew, "awaiting", "Stable", "ByHand", stable=NEW)


def _kept(crew: Team, name: str) -> Json:
    found = standing(crew, name)
    return {field: found.get(field) for field in KEPT}


def test_several_clusters_are_shown_side_by_side(crew: Team, cluster: Cluster) -> None:
    context = crew.kubectl("config", "current-context").strip()
    with pytest.raises(CommandError) as shown:
        crew.kubectl.command("fairlead", "status", "--context", f"{context},nowhere", "-n", crew.namespace)
    rows = shown.value.stdout.splitlines()
    assert rows[1].startswith(context), cluster.name
    assert "got context `nowhere`" in rows[2]
    assert condition(crew.kubectl.get("modelroute", "good", crew.namespace), "Ready")["status"] == "True"
