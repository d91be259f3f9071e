"""A day of the size that Fairlead is made for, replayed faster and smaller: three regions, a spike, a region lost.

`make bench-day`. It uses what tests use: ports, and a real Redis.
"""

import sys
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[2] / "tests"
sys.path[:0] = [str(_TESTS), str(_TESTS / "standalone")]
