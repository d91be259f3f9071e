"""`fairlead budgets` beside a running `fairlead up`: what it says is so, whatever became of the store."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running_up import COMMAND, PATIENCE_S, RunningUp, Site, ask, budget, fill_up, until

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


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 500], ids=["empty", "garbage"])
def test_spending_that_cannot_be_read_is_said_and_counted_anew(site: Site, start: Start, damage: bytes) -> None:
    site.write("policy.yaml", budget("5"))
    up = start(site).serving()
    assert ask(site.ports[0])[0] == 200
    until(lambda: told(site)["policies"][0]["consumers"][0]["spent"] > 0)
    assert up.stop() == 0
    folder = site.state / "_budget"
    for part in folder.glob("budget.db-*"):
        part.unlink()
    (folder / "budget.db").write_bytes(damage)
    up = start(site)
    warning = up.wait_for("warning", "budget.db")["what"]
    assert "spending counts from $0 again" in warning
    up.serving()
    document = told(site)
    assert (document["store"], document["warnings"]) == ("up", [warning])
    assert ask(site.ports[0])[0] == 200
    until(lambda: told(site)["policies"][0]["consumers"][0]["spent"] > 0)
    if damage:
        assert (folder / "budget.db.damaged").read_bytes() == damage
    assert up.stop() == 0
    assert not [event for event in up.events if event["event"] == "lost"]


def test_bookings_that_a_full_disk_took_are_said(small_disk: Path, site: Site, start: Start) -> None:
    site.write("policy.yaml", budget("5"))
    up = start(site).serving()
    assert ask(site.ports[0])[0] == 200
    fill_up(small_disk)
    for _ in range(20):
        assert ask(site.ports[0])[0] == 200, "failurePolicy is Open"
    said = budgets(site)
    assert "Traceback" not in said.stderr
    assert said.returncode == 0 or "the budget server cannot tell" in said.stderr
    assert up.stop() == 0
    assert "bookings" in up.wait_for("lost")["what"]
    assert "Traceback" not in up.errors
