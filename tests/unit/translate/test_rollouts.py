"""What a route writes of its rollout becomes the machine's plan."""

import builders
from fairlead.rollout.plan import Bounds, Query, Source, Step

ANALYSIS = {
    "interval": "10s",
    "minRequests": 50,
    "failureLimit": 2,
    "maxErrorRate": "0.5%",
    "maxFirstByteP95Increase": "25%",
    "maxCostIncrease": "150%",
    "maxTokensIncrease": "20%",
    "maxWorseRate": "2%",
    "maxFinishReasonShift": "10%",
    "prometheus": [
        {"name": "thumbs", "query": "avg(thumbs)", "atLeast": "0.9"},
        {"name": "debts", "query": "sum(debts)", "atMost": "-1"},
    ],
}


def test_every_bound_reaches_the_plan() -> None:
    steps = [{"shadow": "5%", "hold": "1h"}, {"traffic": "50%"}]
    written = builders.route("chat", rollout={"steps": steps, "analysis": ANALYSIS})
    (plan,) = builders.compiled(builders.provider("p"), written).rollouts.values()
    assert plan.steps == (Step(shadow=500, hold_ms=3_600_000), Step(traffic=5_000))
    assert plan.bounds == Bounds(
        error_rate=0.005,
        first_byte_p95_increase=0.25,
        cost_increase=1.5,
        tokens_increase=0.2,
        worse_rate=0.02,
        finish_reason_shift=0.1,
        queries=(
            Query(name="thumbs", expression="avg(thumbs)", at_least=0.9),
            Query(name="debts", expression="sum(debts)", at_most=-1.0),
        ),
        interval_ms=10_000,
        min_requests=50,
        failure_limit=2,
    )
    assert plan.source is None


def test_failures_are_judged_also_where_no_bound_is_written() -> None:
    def worse_rate(**analysis: str) -> float | None:
        written = builders.route("chat", rollout={"steps": [{"traffic": "50%"}], "analysis": analysis})
        (plan,) = builders.compiled(builders.provider("p"), written).rollouts.values()
        return plan.bounds.worse_rate

    assert worse_rate() == worse_rate(maxCostIncrease="10%") == 0.01
    assert worse_rate(maxErrorRate="5%") is None
    assert worse_rate(maxWorseRate="100%") == 1.0


def test_queries_go_to_whom_the_installation_names_and_it_is_said_where_it_names_nobody() -> None:
    written = builders.route("chat", rollout={"steps": [{"traffic": "50%"}], "analysis": ANALYSIS})
    parts = builders.provider("p"), written
    named = builders.compiled(*parts, installed=builders.installation(prometheus={"url": "http://prometheus:9090"}))
    (plan,) = named.rollouts.values()
    assert plan.source == Source(url="http://prometheus:9090", timeout_ms=5_000)
    for found, count in ((named, 0), (builders.compiled(*parts), 1)):
        (report,) = (one for one in found.reports if one.key.kind == "ModelRoute")
        said = [one for one in report.warnings if "analysis.prometheus: got queries, want an installation" in str(one)]
        assert len(said) == count
