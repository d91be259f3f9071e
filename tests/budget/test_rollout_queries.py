"""A rollout that a real Prometheus has a word in: what it measures, and that it is away."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from budget.prometheus import BINARY, Prometheus
from fairlead.adapters.prometheus import HttpPrometheus
from fairlead.rollout.plan import Bounds, Plan, Query, Source, Step
from fairlead.rollout.state import State
from fairlead.rollout.transition import kept, start
from fairlead.runtime.measurements import Measured, measured

NOBODY = "127.0.0.1:1"
"""A place that nobody scrapes well: its `up` is 0, with these labels."""
QUERIES = {
    "up": 'sum(up{model="{{candidateModel}}", whole="{{candidate}}"})',
    "scalar": "scalar(vector(0.25))",
    "nothing": "rate(no_such_series[1m])",
    "undefined": "vector(0) / 0",
}
BAD = {
    "endless": ("vector(1) / 0", "got +Inf, want a finite number"),
    "many": ('label_replace(vector(1), "a", "b", "", "") or vector(2)', "got 2 series, want one"),
    "range": ("up[1m]", "got no number"),
    "syntax": ("sum(", "status 400: "),
}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    if BINARY is None:
        pytest.skip("prometheus is not installed: `make system` installs it")
    folder: Path = tmp_path_factory.mktemp("prometheus")
    with Prometheus(folder, scrapes=NOBODY, labels={"model": 'new "1"', "whole": 'p/new "1"'}) as running:
        running.until(lambda: running.query("up"))
        yield running


def ask(url: str, **queries: str) -> Measured:
    asked = tuple(Query(name=name, expression=query, at_most=1.0) for name, query in queries.items())
    source = Source(url=url, timeout_ms=30_000)
    plan = Plan(primary='p/new "1"', steps=(Step(traffic=100),), bounds=Bounds(queries=asked), source=source)
    state: State = start(kept("p/old", 0), plan.primary, 0)
    return asyncio.run(measured(HttpPrometheus(), plan, "team/chat", state))


@pytest.mark.timeout(300)
def test_numbers_and_no_data(prometheus: Prometheus) -> None:
    found = ask(prometheus.url, **QUERIES)
    assert found == Measured(values={"up": 0.0, "scalar": 0.25, "nothing": None, "undefined": None})


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", BAD)
def test_what_is_no_number_is_a_problem_and_leaves_the_others(prometheus: Prometheus, name: str) -> None:
    query, message = BAD[name]
    found = ask(prometheus.url, good="vector(1)", **{name: query})
    assert found.values == {"good": 1.0}
    assert found.problem.startswith(f"`{name}`: {prometheus.url}: ")
    assert message in found.problem


def test_nobody_there() -> None:
    found = ask(f"http://{NOBODY}", good="vector(1)")
    assert found.values == {}
    assert found.problem.startswith(f"`good`: http://{NOBODY}: ")
