"""What a HorizontalPodAutoscaler would have done with the CPU that was measured, by its own formula. Pure.

https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/: every 15 s, pods = ceil(pods now x CPU of
a pod / wanted CPU of a pod), unless that ratio is within a tenth of 1; up by as many pods as there are, or by four, in
15 s; down to the most that was wanted within the stabilization window, five minutes of Fairlead's autoscaler.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

SYNC_S = 15
TOLERANCE = 0.1
MOST_UP, MOST_MORE = 2, 4
STABLE_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """What `gateway.autoscaling` and `gateway.resources` say."""

    requested: float
    """Cores that a pod requests: what the wanted use is a share of."""
    usable: float
    """Cores that it can use: as many as it has workers, or its limit."""
    least: int
    most: int
    target: float = 0.7
    """Of what a pod requests."""
    ready_s: int = 10
    """From the decision until a pod serves: to be scheduled, to start, to become ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """What there was in one second."""

    wanted_cores: float
    ready: int
    """Pods that serve."""
    asked: int
    """Pods that the autoscaler asked for by then."""

    def short(self, usable: float) -> bool:
        """Whether the pods could not use all the CPU that was wanted, with so many cores for each."""
        return self.wanted_cores > self.ready * usable


def pods(wanted_cores: Sequence[float], scaling: Scaling) -> list[Second]:
    """Return the pods of a region over time, by the cores that its gateways wanted in each second."""
    asked = ready = scaling.least
    coming: list[tuple[int, int]] = []
    advised: list[tuple[int, int]] = []
    found: list[Second] = []
    used: list[float] = []
    for second, wanted in enumerate(wanted_cores):
        ready = max([ready, *(count for at, count in coming if at <= second)])
        coming = [(at, count) for at, count in coming if at > second]
        if second and second % SYNC_S == 0:
            share = sum(used[-SYNC_S:]) / len(used[-SYNC_S:]) / scaling.requested / scaling.target
            advice = asked if abs(share - 1) <= TOLERANCE else math.ceil(ready * share)
            advice = min(scaling.most, max(scaling.least, advice))
            advised = [(at, count) for at, count in advised if at > second - STABLE_S] + [(second, advice)]
            if advice > asked:
                asked = min(advice, max(MOST_UP * asked, asked + MOST_MORE))
                coming.append((second + scaling.ready_s, asked))
            else:
                asked = min(asked, max(count for _, count in advised))
                ready = min(ready, asked)
                coming = [(at, min(count, asked)) for at, count in coming]
        used.append(min(wanted / ready, scaling.usable))
        found.append(Second(wanted_cores=wanted, ready=ready, asked=asked))
    return found


def enough(cores: float, scaling: Scaling) -> int:
    """Return how many pods carry so many cores when each uses the wanted share of what it can."""
    return max(scaling.least, math.ceil(cores / scaling.usable / scaling.target))
