"""How often rollouts are judged wrongly, and how soon rightly: simulated with the machine itself.

    python benchmarks/rollout_verdicts.py [--rollouts 1000] [--seed 1]

Prints what the arithmetic says of each rate, share and error (`--rollouts 0`: that alone), then the simulation. Each
row of it is that many rollouts of a candidate that fails with one rate, at one share of one request rate, watched every
30 s until the step's hold is over. Nothing is served: only the machine runs.
"""

import argparse
import random
from dataclasses import dataclass

from fairlead.rollout.machine import step
from fairlead.rollout.observation import Observation
from fairlead.rollout.plan import Bounds, Plan, Step
from fairlead.rollout.sequential import needed
from fairlead.rollout.state import Phase, State
from fairlead.rollout.tally import ArmCounts, Tally
from fairlead.rollout.verdict import ALPHA

INTERVAL_S = 30
HOLD_S = 4 * 3600
BOUND = 0.005
STEPS = 2
"""Of the plan, which share the error; its one bound has the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row."""

    error_rate: float
    per_second: float
    """Requests of the route."""
    share: float
    """Of them at the candidate."""


CASES = (
    *(Case(error_rate=rate, per_second=50, share=0.01) for rate in (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.25, 1.0)),
    *(Case(error_rate=0.05, per_second=per_second, share=0.1) for per_second in (1, 10, 50)),
)


def simulate(case: Case, chance: random.Random) -> float | None:
    """Run one rollout's step; return after how many seconds it was rolled back, None where it was not."""
    steps = (Step(traffic=round(case.share * 10_000), hold_ms=HOLD_S * 1000), Step(traffic=5_000, hold_ms=None))
    plan = Plan(primary="p/new", steps=steps, bounds=Bounds(error_rate=BOUND, interval_ms=INTERVAL_S * 1000))
    state: State = step(plan, step(Plan(primary="p/old"), None, Observation(), 0), Observation(), 0)
    mean = case.per_second * case.share * INTERVAL_S
    for look in range(1, HOLD_S // INTERVAL_S):
        attempts = _poisson(mean, chance)
        failed = sum(chance.random() < case.error_rate for _ in range(attempts))
        seen = Observation(counted=Tally(candidate=ArmCounts(attempts=attempts, failed=failed)))
        state = step(plan, state, seen, look * INTERVAL_S * 1000)
        if state.phase is Phase.ROLLED_BACK:
            return float(look * INTERVAL_S)
    return None


ERRORS = (0.01, 0.02, 0.05, 0.25, 1.0)
RATES = ((1, 0.01), (1, 0.1), (1, 0.5), (10, 0.01), (10, 0.1), (10, 0.5), (50, 0.01), (50, 0.1), (50, 0.5))


def minutes(per_second: float, share: float, error_rate: float) -> str:
    """Say how long half of all rollouts take at most to find a candidate that fails so often."""
    wanted = needed(error_rate, BOUND, ALPHA / STEPS)
    if wanted is None:
        return "-"
    seconds = wanted / (per_second * share)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(1, round(seconds))} s"


def arithmetic() -> list[str]:
    """Make the table of sample sizes."""
    rows = ["| requests/s | at the candidate |" + "".join(f" fails {rate:.0%} |" for rate in ERRORS), "|---" * 7 + "|"]
    for per_second, share in RATES:
        cells = "".join(f" {minutes(per_second, share, rate)} |" for rate in ERRORS)
        rows.append(f"| {per_second:g} | {share:.0%} |{cells}")
    return rows


def _poisson(mean: float, chance: random.Random) -> int:
    """Draw how many requests come in an interval, by the gaps between them."""
    count, left = 0, chance.expovariate(1)
    while left < mean:
        count += 1
        left += chance.expovariate(1)
    return count


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rollouts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(*arithmetic(), "", sep="\n")
    if not asked.rollouts:
        return
    chance = random.Random(asked.seed)
    print(f"{asked.rollouts} rollouts a row, bound {BOUND:.1%}, a look every {INTERVAL_S} s for {HOLD_S // 3600} h;")
    print(f"by design at most {ALPHA:.0%} of the candidates that keep the bound are rolled back\n")
    print("| candidate fails | requests/s | at the candidate | rolled back | median | 95 % | requests needed |")
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        ended = sorted(found for _ in range(asked.rollouts) if (found := simulate(case, chance)) is not None)
        when = [f"{_at(ended, share) / 60:.1f} min" if ended else "-" for share in (0.5, 0.95)]
        expected = needed(case.error_rate, BOUND, ALPHA / STEPS)
        print(
            f"| {case.error_rate:.1%} | {case.per_second:g} | {case.share:.0%} | {len(ended) / asked.rollouts:.1%}"
            f" | {when[0]} | {when[1]} | {'-' if expected is None else expected} |"
        )


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, round(share * len(ordered)))]


if __name__ == "__main__":
    main()
