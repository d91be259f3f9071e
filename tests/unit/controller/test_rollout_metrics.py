"""What the operator shows Prometheus of a rollout's two sides: what its verdicts compare."""

from prometheus_client import CollectorRegistry

from fairlead.controller.rollout_metrics import RolloutMetrics
from fairlead.rollout import machine
from fairlead.rollout.observation import Observation
from fairlead.rollout.plan import Plan, Step
from fairlead.rollout.tally import ArmCounts, Tally

PLAN = Plan(primary="p/new", steps=(Step(traffic=1_000, hold_ms=3_600_000),))
ROUTE = "team/chat"


def test_both_sides_stand_side_by_side_and_go_with_the_rollout() -> None:
    registry = CollectorRegistry()
    metrics = RolloutMetrics(registry)
    state = machine.ask(PLAN, machine.ask(Plan(primary="p/old"), None, 0), 0)
    counted = Tally(
        stable=ArmCounts(attempts=10, failed=2, first_bytes={250.0: 8}, nano_usd=8_000_000),
        candidate=ArmCounts(attempts=1),
    )
    metrics.show({ROUTE: PLAN}, {ROUTE: machine.step(PLAN, state, Observation(counted=counted), 1_000)})

    def shown(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"fairlead_rollout_step{name}", {"route": ROUTE, **labels})

    assert shown("") == 1
    assert shown("_requests", side="stable", result="failed") == 2
    assert shown("_first_byte_seconds", side="stable") == 0.25
    assert shown("_usd_per_request", side="stable") == 0.001
    assert shown("_first_byte_seconds", side="candidate") is None, "nothing was timed, which is not zero"
    metrics.fall_silent()
    assert shown("_usd_per_request", side="stable") is None
