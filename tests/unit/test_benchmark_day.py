"""The parts of the replayed day that need no process."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from benchmarks.day import autoscaler, belief, ledger, page, plan, shape
from benchmarks.day.alone import Alone
from benchmarks.day.autoscaler import Scaling
from benchmarks.day.ledger import Books
from benchmarks.day.outcome import Answer, part, quantile
from benchmarks.day.plan import Measured
from benchmarks.day.replay import Losses, Replay
from benchmarks.day.shape import SPIKE, Request, Times
from benchmarks.day.watch import Sample

from fairlead.demo import trace

NAMES = ("a", "b", "c")
TIMES = Times(before=20, spike=30, after=10)
GOOD = Answer(
    number=0,
    late_ms=0.1,
    first_ms=180,
    whole_ms=430,
    status=200,
    gateway="a",
    by="a",
    attempts="1",
    moved=0,
    cut=False,
    error="",
)


@pytest.fixture(scope="module")
def day() -> list[Request]:
    return shape.day(trace.hour(), TIMES, 80, NAMES)


def test_the_spike_is_forty_times_the_mean_in_its_busiest_seconds(day: list[Request]) -> None:
    at_s = [one.at_ms / 1000 for one in day]
    assert at_s == sorted(at_s)
    assert 0 <= at_s[0] <= at_s[-1] <= TIMES.whole
    spike = [at for at in at_s if 20 <= at < 50]
    assert shape.busiest(spike) == pytest.approx(80, rel=0.02)
    assert (len(at_s) - len(spike)) / 30 == pytest.approx(80 / SPIKE, rel=0.5)
    assert [one.number for one in day] == list(range(len(day)))
    assert shape.day(trace.hour(), TIMES, 80, NAMES) == day, "the same every time"


def test_requests_are_those_of_the_trace(day: list[Request]) -> None:
    hour = trace.hour()
    sizes = {(one.prompt_tokens, max(1, one.completion_tokens)) for one in hour}
    assert {(one.prompt, one.completion) for one in day} <= sizes
    assert 0.4 < sum(one.stream for one in day) / len(day) < 0.9
    assert {one.region for one in day} == set(NAMES)
    takes = [one.takes_ms for one in day]
    assert quantile(takes, 0.5) == pytest.approx(420, rel=0.05)
    assert quantile(takes, 0.99) < 640


def test_a_trace_that_is_too_short_begins_anew() -> None:
    hour = trace.hour()
    found = shape.day(hour, Times(before=1, spike=20, after=1), 2500, NAMES)
    assert len(found) > len(hour)


def test_an_autoscaler_that_has_enough_does_nothing() -> None:
    scaling = Scaling(requested=2, usable=2, least=2, most=10)
    assert {one.ready for one in autoscaler.pods([2.8] * 600, scaling)} == {2}


def test_an_autoscaler_adds_pods_by_steps_and_takes_them_after_five_minutes() -> None:
    scaling = Scaling(requested=2, usable=2, least=2, most=60)
    found = autoscaler.pods([1.0] * 30 + [40.0] * 120 + [1.0] * 600, scaling)
    asked = [one.asked for one in found]
    # Used is no more than the pods have, 1/0.7 of what is wanted: so each step is by that, and not at once to 29.
    assert asked[30] == 2
    assert asked[45] == 3
    assert [asked[at] for at in range(45, 150, 15)] == sorted(asked[at] for at in range(45, 150, 15))
    ready = [one.ready for one in found]
    assert ready[45 + scaling.ready_s - 1] == 2
    assert ready[45 + scaling.ready_s] == 3
    assert any(one.short(2) for one in found)
    top = max(asked)
    assert asked[150 + 280] == top
    assert asked[-1] == 2


def test_pods_that_request_less_than_they_can_use_are_added_as_fast_as_may_be() -> None:
    found = autoscaler.pods([1.0] * 30 + [40.0] * 120, Scaling(requested=1, usable=2, least=2, most=60))
    assert [found[second].asked for second in (30, 45, 60, 75)] == [2, 6, 12, 24]


def test_never_more_pods_than_allowed() -> None:
    scaling = Scaling(requested=1, usable=1, least=1, most=4)
    assert max(one.asked for one in autoscaler.pods([50.0] * 300, scaling)) == 4
    assert autoscaler.enough(4.1, scaling) == 6


def test_a_part_counts_what_was_due_in_it() -> None:
    plan = [
        Request(number=n, at_ms=1000 * n, region="a", model="m", stream=True, prompt=1, completion=1, takes_ms=420)
        for n in range(6)
    ]
    answers = [
        replace(GOOD, whole_ms=9000),
        GOOD,
        replace(GOOD, cut=True),
        replace(GOOD, status=0, error="refused"),
        replace(GOOD, whole_ms=700, attempts="2", moved=1),
        replace(GOOD, status=503),
    ]
    found = part("x", plan, answers, 1, 5)
    assert (found.requests, found.good, found.cut, len(found.errors)) == (4, 2, 1, 1)
    assert (found.p99, found.retried, found.moved) == (700, 1, 1)
    assert found.success == 0.5
    assert part("none", plan, answers, 50, 60).success == 1


def test_books_are_held_against_what_providers_charge(tmp_path: Path) -> None:
    line = {"number": "1", "caller": "a", "model": "open-chat", "prompt": 100, "completion": 10, "late_ms": 0.0}
    journal = tmp_path / "journal"
    told = [{**line, "whole": True}, {**line, "whole": False}, {**line, "caller": "b", "whole": True}]
    journal.write_text("".join(json.dumps(one) + "\n" for one in told))
    charged = ledger.charges([journal, tmp_path / "none"])
    consumers = [{"spent": 0.0000215, "estimated": 0.000001, "reserved": 0.0000001}]
    books = ledger.read({"policies": [{"consumers": consumers}]})
    assert books == Books(exact=20_500, estimated=1_000, reserved=100)
    exact = ledger.balance("a", charged, books)
    assert exact.charged == 100 * 180 + 10 * 250
    assert exact.holds(lost=False)
    short = ledger.balance("a", charged, replace(books, exact=20_450))
    assert short.holds(lost=True)
    assert not short.holds(lost=False)
    assert not ledger.balance("a", charged, replace(books, exact=20_399)).holds(lost=True)
    assert not ledger.balance("a", charged, replace(books, exact=20_501)).holds(lost=True)


@cache
def plan_of_a_replay() -> list[Request]:
    return shape.day(trace.hour(), TIMES, 40, NAMES)


def replay(**changed: object) -> Replay:
    plan = plan_of_a_replay()
    cores = {("gateway", one): 0.2 for one in page.NAMES} | {("load", ""): 0.3}
    samples = [Sample(at_s=100.0 + second, took_s=1, cores=cores, others=0.1, stolen=0.0) for second in range(1, 60)]
    one = Replay(
        times=TIMES,
        peak=40,
        losses=Losses(),
        plan=plan,
        answers=[replace(GOOD, number=asked.number, whole_ms=asked.takes_ms) for asked in plan],
        samples=samples,
        began_s=100.0,
        charges=(),
        balances=[ledger.balance(name, (), Books(exact=0, estimated=0, reserved=0)) for name in page.NAMES],
        unchecked=0,
        real_time=True,
        cores=2,
        load_average=1.0,
    )
    return replace(one, **changed)  # type: ignore[arg-type]


def test_a_page_says_what_was_met() -> None:
    text = page.render(replay())
    assert "Nothing speaks against the figures." in text
    assert "720 wanted" in text
    assert "missed" not in text
    assert page.failures(replay()) == []


def test_seconds_that_were_sampled_late_are_not_empty() -> None:
    long = Sample(at_s=104.5, took_s=4, cores={("gateway", page.NAMES[0]): 0.5}, others=0, stolen=0)
    wanted = page.wanted(replay(samples=[long]), page.NAMES[0], 10)
    assert wanted[:6] == pytest.approx([2.5, 5, 5, 5, 2.5, 0])


def test_a_page_says_what_is_not_to_be_believed_and_what_failed() -> None:
    good = replay()
    busy = [replace(one, others=1.2, stolen=0.3) for one in good.samples]
    late = [replace(one, late_ms=40.0, status=0, error="refused") for one in good.answers]
    bad = replace(good, samples=busy, answers=late, real_time=False)
    assert len(belief.doubts(bad)) == 5
    assert "**Not to be believed**: the machine was" in page.render(bad)
    assert "**missed**" in page.render(bad)
    wrong = ledger.balance(page.NAMES[0], (), Books(exact=1, estimated=0, reserved=0))
    assert len(page.failures(replace(bad, balances=[wrong]))) == 6


def test_a_plan_multiplies_what_was_measured() -> None:
    costs = {"json": {1: [400.0, 500.0], 2: [400.0, 500.0]}, "events": {1: [2000.0], 2: [2500.0]}}
    alone = Alone(gateways=costs, budget_server=600.0, redis=200.0)
    assert (alone.factor("json"), alone.factor("events")) == (2, 1.6)
    text = plan.render(Measured(gateway_ms=4.0, alone=alone))
    assert "| a stream of 100 events, one write each, 60/s for each worker | 2,000 | 2,500 | 1.60 |" in text
    assert "| 5,556/s x 200 us | 1.1 | 2 stores of at most 3,500 requests/s |" in text
    assert "| 370,370/s x 4.0 ms | 1,481.5 | 1,059 pods, in 5 clusters |" in text
    benchmarks = page.PAGE.with_name("benchmarks.md").read_text()
    rows = plan.render(Measured(gateway_ms=4.0, alone=alone, benchmarks=benchmarks)).split("by rows of benchmarks")[1]
    assert rows.count(" us |") == 3, "rows of docs/benchmarks.md that are called otherwise now: see `plan._rows`"
    assert text.count("| see there |") == 3
    assert "Redis" not in plan.render(Measured(gateway_ms=4.0, alone=replace(alone, redis=None)))
