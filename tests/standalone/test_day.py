"""The replayed day, in seconds: three regions, a spike, one of them lost in it, and not a dollar with it."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import preloaded
import pytest
from benchmarks.day import page, replay
from benchmarks.day.__main__ import build
from benchmarks.day.replay import Losses
from benchmarks.day.shape import Times
from benchmarks.day.world import LOST, Process, World

from fairlead.demo import trace

TIMES = Times(before=0.3, spike=3.5, after=0.2)
LOSSES = Losses(provider=0.25, gateway=0.6, back_after_s=0)
PEAK = 25


def forked(words: Sequence[str], log: Path) -> Process:
    with log.open("ab") as file:
        return preloaded.parent().start_with_log(words, file, environment=os.environ)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, build(tmp_path), forked)
    try:
        made.begin()
        yield made
    finally:
        made.end()


@pytest.mark.envoy
@pytest.mark.skipif(shutil.which("go") is None, reason="no Go: the day's clients and providers cannot be built")
def test_a_region_is_lost_in_a_spike(world: World) -> None:
    found = replay.run(world, trace.hour(), TIMES, PEAK, losses=LOSSES, every_s=0.25)
    before, spike, without_providers, without_region, _, everything = page.parts(found)
    assert page.failures(found) == []
    assert (before.cut, spike.errors) == (0, ())
    assert everything.requests == len(found.plan)
    assert everything.good + everything.cut == everything.requests
    assert without_providers.retried
    assert without_region.moved
    elsewhere = [
        one.by
        for one, asked in zip(found.answers, found.plan, strict=True)
        if asked.region == LOST.name and found.provider_lost_s + 1 < asked.at_ms / 1000 < found.spike_over_s
    ]
    assert elsewhere
    assert LOST.name not in elsewhere
    text = page.render(found)
    assert text.count("| none |") >= 2, "books are right to the nano-dollar"
