"""Given objects in a cluster, `kubectl fairlead status` says what is served where, and what is wrong."""

import json

import pytest
from harness.install import REGIONS
from harness.kubectl import CommandError
from harness.provider import Provider
from harness.team import Team
from harness.waiting import eventually


def test_kubectl_knows_the_plugin(team: Team) -> None:
    assert "kubectl-fairlead" in team.kubectl("plugin", "list")


def test_what_is_served_where(provider: Provider, team: Team) -> None:
    team.kubectl.apply(team.route("chat", provider.name, "model-a"))
    team.is_ready("modelroute", "chat")
    said = team.kubectl("fairlead", "status", "-n", team.namespace).splitlines()
    line = f"  {team.namespace}/chat  sim/main/model-a"
    assert said == [*(words for region in sorted(REGIONS) for words in (region, line, "")), "1 of 1 objects are ready"]
    described = json.loads(team.kubectl("fairlead", "status", "-n", team.namespace, "-o", "json"))
    assert [region["name"] for region in described["regions"]] == sorted(REGIONS)


def test_what_is_wrong_is_said_and_is_exit_code_1(provider: Provider, team: Team) -> None:
    team.kubectl.apply(team.route("chat", provider.name, "no-such-model"))
    eventually("a status", lambda: team.state("modelroute", "chat", "Ready")["status"] == "False")
    with pytest.raises(CommandError) as ended:
        team.kubectl("fairlead", "status", "-n", team.namespace)
    assert "ResolvedRefs=False ModelNotFound" in ended.value.stdout
