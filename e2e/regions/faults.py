"""What goes wrong at a region, how it ends, and what must hold of it."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from regions.network import EAST, WEST, Region
from regions.world import World

Act = Callable[[World, Region], None]
SLOW_MS = 1200
FLAP_S, FLAPPING_S = 3, 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row of the table."""

    name: str
    begin: Act
    end: Act
    region: Region = WEST
    interval_s: int = 1
    """Of probes."""
    before_s: float = 4
    lasts_s: float = 9
    during: Act | None = None
    """Takes the place of waiting for `lasts_s`."""
    elsewhere_s: float | None = None
    """Within what time its traffic must be elsewhere; None: nothing is promised."""
    lowest: int | None = None
    """The share that its own observer must come to, or to less, in percent; 100: it may move some, or nothing,
    since gateways ejected all before it had seen enough; None: it must move nothing."""
    retried_after: int = 0
    """How many requests may be tried again once all is well."""


def _kill(world: World, region: Region) -> None:
    world.providers[region].kill()


def _restart(world: World, region: Region) -> None:
    world.providers[region].start()


def _signal(number: int) -> Act:
    return lambda world, region: world.providers[region].signal(number)


def _set(**how: object) -> Act:
    return lambda world, region: world.providers[region].command(lambda control: control.fault(**how))


def _clear(world: World, region: Region) -> None:
    world.providers[region].command(lambda control: control.clear())


def _cut_off(world: World, region: Region) -> None:
    world.network.isolate(region)


def _mend(world: World, _: Region) -> None:
    world.network.cut(())


def _flap(world: World, region: Region) -> None:
    provider = world.providers[region]
    for _ in range(FLAPPING_S // (2 * FLAP_S)):
        provider.command(lambda control: control.die())
        time.sleep(FLAP_S)
        provider.command(lambda control: control.revive())
        time.sleep(FLAP_S)


def _nothing(_: World, __: Region) -> None:
    pass


def _kill_unobserved(world: World, region: Region) -> None:
    for observer in world.observers.values():
        observer.signal(signal.SIGSTOP)
    _kill(world, region)


def _restart_unobserved(world: World, region: Region) -> None:
    _restart(world, region)
    for observer in world.observers.values():
        observer.signal(signal.SIGCONT)


SILENT = "provider killed, nobody asks it: the last of three observers"
FAULTS = (
    Fault(name="provider killed, eu-west-1", begin=_kill, end=_restart, elsewhere_s=1, lowest=0),
    Fault(name="provider killed, us-east-1", begin=_kill, end=_restart, region=EAST, elsewhere_s=1, lowest=0),
    Fault(name="provider answers 503", begin=_set(status=503), end=_clear, elsewhere_s=1, lowest=0),
    Fault(name="provider hangs", begin=_signal(signal.SIGSTOP), end=_signal(signal.SIGCONT), elsewhere_s=3.5, lowest=0),
    Fault(name="provider answers 429", begin=_set(status=429, retry_after=1), end=_clear, elsewhere_s=1, lowest=100),
    Fault(
        name="brown-out: 33 % answer 503",
        begin=_set(status=503, probability=0.33),
        end=_clear,
        interval_s=2,
        lasts_s=14,
        lowest=10,
    ),
    Fault(
        name=f"slow: first byte after {SLOW_MS} ms instead of 60",
        begin=_set(slow_first_byte_ms=SLOW_MS - 60, path="/chat/completions"),
        end=_clear,
        interval_s=2,
        before_s=16,
        lasts_s=16,
        lowest=10,
    ),
    Fault(name="region cut off from the others", begin=_cut_off, end=_mend),
    Fault(
        name="probes unanswered, requests answered",
        begin=_set(hang=True, path="/models"),
        end=_clear,
        interval_s=4,
        lasts_s=14,
    ),
    Fault(
        name="provider killed while all observers are stopped",
        begin=_kill_unobserved,
        end=_restart_unobserved,
        elsewhere_s=1,
    ),
    Fault(
        name=f"provider flaps: {FLAP_S} s dead, {FLAP_S} s alive, for {FLAPPING_S} s",
        begin=_nothing,
        end=_nothing,
        during=_flap,
        lowest=0,
    ),
)
