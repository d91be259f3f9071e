"""The operator's metrics of health. Labels hold names of endpoints and regions, and words of ours."""

from collections.abc import Collection, Iterable, Mapping
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge

from fairlead.health.endpoint import Endpoint, EndpointHealth, State
from fairlead.health.fleet import Fleet, Transition
from fairlead.health.record import WHOLE
from fairlead.health.region import DrainOrder
from fairlead.statuses import Failure

Labels = tuple[str, ...]


class HealthMetrics:
    """Instruments that say what is so now: of what is gone they say nothing any more."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # `endpoint` alone is a label of the Prometheus operator's own.
        whose = ["provider_endpoint", "region"]
        self._share = Gauge(
            "fairlead_endpoint_share_ratio",
            "The part of the traffic that it is declared for which an endpoint may have now, 0 to 1.",
            whose,
            registry=registry,
        )
        self._state = Gauge(
            "fairlead_endpoint_state", "1 for the state in which an endpoint is.", [*whose, "state"], registry=registry
        )
        self._region_down = Gauge(
            "fairlead_region_down", "1 while a region counts as down as a whole.", ["region"], registry=registry
        )
        self._drained = Gauge(
            "fairlead_drained", "1 while somebody has sent its traffic away.", ["kind", "name"], registry=registry
        )
        self._unreliable = Gauge(
            "fairlead_probes_unreliable",
            "1 while probes decide nothing, because the observer seems to be cut off.",
            registry=registry,
        )
        self._overloaded = Gauge(
            "fairlead_gateway_overloaded",
            "1 while gateways of a region refuse requests or connections for lack of room.",
            ["region"],
            registry=registry,
        )
        self._full = Gauge(
            "fairlead_gateway_configuration_ratio",
            "The part of what it may take that the fullest configuration file of a region's gateways takes.",
            ["region"],
            registry=registry,
        )
        self._transitions = Counter(
            "fairlead_endpoint_transitions",
            "How often an endpoint came into a state.",
            ["provider_endpoint", "state"],
            registry=registry,
        )
        self._probes = Counter(
            "fairlead_probes",
            "Probes that ended, by what they met.",
            ["provider_endpoint", "result"],
            registry=registry,
        )

    def show(self, fleet: Fleet, declared: Collection[Endpoint], drains: Iterable[DrainOrder], *, now_ms: int) -> None:
        """Say how everything stands now, and whether this observer knows."""
        found: dict[Labels, EndpointHealth] = {
            (one.name, one.region or "-"): fleet.endpoints[one.name] for one in declared if one.name in fleet.endpoints
        }
        _set(self._share, {labels: health.share / WHOLE for labels, health in found.items()})
        _set(self._state, dict(_states(found)))
        _set(self._region_down, {(name,): float(one.down) for name, one in fleet.regions.items()})
        _set(
            self._drained,
            {(one.kind.value, one.name): 1.0 for one in drains if one.began_ms <= now_ms < one.until_ms},
        )
        self._unreliable.set(fleet.probes_unreliable_since_ms is not None)
        for (name, _), state in product(found, State):
            self._transitions.labels(name, state.value)  # at 0, for Prometheus sees no increase from nothing to 1

    def show_overload(self, regions: Iterable[str], overloaded: Collection[str]) -> None:
        """Say which regions' gateways refuse requests for lack of room."""
        _set(self._overloaded, {(region,): float(region in overloaded) for region in regions})

    def show_room(self, percents: Mapping[str, int]) -> None:
        """Say how full the configuration of each region's gateways is."""
        _set(self._full, {(region,): percent / WHOLE for region, percent in percents.items()})

    def count(self, transitions: Iterable[Transition]) -> None:
        """Count how often endpoints came into a state."""
        for one in transitions:
            if not one.is_region and one.after is not one.before:
                self._transitions.labels(one.subject, one.after.value).inc()

    def probed(self, endpoint: str, failure: Failure | None) -> None:
        """Count a probe; None: it was answered."""
        self._probes.labels(endpoint, "Alive" if failure is None else failure.value).inc()

    def fall_silent(self) -> None:
        """Say nothing more: another operator leads, and knows better."""
        for gauge in (self._share, self._state, self._region_down, self._drained, self._overloaded, self._full):
            gauge.clear()
        self._unreliable.set(0)


def _states(found: Mapping[Labels, EndpointHealth]) -> Iterable[tuple[Labels, float]]:
    for labels, health in found.items():
        for state in State:
            yield (*labels, state.value), float(state is health.state)


def _set(gauge: Gauge, values: Mapping[Labels, float]) -> None:
    """Show these series and no others of a gauge."""
    for labels in [labels for labels in _shown(gauge) if labels not in values]:
        gauge.remove(*labels)
    for labels, value in values.items():
        gauge.labels(*labels).set(value)


def _shown(gauge: Gauge) -> list[Labels]:
    names = gauge._labelnames  # noqa: SLF001  the client has no other way to ask
    return [tuple(sample.labels[name] for name in names) for family in gauge.collect() for sample in family.samples]
