"""Hours of load and edits take no more memory, and no more files, than minutes of them."""

import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from running_up import SECRET_KEY, Load, RunningUp, Site, budget, consumer, route, secret

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]

SOAK_S = float(os.environ.get("FAIRLEAD_SOAK_S", "6"))
"""`make soak` has 20 minutes."""
JUDGED_S = 120
"""A shorter one only shows that this test still works: everything still fills then."""
SAMPLES = 60
EDIT_EVERY = 2
"""Samples between two edits: of a route, a consumer, a budget."""
GROWN, GROWN_BYTES, GROWN_FILES = 1.05, 4_000_000, 8
"""What the last third may take more than the second: a share, and what garbage not collected yet makes of it."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Taken:
    """What a process holds in a moment."""

    resident_bytes: int
    files: int


def taken(pid: int) -> Taken:
    statm = Path(f"/proc/{pid}/statm").read_text().split()
    return Taken(resident_bytes=int(statm[1]) * _PAGE, files=len([*Path(f"/proc/{pid}/fd").iterdir()]))


def edit(site: Site, turn: int) -> None:
    """Swap a model, and let a consumer and its budget come and go."""
    site.write("route.yaml", route("chat", ("heron", "sparrow")[turn % 2]))
    if turn % 2:
        site.write(
            "guest.yaml", consumer("guest", "key"), secret("guest", key=f"sk-guest-{turn}"), budget("5", "guests")
        )
    else:
        site.write("guest.yaml")


@pytest.mark.slow
@pytest.mark.timeout(SOAK_S + 180)
def test_memory_and_files_are_flat(two_regions: Site, start: Start) -> None:
    site = two_regions
    site.write_config(budgets={"timeout": "5s"})  # whoever else is on this machine is not what is measured
    site.write("agent.yaml", consumer("agent", "key"), secret("agent", key=SECRET_KEY), budget("1000000", "agents"))
    site.write("kept.yaml", route("kept", "sparrow", cache={"ttl": "10s", "scope": "Consumer"}))
    up = start(site).serving()
    processes = up.family()
    seen: dict[int, list[Taken]] = defaultdict(list)
    with (
        Load(site.ports, per_second=60, key=SECRET_KEY) as load,
        Load(site.ports, per_second=20, key=SECRET_KEY, model="kept") as kept,
    ):
        began = time.monotonic()
        for sample in range(1, SAMPLES + 1):
            if sample % EDIT_EVERY == 0:
                edit(site, sample // EDIT_EVERY)
            time.sleep(max(0.0, began + sample * SOAK_S / SAMPLES - time.monotonic()))
            for pid in processes:
                seen[pid].append(taken(pid))
    assert (load.failed, kept.failed) == ({}, {})
    assert up.family() == processes, "nobody died and was replaced"
    print(f"{load.sent + kept.sent} requests and {SAMPLES // EDIT_EVERY} edits in {SOAK_S:.0f} s")
    told = {f"{name} {pid}": _thirds(seen[pid]) for pid, name in processes.items()}
    for name, (second, third) in told.items():
        print(f"{name}: {second} in the second third, {third} in the last")
    if SOAK_S >= JUDGED_S:
        assert {name: thirds for name, thirds in told.items() if not _is_flat(*thirds)} == {}


def _thirds(samples: Sequence[Taken]) -> tuple[Taken, Taken]:
    """Return the medians of the second third and of the last: the first is how everything fills."""
    third = len(samples) // 3
    return _median(samples[third : 2 * third]), _median(samples[2 * third :])


def _median(samples: Sequence[Taken]) -> Taken:
    return Taken(
        resident_bytes=round(statistics.median(one.resident_bytes for one in samples)),
        files=round(statistics.median(one.files for one in samples)),
    )


def _is_flat(before: Taken, after: Taken) -> bool:
    most = before.resident_bytes * GROWN + GROWN_BYTES
    return after.resident_bytes <= most and after.files <= before.files + GROWN_FILES


def test_what_grows_is_no_flat_line() -> None:
    held = Taken(resident_bytes=100_000_000, files=50)
    assert _is_flat(held, held)
    assert not _is_flat(held, Taken(resident_bytes=110_000_000, files=50))
    assert not _is_flat(held, Taken(resident_bytes=100_000_000, files=60))
