"""Given edits all the while, the operator takes no more memory, and no more files, after hours than after minutes."""

import os
import statistics
import time
from collections.abc import Sequence

import pytest
from harness import operator
from harness.install import operator_pods
from harness.load import Load
from harness.provider import Provider
from harness.team import Team

SOAK_S = float(os.environ.get("FAIRLEAD_SOAK_S", "6"))
"""`make soak` has 20 minutes."""
JUDGED_S = 120
"""A shorter one only shows that this test still works: everything still fills then."""
SAMPLES = 60 if SOAK_S >= JUDGED_S else 6
GROWN, GROWN_BYTES, GROWN_FILES = 1.05, 4_000_000, 8
"""What the last third may take more than the second: a share, and what garbage not collected yet makes of it."""
MEMORY, FILES = "process_resident_memory_bytes", "process_open_fds"


@pytest.mark.timeout(SOAK_S + 900)
def test_the_operator_s_memory_and_files_are_flat(provider: Provider, team: Team, url: str) -> None:
    key = f"{team.namespace}-key"
    team.kubectl.apply(team.key("alice", key), team.consumer("alice"), team.route("chat", provider.name, "model-a"))
    team.is_ready("modelroute", "chat")
    team.is_let_in(url, key)
    (pod,) = (one["metadata"]["name"] for one in operator_pods(team.cluster))
    seen: list[tuple[float, float]] = []
    with Load(url=url, key=key, model="chat", rate=10) as load:
        began = time.monotonic()
        for sample in range(1, SAMPLES + 1):
            _edit(team, provider, sample)
            time.sleep(max(0.0, began + sample * SOAK_S / SAMPLES - time.monotonic()))  # the soak, no synchronisation
            told = operator.metrics(team.cluster, pod)
            seen.append((told[MEMORY], told[FILES]))
    assert load.failed == []
    (memory, files), (memory_after, files_after) = _thirds(seen)
    print(
        f"{len(load.answers)} requests and {SAMPLES} edits in {SOAK_S:.0f} s: operator {memory / 1e6:.1f} MB and"
        f" {files:.0f} files in the second third, {memory_after / 1e6:.1f} MB and {files_after:.0f} files in the last"
    )
    if SOAK_S >= JUDGED_S:
        assert memory_after <= memory * GROWN + GROWN_BYTES
        assert files_after <= files + GROWN_FILES


def _edit(team: Team, provider: Provider, turn: int) -> None:
    """Swap a model, and let another route and a budget come and go."""
    team.kubectl.apply(team.route("chat", provider.name, ("model-a", "model-b")[turn % 2]))
    guests = (team.route("guest", provider.name, "model-a"), team.policy("guests", "5.00"))
    (team.kubectl.apply if turn % 2 else team.kubectl.delete)(*guests)


def _thirds(samples: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the medians of the second third and of the last: the first is how everything fills."""
    third = len(samples) // 3
    return _median(samples[third : 2 * third]), _median(samples[2 * third :])


def _median(samples: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(one for one, _ in samples), statistics.median(one for _, one in samples)
