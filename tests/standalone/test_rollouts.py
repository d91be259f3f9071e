"""A change of `primary` in `fairlead up`: by evidence to all traffic or back, over restarts, under load."""

import http.client
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from running_up import (
    CREDENTIAL,
    PATIENCE_S,
    Load,
    RunningUp,
    Site,
    ask,
    consumer,
    provider,
    route,
    secret,
    until,
)
from test_truth import status, status_with

from fairlead.cli import main
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]
ROUTE = "fairlead/chat"
OLD, NEW = "sim/one/sparrow", "cand/one/sparrow"
CALLERS = 150
BODY = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hi"}]})
ANALYSIS = {"interval": "1s", "minRequests": 20, "maxErrorRate": "1%"}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let orders take as long as everything else here may: a busy machine takes its time."""
    monkeypatch.setattr("fairlead.cli.rollout.PATIENCE_S", PATIENCE_S)


@pytest.fixture
def candidate() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("sparrow",), keys=(CREDENTIAL,)) as running:
        yield running


@pytest.fixture
def callers(site: Site, candidate: SimulatedProvider) -> Site:
    """Give the site a second provider, and many consumers."""
    ours = provider(candidate.base_url, "sparrow", name="cand")
    ours["spec"]["healthCheck"] = {"type": "None"}
    ours["spec"]["circuitBreaker"] = {"openFor": "1s"}
    site.write("candidate.yaml", ours, secret("cand", key=CREDENTIAL))
    keys = {f"c{number}": f"sk-{number}-0123456789abcdef" for number in range(CALLERS)}
    site.write("callers.yaml", secret("keys", **keys), *(_caller(name) for name in keys))
    return site


def _caller(name: str) -> dict[str, Any]:
    written = consumer(name)
    written["spec"]["keys"] = [{"secretName": "keys", "key": name}]
    return written


def key(number: int) -> str:
    return f"sk-{number}-0123456789abcdef"


def rolling(name: str, *steps: dict[str, str], stickiness: str = "Consumer", **analysis: Any) -> dict[str, Any]:
    asked = {"stickiness": stickiness, "steps": list(steps), "analysis": {**ANALYSIS, **analysis}}
    return route("chat", "sparrow", provider=name, rollout=asked)


def rollout(site: Site, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["rollout", *words, "-c", str(site.config)])
    return done.exit_code, done.output


def standing(site: Site) -> dict[str, Any]:
    return dict(json.loads(rollout(site, "status", ROUTE, "-o", "json")[1]))


def sides(site: Site) -> dict[int, str]:
    """Ask once for each consumer; who answered whom."""
    found = {}
    connection = http.client.HTTPConnection("127.0.0.1", site.ports[0], timeout=PATIENCE_S)
    try:
        for number in range(CALLERS):
            headers = {"content-type": "application/json", "authorization": f"Bearer {key(number)}"}
            connection.request("POST", "/v1/chat/completions", BODY, headers)
            response = connection.getresponse()
            assert (response.read(), response.status)[1] == 200
            found[number] = response.headers["x-fairlead-target"]
    finally:
        connection.close()
    return found


def test_an_arm_grows_as_its_steps_say_and_nobody_changes_sides(callers: Site, start: Start) -> None:
    site = callers
    steps = [{"traffic": share} for share in ("1%", "10%", "50%")]
    site.write("route.yaml", rolling("sim", *steps))
    up = start(site).serving()
    site.write("route.yaml", rolling("cand", *steps))
    up.wait_for("rollout", f"{ROUTE}: Progressing (Started), step 1 of 3, 1% of traffic to cand/sparrow")
    up.wait_for("accepted")
    moved: set[int] = set()
    for number, share in enumerate((0.01, 0.1, 0.5), 1):
        seen = sides(site)
        now = {caller for caller, target in seen.items() if target == NEW}
        assert seen == sides(site)
        deviation = math.sqrt(CALLERS * share * (1 - share))
        assert abs(len(now) - CALLERS * share) < 4 * deviation, "by a hash that is the same in every run"
        assert moved <= now, "whoever had the candidate keeps it"
        moved = now
        code, said = rollout(site, "promote", ROUTE)
        assert code == 0, said
        up.wait_for("rollout", f"step {number + 1} of 3" if number < 3 else "Stable (ByHand), cand/sparrow serves")
    assert set(sides(site).values()) == {NEW}
    assert (standing(site)["stable"], standing(site)["previous"]) == ("cand/sparrow", "sim/sparrow")
    code, said = rollout(site, "undo", ROUTE)
    assert (code, "Git asks for cand/sparrow" in said) == (0, True), said
    assert set(sides(site).values()) == {OLD}
    status_with(site, 1)  # Git asks otherwise


def test_callers_of_a_failing_candidate_are_served_and_it_is_sent_back(
    callers: Site, start: Start, candidate: SimulatedProvider
) -> None:
    site = callers
    site.write("route.yaml", rolling("sim", {"traffic": "30%", "hold": "1h"}, stickiness="Request"))
    up = start(site).serving()
    candidate.control.fault(status=500)
    with Load(site.ports, per_second=40, key=key(1)) as load:
        site.write("route.yaml", rolling("cand", {"traffic": "30%", "hold": "1h"}, stickiness="Request"))
        up.wait_for("rollout", "Progressing (Started)")
        told = up.wait_for("rollout", "RolledBack (BoundBroken): Git asks for cand/sparrow, sim/sparrow serves")
        assert (told["phase"], told["route"], told["level"]) == ("RolledBack", ROUTE, "error")
        until(lambda: status(site)[1]["regions"][0]["routes"][0]["answers"][0]["ladders"][1:] == [])
        status_with(site, 1, "Git asks for cand/sparrow, sim/sparrow serves")
        candidate.control.clear()
        assert rollout(site, "retry", ROUTE)[0] == 0
        until(lambda: standing(site)["progress"]["candidate"]["requests"] > 20)
        assert standing(site)["phase"] == "Progressing"
        site.write("route.yaml", rolling("sim", {"traffic": "30%"}, stickiness="Request"))
        up.wait_for("rollout", "Stable (AtOnce), sim/sparrow serves")
        up.wait_for("accepted")
    assert load.failed == {}


def test_copies_tell_of_a_candidate_that_nobody_is_served_by(
    callers: Site, start: Start, candidate: SimulatedProvider
) -> None:
    site = callers
    steps = ({"shadow": "50%", "hold": "2s"}, {"traffic": "50%"})

    def hasty(name: str, *steps: dict[str, str]) -> dict[str, Any]:
        written = rolling(name, *steps)
        written["spec"]["timeouts"] = {"firstByte": "1s", "response": "1s"}
        return written

    site.write("route.yaml", hasty("sim", *steps))
    up = start(site).serving()
    with Load(site.ports, per_second=40, key=key(1)) as load:
        site.write("route.yaml", written := hasty("cand", *steps))
        up.wait_for("rollout", "step 1 of 2, 50% copied to cand/sparrow beside sim/sparrow")
        assert {ask(site.ports[0], key=key(number))[1] for number in range(20)} == {OLD}
        up.wait_for("rollout", "step 2 of 2, 50% of traffic")
        site.write("route.yaml", hasty("sim", *steps))
        up.wait_for("rollout", "Stable (AtOnce), sim/sparrow serves")
        up.wait_for("accepted")
        candidate.control.fault(hang=True)
        site.write("route.yaml", written)
        up.wait_for("rollout", "RolledBack (BoundBroken): Git asks for cand/sparrow, sim/sparrow serves")
        candidate.control.clear()
    until(lambda: standing(site)["phase"] == "RolledBack")
    assert standing(site)["verdicts"][-1]["measure"] == "ErrorRate"
    assert load.failed == {}


def test_a_restart_goes_on_and_a_route_that_is_restored_does_not_jump(callers: Site, start: Start) -> None:
    site = callers
    steps = ({"traffic": "20%", "hold": "1h"}, {"traffic": "50%"})
    site.write("route.yaml", rolling("sim", *steps))
    up = start(site).serving()
    site.write("route.yaml", rolling("cand", *steps))
    up.wait_for("rollout", "step 1 of 2")
    up.wait_for("accepted")
    assert rollout(site, "promote", ROUTE)[0] == 0
    before, stood = sides(site), standing(site)
    assert Counter(before.values())[NEW] > CALLERS / 4
    assert up.stop() == 0
    up = start(site).serving()
    assert sides(site) == before
    again = standing(site)
    told = ("step", "stable", "candidate")
    assert [again[one] for one in told] == [stood[one] for one in told]
    (site.manifests / "route.yaml").unlink()
    until(lambda: ask(site.ports[0], key=key(1))[0] == 404)
    site.write("route.yaml", rolling("cand", *steps))
    until(lambda: ask(site.ports[0], key=key(1))[0] == 200)
    assert sides(site) == before
