"""A route that is renamed, or moved to another provider, fails no request, and what is old leaves no trace."""

import time
from typing import Any

from harness.gateway import gateway_log
from harness.kubectl import Object
from harness.load import Load
from harness.provider import Provider
from harness.team import Team
from harness.waiting import eventually

KEY = "renames-key-0001"
RENAMES = 20
AT_START = "no configured limit to the number of allowed active downstream connections"


def test_twenty_renames_under_load_fail_no_request(provider: Provider, team: Team, url: str) -> None:
    # Given a route by two names, of which one is asked for all the time
    def route(name: str, other: str) -> Object:
        return team.route(name, provider.name, "model-a", modelNames=["chat", other])

    team.kubectl.apply(team.key("alice", KEY), team.consumer("alice"), route("route-0", "other-0"))
    team.is_ready("modelroute", "route-0")
    team.is_ready("modelconsumer", "alice")
    began = time.monotonic()
    took = []
    with Load(url=url, key=KEY, model="chat", rate=50) as load:
        eventually("answers", lambda: len(load.answers) > 50)
        for number in range(1, RENAMES + 1):
            # When the object gets another name (the new one waits until the old one has gone), or one of its two names
            before, after = f"route-{(number - 1) // 2}", f"route-{number // 2}"
            asked_at = time.monotonic()
            team.kubectl.apply(route(after, f"other-{number}"))
            if before != after:
                team.kubectl("delete", "modelroute", before, "-n", team.namespace)
            team.is_ready("modelroute", after)
            took.append(time.monotonic() - asked_at)
            assert _asked(load, f"other-{number}") == {200}
            eventually("the old name to be gone", lambda name=f"other-{number - 1}": _asked(load, name) == {404})  # type: ignore[misc]
    # then no request fails
    print(f"renames, kubectl to Ready: {sorted(took)[len(took) // 2]:.1f} s in the middle, {max(took):.1f} s at most")
    assert load.failed == []
    assert len(load.answers) > 50 * RENAMES / 4
    # and no Envoy has anything to say about it
    said = [line for line in gateway_log(team.cluster, since=began) if "[warning]" in line or "[error]" in line]
    assert [line for line in said if AT_START not in line] == []


def _asked(load: Load, model: str) -> set[int]:
    with Load(url=load.url, key=load.key, model=model, rate=20) as one:
        eventually("an answer", lambda: one.answers)
    return {answer.status for answer in one.answers}


def test_a_route_that_moves_between_providers_fails_no_request(provider: Provider, team: Team, url: str) -> None:
    # Given two providers, of which the gateways hold only what a route leads to
    resource: dict[str, Any] = provider.resource()
    others = [{**resource, "metadata": {**resource["metadata"], "name": name}} for name in ("moves-a", "moves-b")]
    team.kubectl.apply(*others)
    try:
        team.kubectl.apply(team.key("alice", KEY), team.consumer("alice"), team.route("chat", "moves-a", "model-a"))
        team.is_ready("modelroute", "chat")
        team.is_ready("modelconsumer", "alice")
        with Load(url=url, key=KEY, model="chat", rate=50) as load:
            eventually("answers", lambda: len(load.answers) > 50)
            for number in range(1, 9):
                name = ("moves-a", "moves-b")[number % 2]
                team.kubectl.apply(team.route("chat", name, "model-a"))
                eventually(
                    f"{name} to answer everything",
                    lambda name=name: {one.target for one in load.answers[-10:]} == {f"{name}/main/model-a"},
                )
        assert load.failed == []
    finally:
        team.kubectl("delete", "modelprovider", "-n", "fairlead", "moves-a", "moves-b")
