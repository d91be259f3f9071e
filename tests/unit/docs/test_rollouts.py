"""The guide to rollouts says what the machine does: phases, reasons, numbers, the diagram of its transitions."""

import re
from pathlib import Path

import pytest
from benchmarks import rollout_verdicts

from fairlead.api.rollout import Analysis
from fairlead.rollout import machine, verdict
from fairlead.rollout.sequential import needed
from fairlead.rollout.state import Phase, Reason
from fairlead.rollout.transition import TABLE
from fairlead.rollout.verdict import ALPHA, Measure, Outcome

PATH = Path(__file__).resolve().parents[3] / "docs" / "guides" / "rollouts.md"
PAGE = PATH.read_text()
DIAGRAM = re.compile(r"```mermaid\n(.*?)```", re.DOTALL)


def column(title: str) -> list[str]:
    """The first cells, as code, of the table with this title."""
    lines = PAGE.partition(f"| `{title}` |" if title != "verdict" else "| verdict |")[2].splitlines()[2:]
    rows = lines[: next(number for number, line in enumerate(lines) if not line.startswith("|"))]
    return [row.split("|")[1].strip().strip("`") for row in rows]


def diagram() -> str:
    lines = ["stateDiagram-v2", "  [*] --> Stable", *(f"  {one} --> {other}: {what}" for one, what, other in TABLE)]
    return "".join(f"{line}\n" for line in lines)


def test_the_diagram_is_that_of_the_table(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        PATH.write_text(DIAGRAM.sub(lambda _: f"```mermaid\n{diagram()}```", PAGE))
    found = DIAGRAM.search(PATH.read_text())
    assert found
    assert found[1] == diagram()


@pytest.mark.parametrize(
    ("title", "words"), [("phase", Phase), ("reason", Reason), ("verdict", Outcome), ("measure", Measure)]
)
def test_every_word_is_explained(title: str, words: type[Phase]) -> None:
    assert sorted(column(title)) == sorted(one.value for one in words)


def test_numbers_are_those_of_the_machine() -> None:
    defaults = Analysis()
    for words in (
        f"each `interval` (default {defaults.interval})",
        f"`failureLimit` (default {defaults.failure_limit})",
        f"at most {machine.UNWATCHED} intervals count for the hold",
        f"after {machine.EJECTION_WAIT} intervals",
        f"is {verdict.ALPHA:.0%} for a whole".replace("%", " %"),
    ):
        assert words in PAGE, words


def test_the_table_says_how_many_requests_the_arithmetic_asks_for() -> None:
    rows = re.findall(r"^\| ([\d.]+)% \| .* \| (\S+) \|$", PAGE, re.MULTILINE)
    assert len(rows) > 5
    for rate, told in rows:
        expected = needed(float(rate) / 100, rollout_verdicts.BOUND, ALPHA / rollout_verdicts.STEPS)
        assert told == ("-" if expected is None else str(expected)), rate


def test_the_table_of_sample_sizes_is_that_of_the_command() -> None:
    assert "\n".join(rollout_verdicts.arithmetic()) in PAGE


def test_no_candidate_that_keeps_the_bound_is_often_accused() -> None:
    rows = re.findall(r"^\| ([\d.]+)% \| [\d.]+ \| \d+% \| ([\d.]+)% \|", PAGE, re.MULTILINE)
    kept = [float(share) for rate, share in rows if float(rate) <= 0.5]
    assert len(kept) >= 3
    assert max(kept) <= 100 * ALPHA
