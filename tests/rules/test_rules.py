"""Prometheus' own tool judges the alerts: their syntax, and when they fire (the YAML files beside this one)."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.budgetserver.metrics import Metrics as BudgetMetrics
from fairlead.controller.metrics import Metrics as OperatorMetrics

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "helm" / "fairlead" / "rules").glob("*.yaml"))
CASES = sorted(Path(__file__).parent.glob("*.yaml"))
GROUPS: list[Any] = [group for path in FILES for group in yaml.safe_load(path.read_text())["groups"]]
ALERTS: list[Any] = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]
NAMES = [alert["alert"] for alert in ALERTS]
RUNBOOKS = ROOT / "docs" / "runbooks"


def promtool(*words: str) -> str:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed: `make system` installs it")
    run = subprocess.run(["promtool", *words], capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_the_files_are_rules() -> None:
    promtool("check", "rules", *map(str, FILES))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should(case: Path) -> None:
    promtool("test", "rules", str(case))


def test_every_alert_is_seen_to_fire() -> None:
    fired = set(re.findall(r"alertname(?:: |=\")(\w+)", "".join(case.read_text() for case in CASES)))
    assert sorted(NAMES) == sorted(fired)


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_an_alert_says_what_it_is_and_where_to_read_on(alert: Any) -> None:
    assert alert["labels"]["severity"] in {"info", "warning", "critical"}
    assert sorted(alert["annotations"]) == ["description", "runbook_url", "summary"]
    assert alert["annotations"]["runbook_url"] == f"docs/runbooks/{alert['alert']}.md"
    assert not alert["annotations"]["summary"].endswith(".")
    assert alert["annotations"]["description"].endswith(".")


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all(name.startswith("Fairlead") for name in NAMES)


def series_shown() -> set[str]:
    """Names of all series of budget server and operator."""
    return {
        name
        for registry in (BudgetMetrics().registry, OperatorMetrics().registry)
        for family in registry.collect()
        for name in (family.name, f"{family.name}_total" if family.type == "counter" else family.name)
    }


def test_series_of_ours_exist() -> None:
    used = set(re.findall(r"\bfairlead_[a-z_]+", "".join(rule["expr"] for group in GROUPS for rule in group["rules"])))
    assert used - series_shown() == set()


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert sorted(path.stem for path in RUNBOOKS.glob("*.md")) == sorted([*NAMES, "README"])
    contents = (RUNBOOKS / "README.md").read_text()
    assert [name for name in NAMES if f"[{name}]({name}.md)" not in contents] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_says_what_to_do(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert re.findall(r"^#+ .*$", text, re.MULTILINE) == [
        f"# {name}",
        "## Meaning",
        "## Impact",
        "## Diagnose",
        "## Mitigate",
    ]


def test_series_of_ours_in_runbooks_exist() -> None:
    pages = "".join(path.read_text() for path in RUNBOOKS.glob("*.md"))
    assert set(re.findall(r"\bfairlead_(?!dev_region)[a-z_]+", pages)) - series_shown() == set()


def test_every_series_of_ours_is_explained() -> None:
    contents = (RUNBOOKS / "README.md").read_text()
    names = {name for name in series_shown() if name.startswith("fairlead_")}
    assert {name for name in names if f"`{name}`" not in contents and f"`{name}_total`" not in contents} == set()
