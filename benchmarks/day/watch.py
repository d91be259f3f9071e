"""What everything costs while a day is replayed: CPU by part, second by second, and who else used the machine."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.cpu import cpu_seconds

Part = tuple[str, str]
"""What it is, and its region."""
PRIORITY = 3
"""Real-time, as of the load."""
_BUSY = (0, 1, 2, 5, 6)
"""Columns of /proc/stat: user, nice, system, irq, softirq. Steal is the eighth."""
_STEAL = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One second, or nearly."""

    at_s: float
    """Its end; monotonic."""
    took_s: float
    cores: Mapping[Part, float]
    """What each part used."""
    others: float
    """Cores that whoever else is on the machine used."""
    stolen: float
    """Cores that the machine did not get from its host."""

    @property
    def ours(self) -> float:
        """Cores that all parts used."""
        return sum(self.cores.values())

    def of(self, part: str, region: str | None = None) -> float:
        """Return the cores of a part, in one region or in all."""
        return sum(used for (what, where), used in self.cores.items() if what == part and region in (None, where))


class Watch:
    """Samples, from `with` to its end."""

    def __init__(self, processes: Callable[[], Mapping[Part, int]], every_s: float = 1.0) -> None:
        self._processes, self._every_s = processes, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.samples: list[Sample] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with suppress(PermissionError):  # else seconds are longer on a busy machine; for this thread alone
            os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))
        before, spent, machine = time.monotonic(), self._spent(), _machine()
        while not self._stop.wait(self._every_s):
            now, found, then = time.monotonic(), self._spent(), _machine()
            took = now - before
            cores: dict[Part, float] = {}
            for (part, pid), seconds in found.items():
                # What started meanwhile counts from its start; what ended takes its last second with it.
                cores[part] = cores.get(part, 0.0) + (seconds - spent.get((part, pid), 0.0)) / took
            busy, stolen = ((after - was) / took for after, was in zip(then, machine, strict=True))
            others = max(0.0, busy - sum(cores.values()))
            self.samples.append(Sample(at_s=now, took_s=took, cores=cores, others=others, stolen=stolen))
            before, spent, machine = now, found, then

    def _spent(self) -> dict[tuple[Part, int], float]:
        found = {}
        for part, pid in self._processes().items():
            with suppress(OSError):
                found[part, pid] = cpu_seconds(pid)
        return found


def _machine() -> tuple[float, float]:
    """Return the seconds of CPU that were used so far, and those that were stolen."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    tick = os.sysconf("SC_CLK_TCK")
    return sum(fields[column] for column in _BUSY) / tick, fields[_STEAL] / tick
