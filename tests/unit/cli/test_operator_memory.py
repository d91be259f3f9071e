"""The operator's process gives back what a compilation has made."""

import subprocess
import sys

MEASURED = """
import resource
from pathlib import Path
from fairlead.cli.operator import give_back_large_blocks

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

bytearray(8 << 20)  # from now on glibc would keep blocks of this size
said = give_back_large_blocks()
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
