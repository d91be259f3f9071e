"""Three regions, a fault in one, 50 requests a second: what clients notice, and when traffic moves and returns."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from regions import page
from regions.faults import FAULTS, SILENT, Fault
from regions.load import Load
from regions.network import WEST, Network, Region
from regions.outcome import WINDOW_S, outcome
from regions.world import PATIENCE_S, Observer, Provider, World, until

ATTEMPT_S = 2.5
"""The time limit of an attempt, and a little: what began before a fault's end may still be tried again."""
RETURN_S = 180
CONCLUDED_S = 45
"""For how long a fault may go on beyond its time."""
SILENT_S = 2 * 1.1 + 0.5
"""Two probes, with the jitter and the timeout."""
BUSY_S = 1.5
"""What a busy machine takes."""
Found = dict[str, str]
"""Rows by their names."""


@pytest.fixture(scope="module")
def found() -> Iterator[Found]:
    """What the tests measured; written into the page."""
    measured: Found = {}
    yield measured
    page.write(measured, [*(fault.name for fault in FAULTS), SILENT])


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Fault | None:
    return getattr(request, "param", None)


@pytest.fixture
def world(
    network: Network, providers: Mapping[Region, Provider], fault: Fault | None, tmp_path: Path
) -> Iterator[World]:
    for provider in providers.values():
        provider.command(lambda control: control.reset())
    with World(network, providers, tmp_path, interval_s=1 if fault is None else fault.interval_s) as made:
        yield made


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS], indirect=True)
def test_no_client_notices_and_traffic_goes_and_returns(world: World, fault: Fault, found: Found) -> None:
    region, observer = fault.region, world.observers[fault.region]
    with Load(world.network, region) as load:
        time.sleep(fault.before_s)
        began_s = time.monotonic()
        fault.begin(world, region)
        if fault.during is None:
            time.sleep(fault.lasts_s)
            _wait_for_lowest(observer, fault, began_s)
        else:
            fault.during(world, region)
        fault.end(world, region)
        ended_s = time.monotonic()
        time.sleep(WINDOW_S)
        until(
            lambda: _at_rest(world, region, began_s),
            lambda: (
                f"it does not come back: {[one.shares(region, since_s=began_s) for one in world.observers.values()]}"
            ),
            RETURN_S,
        )
        time.sleep(WINDOW_S)
    one = outcome(
        load.answers,
        region=region.name,
        began_s=began_s,
        ended_s=ended_s,
        grace_s=ATTEMPT_S,
        shares=observer.shares(region, since_s=began_s),
        seen_outside=world.left_their_geo(),
    )
    found[fault.name] = page.row(fault.name, fault.interval_s, one)
    moved = [(round(at_s - began_s, 1), share) for at_s, share in observer.shares(region, since_s=began_s)]
    print(f"\n{found[fault.name]}\n{one}\n{moved}")
    assert one.errors == ()
    assert one.left_geo == 0
    if fault.elsewhere_s is not None:
        assert one.elsewhere_s is not None
        assert one.elsewhere_s <= fault.elsewhere_s
    lowest = 100 if one.lowest is None else one.lowest[1]
    assert lowest == 100 if fault.lowest is None else lowest <= fault.lowest
    assert one.home_s is not None
    assert one.retried_after <= fault.retried_after
    assert one.busiest <= 1.5, "nothing rushes back at once"


def _wait_for_lowest(observer: Observer, fault: Fault, began_s: float) -> None:
    """Let a fault go on until its region's observer has concluded what it must, for some time at most.

    When it does so is chance where some requests go well, and a matter of load: nothing is promised of it.
    """
    deadline = time.monotonic() + CONCLUDED_S
    wanted = 100 if fault.lowest is None else fault.lowest
    while wanted < 100 and time.monotonic() < deadline:
        shares = observer.shares(fault.region, since_s=began_s)
        if any(int(share.rstrip("%")) <= wanted for _, share in shares):
            return
        time.sleep(0.1)


def _at_rest(world: World, region: Region, began_s: float) -> bool:
    """Whether every observer that moved traffic has brought all of it back."""
    moved = [observer.shares(region, since_s=began_s) for observer in world.observers.values()]
    return all(shares[-1][1] == "100%" for shares in moved if shares)


def test_without_any_traffic_every_observer_moves_it_after_two_probes(world: World, found: Found) -> None:
    began_s = time.monotonic()
    world.providers[WEST].kill()
    until(
        lambda: all(one.shares(WEST, since_s=began_s) for one in world.observers.values()),
        lambda: "nobody noticed",
        PATIENCE_S,
    )
    world.providers[WEST].start()
    moves = [one.shares(WEST, since_s=began_s)[0] for one in world.observers.values()]
    assert {share for _, share in moves} == {"0%"}
    moved_s = max(at_s for at_s, _ in moves) - began_s
    found[SILENT] = page.silent_row(SILENT, moved_s)
    assert moved_s <= SILENT_S + BUSY_S
