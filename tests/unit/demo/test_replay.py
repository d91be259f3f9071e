"""Requests of the trace's sizes, sent at its rhythm, against simulated providers directly."""

import asyncio
import json

import pytest

from fairlead.demo.provider import SimulatedProvider
from fairlead.demo.provider.reply import tokens_of
from fairlead.demo.replay import ROUTES, SHARES, calls, replay
from fairlead.demo.scene import Region
from fairlead.demo.trace import Arrival, Service, arrivals

REGIONS = tuple(Region(name=name, port=port) for name, port in (("a", 1), ("b", 2), ("c", 3)))


def test_calls_have_the_sizes_of_the_trace() -> None:
    trace = arrivals(seconds=20)
    for arrival, call in zip(trace, calls(trace, REGIONS), strict=True):
        body = json.loads(call.body)
        assert tokens_of(body["messages"][0]["content"]) == arrival.prompt_tokens
        assert body["metadata"] == {"completion_tokens": str(arrival.completion_tokens)}
        assert (body["model"], body["stream"]) == (ROUTES[arrival.service], arrival.service is Service.CONVERSATION)


def test_callers_are_spread_over_regions() -> None:
    urls = [call.url for call in calls(arrivals()[:100], REGIONS)]
    assert [urls.count(f"{region.base_url}/chat/completions") for region in REGIONS] == [10 * each for each in SHARES]


def test_calls_of_an_empty_trace() -> None:
    assert calls((), REGIONS) == ()


@pytest.mark.parametrize("fault", [None, {"status": 500, "count": 2}, {"reset": True, "count": 2}])
def test_replay(fault: dict[str, int] | None) -> None:
    trace = tuple(
        Arrival(at_s=index / 10, service=service, prompt_tokens=50, completion_tokens=7)
        for index, service in enumerate([Service.CONVERSATION, Service.CODE] * 5)
    )
    with SimulatedProvider(models=tuple(ROUTES.values()), keys=("k",)).start() as provider:
        if fault:
            provider.control.fault(**fault)
        regions = tuple(Region(name=name, port=provider.port) for name in "abc")
        outcome = asyncio.run(replay(trace, regions, key="k", speed=10))
        stats = provider.control.stats()
    failed = 2 if fault else 0
    assert (outcome.answered, len(outcome.failures)) == (10 - failed, failed)
    assert stats.completion_tokens == 7 * (10 - failed)
    assert outcome.seconds >= 0.09


def test_a_stream_that_breaks_is_a_failure() -> None:
    trace = (Arrival(at_s=0, service=Service.CONVERSATION, prompt_tokens=50, completion_tokens=7),)
    with SimulatedProvider(models=tuple(ROUTES.values()), keys=("k",)).start() as provider:
        provider.control.fault(break_after_chunks=3)
        regions = tuple(Region(name=name, port=provider.port) for name in "abc")
        outcome = asyncio.run(replay(trace, regions, key="k", speed=10))
    assert (outcome.answered, len(outcome.failures)) == (0, 1)
