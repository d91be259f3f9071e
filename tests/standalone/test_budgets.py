"""`fairlead budgets` beside a running `fairlead up`: what it says is so, whatever became of the store."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from running_up import COMMAND, PATIENCE_S, RunningUp, Site, ask, budget, until

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]


def budgets(site: Site) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "budgets", "-c", str(site.config), "-o", "json"]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE_S)


def told(site: Site) -> dict[str, Any]:
    said = budgets(site)
    assert said.returncode == 0, said
    document: dict[str, Any] = json.loads(said.stdout)
    return document


def test_when_the_last_policy_goes_nobody_is_stopped_any_more(site: Site, start: Start) -> None:
    site.write("policy.yaml", budget("0"))
    up = start(site).serving()
    assert ask(site.ports[0])[0] == 429
    assert [policy["name"] for policy in told(site)["policies"]] == ["fairlead/all"]
    (site.manifests / "policy.yaml").unlink()
    up.wait_for("accepted", "removed")
    assert ask(site.ports[0])[0] == 200
    until(lambda: told(site)["policies"] == [])
