"""Series of health say what is so now, and nothing of what is gone."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry

from fairlead.controller.health_metrics import HealthMetrics
from fairlead.health.endpoint import Cause, Endpoint, EndpointHealth, State
from fairlead.health.fleet import Fleet, Transition
from fairlead.health.region import DrainKind, DrainOrder, RegionHealth
from fairlead.statuses import Failure

DOWN = EndpointHealth(state=State.DOWN, share=0, reason=Failure.TIMED_OUT)
DRAIN = DrainOrder(kind=DrainKind.REGION, name="us", began_ms=10, until_ms=20)


def endpoint(name: str, region: str = "us") -> Endpoint:
    return Endpoint(
        name=name,
        provider="p",
        region=region,
        interval_ms=1000,
        timeout_ms=1000,
        unhealthy_threshold=2,
        healthy_threshold=2,
    )


def series(registry: CollectorRegistry) -> Mapping[tuple[str, ...], float]:
    """All series but counters that stand at 0."""
    return {
        (sample.name.removeprefix("fairlead_"), *sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created") and (sample.value or not sample.name.endswith("_total"))
    }


def test_what_is_gone_has_no_series_any_more() -> None:
    registry = CollectorRegistry()
    metrics = HealthMetrics(registry)
    fleet = Fleet(
        endpoints={"p/a": DOWN, "p/b": EndpointHealth(state=State.HEALTHY, reason=Cause.HEALTHY)},
        regions={"us": RegionHealth(down=True)},
        probes_unreliable_since_ms=5,
    )
    metrics.show(fleet, [endpoint("p/a"), endpoint("p/b", "")], [DRAIN], now_ms=15)
    shown = series(registry)
    assert (shown["endpoint_share_ratio", "p/a", "us"], shown["endpoint_share_ratio", "p/b", "-"]) == (0.0, 1.0)
    assert {key[3]: value for key, value in shown.items() if key[:2] == ("endpoint_state", "p/a")} == {
        state.value: float(state is State.DOWN) for state in State
    }
    assert (shown["region_down", "us"], shown["drained", "Region", "us"], shown["probes_unreliable",]) == (1, 1, 1)
    metrics.show(Fleet(endpoints={"p/b": fleet.endpoints["p/b"]}), [endpoint("p/b", "")], [DRAIN], now_ms=20)
    assert {key[:2] for key in series(registry)} == {
        ("endpoint_share_ratio", "p/b"),
        ("endpoint_state", "p/b"),
        ("probes_unreliable",),
    }
    assert series(registry)["probes_unreliable",] == 0
    metrics.fall_silent()
    assert set(series(registry)) == {("probes_unreliable",)}


def test_a_state_is_counted_when_it_is_entered_and_a_probe_when_it_ends() -> None:
    registry = CollectorRegistry()
    metrics = HealthMetrics(registry)

    def transition(before: State, after: State, *, is_region: bool = False) -> Transition:
        return Transition(
            subject="p/a",
            is_region=is_region,
            before=before,
            after=after,
            share_before=100,
            share_after=0,
            reason=Failure.TIMED_OUT,
            message="",
        )

    metrics.count(
        [
            transition(State.HEALTHY, State.DOWN),
            transition(State.DOWN, State.DOWN),
            transition(State.HEALTHY, State.DOWN, is_region=True),
        ]
    )
    metrics.probed("p/a", None)
    metrics.probed("p/a", Failure.TIMED_OUT)
    assert {key: value for key, value in series(registry).items() if key[0].endswith("_total")} == {
        ("endpoint_transitions_total", "p/a", "Down"): 1,
        ("probes_total", "p/a", "Alive"): 1,
        ("probes_total", "p/a", "TimedOut"): 1,
    }


def test_transitions_begin_at_zero() -> None:
    # Prometheus sees an increase only of a series that was there before: the first fall of an endpoint would be none
    registry = CollectorRegistry()
    HealthMetrics(registry).show(Fleet(endpoints={"p/a": DOWN}), [endpoint("p/a")], [], now_ms=15)
    for state in State:
        labels = {"provider_endpoint": "p/a", "state": state.value}
        assert registry.get_sample_value("fairlead_endpoint_transitions_total", labels) == 0
