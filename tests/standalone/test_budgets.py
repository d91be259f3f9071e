"""`fairlead budgets` beside a running `fairlead up`: what it says is so, whatever became of the store."""

import asyncio
import json
import os
import signal
import socket as socket_module
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running_up import PATIENCE_S, RunningUp, Site, ask, budget, consumer, fill_up, route, say, secret, until

from fairlead.console.local import LocalSource
from fairlead.console.picture import Picture
from fairlead.standalone.state import StateFolder

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]


def budgets(site: Site) -> subprocess.CompletedProcess[str]:
    return say("budgets", "-c", site.config, "-o", "json")


def told(site: Site, *, code: int = 0) -> dict[str, Any]:
    said = budgets(site)
    assert said.returncode == code, said
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


def test_without_a_policy_it_says_so_and_what_everybody_spent(site: Site, start: Start) -> None:
    start(site).serving()
    said = say("budgets", "-c", site.config)
    assert (said.returncode, said.stdout) == (0, "nobody has a budget; a BudgetPolicy gives one\n")
    assert ask(site.ports[0])[0] == 200
    (anonymous,) = until(lambda: told(site)["unbudgeted"])
    assert (anonymous["consumer"], anonymous["spent"]) == ("fairlead/anonymous", pytest.approx(0.000025))
    assert anonymous["spentUSD"] == "0.000025"
    assert "  $0.000025\n" in say("budgets", "-c", site.config).stdout
    assert say("kill", "-c", site.config, "--undo", "fairlead/nobody").returncode == 1


def caches(site: Site) -> tuple[int, bool]:
    """Say how many hits there were, and whether the ledger counts them."""
    (found,) = told(site)["caches"]
    return found["hits"], found["since"] is not None


def drawn(site: Site) -> Picture:
    async def look() -> Picture:
        source = LocalSource(StateFolder(root=site.state))
        async with source.metrics:
            return await source.look()

    return asyncio.run(look())


def test_what_nobody_wants_of_a_budget_server_any_more_is_not_asked_of_one(site: Site, start: Start) -> None:
    """A server that goes on hears of no request: what it says of them would stand still. And one that is gone is no
    trouble."""
    kept = {"ttl": "1h", "scope": "Namespace"}
    site.write("route.yaml", route("chat", "sparrow", cache={**kept, "store": "Shared"}))
    up = start(site, "--workers", "1").serving()
    until(lambda: ask(site.ports[0])[0] == 200 and caches(site)[0] > 0 and caches(site)[1])
    assert say("budgets", "-c", site.config).stdout.startswith("nobody has a budget; what is spent is counted\n")
    site.write("route.yaml", route("chat", "sparrow", cache=kept))
    up.wait_for("accepted", "store")
    assert until(lambda: ask(site.ports[0])[0] == 200 and caches(site))[1] is False
    before = caches(site)[0]
    until(lambda: ask(site.ports[0])[0] == 200 and caches(site)[0] > before)
    assert say("budgets", "-c", site.config).stdout.startswith("nobody has a budget; a BudgetPolicy gives one\n")
    assert [row["since"] for row in (drawn(site).budgets or {})["caches"]] == [None]

    places = StateFolder(root=site.state).budget.places
    assert up.stop() == 0
    assert not [socket for socket in (places.http, places.rpc, places.usage) if socket.exists()]
    with socket_module.socket(socket_module.AF_UNIX) as left:  # by an `up` that was killed
        left.bind(str(places.http))
    up = start(site).serving()
    assert told(site)["store"] is None
    assert status(site) == (0, [])
    assert not drawn(site).alerts
    assert up.stop() == 0
    assert not [event for event in up.events if event["event"] in {"refused", "lost"}]


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
    document = told(site, code=1)
    assert (document["store"], document["warnings"]) == ("up", [warning])
    assert ask(site.ports[0])[0] == 200
    until(lambda: told(site, code=1)["policies"][0]["consumers"][0]["spent"] > 0)
    if damage:
        assert (folder / "budget.db.damaged").read_bytes() == damage
    assert up.stop() == 0
    assert not [event for event in up.events if event["event"] == "lost"]


def status(site: Site) -> tuple[int, list[str]]:
    """Return the exit code of `fairlead status`, and what it says of budgets."""
    said = say("status", "-c", site.config, "-o", "json")
    return said.returncode, json.loads(said.stdout)["budgets"]


def edit(path: Path, statement: str) -> None:
    with sqlite3.connect(path, timeout=PATIENCE_S) as connection:
        connection.execute(statement)
    connection.close()


def test_what_happens_to_the_database_while_it_runs_is_said_and_hurts_nobody_else(site: Site, start: Start) -> None:
    for name in ("a", "b"):
        site.write(f"{name}.yaml", consumer(name, "k"), secret(name, k=f"sk-{name}"))
    site.write("policy.yaml", budget("5"))
    up = start(site).serving()
    database = site.state / "_budget" / "budget.db"

    def spent(code: int) -> dict[str, float]:
        for key in ("sk-a", "sk-b"):
            assert ask(site.ports[0], key=key)[0] == 200
        (policy,) = told(site, code=code)["policies"]
        return {one["consumer"]: one["spent"] for one in policy["consumers"]}

    before = until(lambda: (found := spent(0)) and found["fairlead/a"] > 0 and found["fairlead/b"] > 0 and found)
    assert status(site) == (0, [])

    for path in database.parent.glob("budget.db*"):
        path.unlink()
    assert "nothing is lost" in up.wait_for("warning", "budget.db: got no file any more")["what"]
    assert database.exists()
    assert spent(1)["fairlead/b"] >= before["fairlead/b"]

    edit(database, "UPDATE counter SET spent = 'junk' WHERE name LIKE '%|fairlead/a|%'")
    spent(1)
    row = up.wait_for("warning", "rows of `counter`")["what"]
    assert "fairlead/a" in row
    assert "fairlead/b" not in row
    until(lambda: status(site)[0] == 1 and status(site)[1][1:] == [row])
    assert spent(1)["fairlead/b"] >= before["fairlead/b"]

    edit(database, "PRAGMA user_version = 9")
    envoy = set(up.children())
    (server,) = {int(path.parent.name) for path in up.environments()} - envoy
    os.kill(server, signal.SIGKILL)
    outage = up.wait_for("refused", "budgets are not enforced")["what"]
    assert "written by a newer version: install that one, or move the file away" in outage
    assert "pass unchecked until it is mended" in outage
    until(lambda: status(site) == (1, [outage]))
    said = budgets(site)
    assert (said.returncode, "newer version" in said.stderr, "Traceback" in said.stderr) == (1, True, False)
    database.unlink()
    up.wait_for("mended", "budgets")
    assert up.stop() == 0
    assert "Traceback" not in up.errors


def test_bookings_that_a_full_disk_took_are_said(small_disk: Path, site: Site, start: Start) -> None:
    site.write("policy.yaml", budget("5"))
    up = start(site).serving()
    assert ask(site.ports[0])[0] == 200
    fill_up(small_disk)
    for _ in range(20):
        assert ask(site.ports[0])[0] == 200, "failurePolicy is Open"
    assert "free space on its disk" in up.wait_for("refused", "budgets are not enforced")["what"]
    until(lambda: status(site)[0] == 1)
    said = budgets(site)
    assert "Traceback" not in said.stderr
    assert said.returncode == 0 or "the budget server cannot tell" in said.stderr
    assert up.stop() == 0
    assert "bookings" in up.wait_for("lost")["what"]
    assert "Traceback" not in up.errors
