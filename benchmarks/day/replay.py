"""A run of the replay: find what the machine carries, replay the day at that, lose a region in its spike."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.day import ledger, shape
from benchmarks.day.ledger import Balance, Books, Charge
from benchmarks.day.outcome import Answer
from benchmarks.day.shape import Request, Times
from benchmarks.day.watch import Sample, Watch
from benchmarks.day.world import LOST, REGIONS, World
from fairlead.demo.trace import Arrival

NAMES = tuple(one.name for one in REGIONS)
TRIED_S, FIRST_RATE = 8.0, 20.0
"""How long a rate is tried, and the first one."""
TRIES = 3
TRIED_FROM = 10_000_000
"""Numbers of requests that only tried a rate."""
SETTLED_S = 40
"""Reports that are missing are found within 20 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """When what is lost, as parts of the spike."""

    provider: float = 0.3
    gateway: float = 0.55
    back_after_s: float = 8.0
    """How long after the spike everything begins to come back."""
    silent: bool = False
    """Its providers answer no more, in place of being gone, until its gateway is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What was done and what came of it."""

    times: Times
    peak: float
    """Requests a second that were due in the busiest seconds."""
    losses: Losses
    plan: Sequence[Request]
    answers: Sequence[Answer]
    samples: Sequence[Sample]
    began_s: float
    """Monotonic."""
    charges: Sequence[Charge]
    balances: Sequence[Balance]
    unchecked: int
    """Requests that no budget server judged, since it did not answer in time."""
    real_time: bool
    cores: int
    load_average: float

    def second_of(self, sample: Sample) -> float:
        """Return when in the replay a sample was taken."""
        return sample.at_s - self.began_s

    @property
    def provider_lost_s(self) -> float:
        """Since the replay began."""
        return self.times.before + self.losses.provider * self.times.spike

    @property
    def gateway_lost_s(self) -> float:
        """Since the replay began."""
        return self.times.before + self.losses.gateway * self.times.spike

    @property
    def spike_over_s(self) -> float:
        """Since the replay began."""
        return self.times.before + self.times.spike


def carried(world: World, trace: Sequence[Arrival], wanted_cores: float) -> float:
    """Find the rate at which all that runs here uses so many cores, by trying some."""
    rate = FIRST_RATE
    for turn in range(TRIES):
        plan = shape.day(trace, Times(before=0, spike=TRIED_S, after=0), rate, NAMES, seed=100 + turn)
        numbered = [{**asdict(one), "number": TRIED_FROM * (turn + 1) + one.number} for one in plan]
        with Watch(world.processes, 0.5) as watch, world.load(numbered, world.folder / "tried"):
            pass
        samples = watch.samples[2:-1] or watch.samples
        used = sum(one.ours * one.took_s for one in samples) / sum(one.took_s for one in samples)
        idle = 0.15  # of observers and servers that nobody asks
        rate *= min(6.0, max(0.3, (wanted_cores - idle) / max(0.02, used - idle)))
    return rate


def run(
    world: World,
    trace: Sequence[Arrival],
    times: Times,
    peak: float,
    *,
    losses: Losses = Losses(),
    every_s: float = 1.0,
) -> Replay:
    """Replay the day once on regions that serve."""
    plan = shape.day(trace, times, peak, NAMES)
    results = world.folder / "results"
    site = world.sites[LOST.name]
    one = Replay(
        times=times,
        peak=peak,
        losses=losses,
        plan=plan,
        answers=(),
        samples=(),
        began_s=0,
        charges=(),
        balances=(),
        unchecked=0,
        real_time=world.real_time,
        cores=os.cpu_count() or 1,
        load_average=0,
    )
    with Watch(world.processes, every_s) as watch:
        with world.load([asdict(asked) for asked in plan], results):
            began = time.monotonic()
            _wait(began + one.provider_lost_s)
            if losses.silent:
                site.silence_provider()
            else:
                site.lose_provider()
            _wait(began + one.gateway_lost_s)
            unchecked = ledger.unchecked(site)
            site.lose_gateway()
            site.lose_provider()
            _wait(began + one.spike_over_s + losses.back_after_s)
            site.begin()
            site.serving()
        load_average = os.getloadavg()[0]
    settled = {name: _settled(world, name) for name in NAMES}
    charges = ledger.charges(site.journal for site in world.sites.values())
    return Replay(
        **{
            **{name: getattr(one, name) for name in one.__slots__},
            "answers": read(results),
            "samples": watch.samples,
            "began_s": began,
            "charges": charges,
            "balances": [ledger.balance(name, charges, found) for name, found in settled.items()],
            "unchecked": unchecked + sum(map(ledger.unchecked, world.sites.values())),
            "load_average": load_average,
        }
    )


def read(results: Path) -> list[Answer]:
    """Read what the load wrote down."""
    return [Answer(**json.loads(line)) for line in results.read_text().splitlines()]


def _wait(until_s: float) -> None:
    time.sleep(max(0.0, until_s - time.monotonic()))


def _settled(world: World, name: str) -> Books:
    """Wait until nothing is reserved; of the region that was lost what its gateway took along stays so."""
    deadline = time.monotonic() + SETTLED_S
    while True:
        found = ledger.books(world.sites[name])
        if not found.reserved or name == LOST.name or time.monotonic() > deadline:
            return found
        time.sleep(0.2)
