"""The operator's process gives back what a compilation has made."""

import subprocess
import sys

MEASURED = """
import resource
from pathlib import Path
from fairlead.adapters import heap

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

bytearray(8 << 20)  # from now on glibc would keep blocks of this size
said = heap.keep_small()
before = held()
kept = []
for _ in range(20):
    large = bytearray(2 << 20)
    kept.append(bytearray(2000))
    del large
print(said, held() - before < 1 << 20)
"""


def test_large_blocks_go_back_as_soon_as_they_are_free() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


SCATTERED = """
import resource
from pathlib import Path
from fairlead.adapters import heap

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

heap.keep_small()
kept = [[bytearray(100_000), bytearray(2000)] for _ in range(300)]
before = held()
for pair in kept:
    pair.pop(0)
held_on = before - held() < 4 << 20
print(held_on, heap.give_back(), before - held() > 20 << 20)
"""


def test_what_is_free_between_things_that_are_kept_is_given_back_when_that_is_asked() -> None:
    done = subprocess.run([sys.executable, "-c", SCATTERED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "True"]
