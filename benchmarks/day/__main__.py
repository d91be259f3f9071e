"""Replay a day of twelve million requests as this machine carries it: `python -m benchmarks.day [--write]`.

Then what the plan multiplies is measured, each part by itself. Prints tables in markdown; `--write` puts them into
docs/scale.md. Exit code 1 where a request got no answer, or a dollar is missing.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.day import alone, page, plan, replay
from benchmarks.day.plan import Measured
from benchmarks.day.replay import Replay
from benchmarks.day.shape import PEAK, Times
from benchmarks.day.world import World, prefer
from fairlead.demo import trace

SHARE = 0.65
"""Of the machine, in the busiest seconds of the spike."""
ALONE_PRIORITY = 1


def build(folder: Path) -> Path:
    """Build what sends and what answers."""
    path = folder / "wire"
    subprocess.run(["go", "build", "-o", str(path), "."], cwd=Path(__file__).with_name("wire"), check=True)
    return path


def _plan(found: Replay, folder: Path) -> str:
    prefer(os.getpid(), ALONE_PRIORITY)  # and so all that it starts from here on
    apart = alone.measure(alone.build(folder))
    benchmarks = page.PAGE.with_name("benchmarks.md").read_text()
    return plan.render(Measured(gateway_ms=page.gateway_ms(found), alone=apart, benchmarks=benchmarks))


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=float, default=30, help="seconds before the spike")
    parser.add_argument("--spike", type=float, default=100, help="seconds of the spike")
    parser.add_argument("--after", type=float, default=45, help="seconds after it")
    parser.add_argument("--peak", type=float, help="requests/s in its busiest seconds; default: what is carried")
    parser.add_argument("--write", action="store_true", help="rewrite the measured part of docs/scale.md")
    parser.add_argument("--silent", action="store_true", help="providers of the lost region hang at first; no plan")
    options = parser.parse_args()
    times = Times(before=options.before, spike=options.spike, after=options.after)
    if not 5 <= times.whole <= 900:
        raise SystemExit(f"got {times.whole:.0f} s, want 5 to 900")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))  # all that runs here ends, too
    hour = trace.hour()
    with tempfile.TemporaryDirectory(prefix="fl-day-") as place:
        folder = Path(place)
        world = World(folder, build(folder))
        try:
            world.begin()
            peak = options.peak or replay.carried(world, hour, SHARE * (os.cpu_count() or 1))
            print(f"replaying with {peak:.0f} requests/s at most, for {PEAK:,.0f}", file=sys.stderr)
            found = replay.run(world, hour, times, peak, losses=replay.Losses(silent=options.silent))
        finally:
            world.end()
        print(text := page.render(found))
        if not options.silent:
            planned = _plan(found, folder)
            print("", planned, sep="\n")
            if options.write:
                page.write(text, planned)
    if failed := page.failures(found):
        raise SystemExit("\n".join(failed))


if __name__ == "__main__":
    main()
