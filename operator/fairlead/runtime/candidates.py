"""What a look at rollouts stands on; above all what health says of candidates: whose doing it is when they fail.

An endpoint that probes find down is a matter of health. One that answers them, or that nobody probes, is up: what fails
there is the candidate's, also where real traffic alone made health send its requests elsewhere.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from fairlead import ir
from fairlead.budget import configuration
from fairlead.compiler import Compiled
from fairlead.health.endpoint import Endpoint, State
from fairlead.health.fleet import Fleet
from fairlead.ir import word
from fairlead.rollout.state import State as Rollout
from fairlead.runtime.readings import GatewayPlace
from fairlead.runtime.rollouts import Candidate, Ground
from fairlead.runtime.traffic import TrafficView


def ground(
    compiled: Compiled,
    states: Mapping[str, Rollout],
    fleet: Fleet,
    view: TrafficView,
    *,
    places: Sequence[GatewayPlace],
    served: Mapping[str, ir.Gateway],
) -> Ground:
    """Put together what a look stands on. `served` by region; `view` is what gateways told last of endpoints."""
    running = {route: state for route, state in states.items() if state.candidate is not None}
    if not running:
        return Ground(places=places, served=served, prices={}, health={})
    ejected = {one.target for one in view.told if one.ejected}
    read = {one.target: view.began_ms for one in view.told}
    targets = configuration.decode(compiled.configuration).targets
    return Ground(
        places=places,
        served=served,
        prices={name: rung.price for name, rung in targets.items()},
        health=candidates(running, served, [one.health for one in compiled.endpoints], fleet, ejected, read=read),
    )


def candidates(
    states: Mapping[str, Rollout],
    served: Mapping[str, ir.Gateway],
    declared: Iterable[Endpoint],
    fleet: Fleet,
    ejected: Collection[str],
    *,
    read: Mapping[str, int],
) -> Mapping[str, Candidate]:
    """Say it of each route whose candidate is under way.

    `ejected` are targets that a gateway leaves out now, `read` says of each when the reading began that tells it.
    """
    probed = {one.name for one in declared if one.probed}
    trusted = fleet.probes_unreliable_since_ms is None
    return {
        route: _candidate(_targets(state.candidate, served), probed if trusted else set(), fleet, ejected, read=read)
        for route, state in states.items()
        if state.candidate is not None
    }


def _targets(candidate: str, served: Mapping[str, ir.Gateway]) -> Mapping[str, str]:
    """Return the endpoint of each target of a candidate."""
    provider, _, model = candidate.partition("/")
    return {
        one.name: f"{one.provider}/{one.endpoint}"
        for gateway in served.values()
        for one in gateway.targets
        if (one.provider, one.model) == (provider, word.encode(model))
    }


def _candidate(
    targets: Mapping[str, str],
    probed: Collection[str],
    fleet: Fleet,
    ejected: Collection[str],
    *,
    read: Mapping[str, int],
) -> Candidate:
    out = {endpoint for target, endpoint in targets.items() if target in ejected}
    endpoints = out or set(targets.values())
    good = [_good_ms(endpoint, fleet) for endpoint in endpoints & set(probed)]
    return Candidate(
        down=bool(targets) and all(_is_down(endpoint, probed, fleet) for endpoint in targets.values()),
        ejected=bool(out),
        read_ms=min((read[name] for name in targets if name in read), default=None),
        probes=bool(good),
        probed_ms=min((at_ms for at_ms in good if at_ms is not None), default=None) if None not in good else None,
    )


def _is_down(endpoint: str, probed: Collection[str], fleet: Fleet) -> bool:
    """Tell whether an endpoint is down by its probes, or drained: nothing that its answers say."""
    shown, record = fleet.endpoints.get(endpoint), fleet.records.get(endpoint)
    if shown is None or record is None:
        return False
    if shown.state is State.DRAINED:
        return True
    return shown.state is State.DOWN and endpoint in probed and record.row.bad > 0


def _good_ms(endpoint: str, fleet: Fleet) -> int | None:
    """Return when the last probe began, if it was good."""
    record = fleet.records.get(endpoint)
    return None if record is None or record.row.bad else record.row.began_ms
