"""What budgets cost: `make bench-budgets`. It drives the server with what its tests drive it with."""

import sys
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[2] / "tests"
sys.path[:0] = [str(_TESTS), str(_TESTS / "standalone")]
