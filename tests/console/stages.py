"""One installation as a page of each kind sees it: `fairlead up` by its status.json, a cluster by objects' status."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import builders
from fairlead import status
from fairlead.compiler import Compiled
from fairlead.console import cluster, local
from fairlead.console.picture import Picture
from fairlead.controller import load, overview, spending
from fairlead.health.counted import Counted
from fairlead.health.endpoint import EndpointHealth
from fairlead.health.fleet import Fleet
from fairlead.ir import ListenAddress
from fairlead.rollout import machine
from fairlead.rollout.plan import Plan
from fairlead.rollout.state import State
from fairlead.runtime.ejections import Ejections
from fairlead.runtime.feedback import told as ratings
from fairlead.standalone import status as standalone
from fairlead.standalone.addresses import Addresses
from fairlead.standalone.state import StateFolder
from fairlead.status import Serving, counted, rollout, rollout_state, standings
from fairlead.status.traffic import Failing

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
NO_MONEY: dict[str, Any] = {"policies": [], "savings": [], "unbudgeted": [], "caches": [], "in_flight": []}


class Stage:
    """What users wrote, and what is known of it."""

    def __init__(
        self,
        *manifests: Mapping[str, Any],
        health: Mapping[str, EndpointHealth] | None = None,
        failing: Sequence[Failing] = (),
        rollouts: Mapping[str, State] | None = None,
        ejected: Mapping[str, frozenset[str]] | None = None,
        silent: frozenset[str] = frozenset(),
        counted: Counted | None = None,
        feedback: Sequence[str] = (),
    ) -> None:
        self.rated = ratings(feedback)
        self.manifests, self.counted = manifests, counted or Counted()
        self.fleet, self.failing, self.states = Fleet(endpoints=dict(health or {})), failing, dict(rollouts or {})
        asked = builders.compiled(*manifests)
        self.plans: Mapping[str, Plan] = asked.rollouts
        shares = {route: machine.shares(self.plans[route], state) for route, state in self.states.items()}
        self.compiled: Compiled = builders.compiled(*manifests, rollouts=shares)
        self.told = {
            region["name"]: Ejections(
                targets=(ejected or {}).get(region["name"], frozenset()), answered=region["name"] not in silent
            )
            for region in builders.REGIONS
        }
        self.silent = silent

    @property
    def standings(self) -> tuple[status.EndpointStanding, ...]:
        return standings(self.compiled.endpoints, self.fleet, self.failing)

    def up(self, folder: Path, **fields: Any) -> Picture:
        """Draw it as `fairlead up` writes it down."""
        state = StateFolder(root=folder)
        folder.mkdir(exist_ok=True)
        health: Any = SimpleNamespace(
            now=SimpleNamespace(carried={}, fleet=self.fleet, drained=frozenset()),
            view=SimpleNamespace(failing=self.failing, overloaded={}, counted=self.counted),
        )
        watch: Any = SimpleNamespace(
            shares={route: machine.shares(self.plans[route], one) for route, one in self.states.items()},
            plans={route: self.plans[route] for route in self.states},
            states=self.states,
            applied={},
        )
        gateways: Any = {
            name: SimpleNamespace(
                name=name,
                pid=1,
                folder=SimpleNamespace(admin=folder / "admin"),
                serving=SimpleNamespace(gateway=one.ir, routes=one.routes, digest="d"),
            )
            for name, one in self.compiled.gateways.items()
        }
        release: Any = SimpleNamespace(compiled=self.compiled, inputs=SimpleNamespace(sources={}), budgeted=False)
        place = Addresses(
            listen=ListenAddress(address="127.0.0.1", port=8101), metrics=ListenAddress(address="127.0.0.1", port=8102)
        )
        standalone.write(
            state,
            geos={region["name"]: region["geo"] for region in builders.REGIONS},
            listening=dict.fromkeys(gateways, place),
            regions=gateways,
            release=release,
            diagnostics=(),
            health=health,
            rollouts=watch,
            now_ms=NOW_MS,
        )
        document = standalone.read(state)
        assert document is not None
        return local.draw(document, self.told, source="here", rated=self.rated, **fields)

    def in_cluster(self, money: Mapping[str, Any] = NO_MONEY) -> Picture:
        """Draw it as the operator writes status."""
        pods = [_pod(region["name"], ready=region["name"] not in self.silent) for region in builders.REGIONS]
        objects = [self._object(one) for one in self.manifests]
        described = overview.describe(objects, self._load())
        told = {name: one for name, one in self.told.items() if one.answered}
        return cluster.draw(described, dict(money), pods, told, source="here", urls={}, rated=self.rated)

    def spent(self) -> Mapping[str, Any]:
        """Read what objects say of money."""
        return spending.describe([self._object(one) for one in self.manifests], self._load().caches)

    def _load(self) -> load.Load:
        """What the operator writes of its gateways, as it comes back."""
        gateways = [one.ir for one in self.compiled.gateways.values()]
        written = load.Load(
            caches=tuple(counted.caches(self.counted, gateways, counted.prices(self.compiled.configuration))),
            classifiers=tuple(counted.classifiers(self.counted, gateways)),
        )
        return load.decode(json.loads(json.dumps(load.encode(written))))

    def _object(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        kind, metadata = manifest["kind"], manifest["metadata"]
        found = next(
            one
            for key, one in self.compiled.status.items()
            if (key.kind, key.namespace, key.name) == (kind, metadata["namespace"], metadata["name"])
        )
        geos = {region["name"]: region["geo"] for region in builders.REGIONS}
        serving = [
            Serving(
                region=region,
                digest="d",
                generation=1,
                ladder=found.ladders.get(region, ()),
                route=found.routes.get(region),
                geo=geos[region],
            )
            for region in self.compiled.gateways
            if kind != "ModelRoute" or region in found.ladders
        ]
        further: Any = {}
        name = f"{metadata['namespace']}/{metadata['name']}"
        if kind == "ModelProvider":
            further = status.provider_state(metadata["name"], self.compiled.endpoints, self.standings)
        elif name in self.states:
            said = rollout_state.document(
                name,
                self.plans[name],
                self.states[name],
                cohort=rollout.small_cohort(
                    [one.ir for one in self.compiled.gateways.values()],
                    name,
                    machine.shares(self.plans[name], self.states[name]),
                ),
                order="",
            )
            further = {"rollout": rollout_state.stored(said, self.states[name], now=NOW)}
        written = status.status(
            (*found.report.conditions, *_ready(found.report.generation)),
            serving,
            generation=1,
            before={},
            now="2026-11-21T12:00:00Z",
            further={**found.fields, **further},
        )
        return {**manifest, "metadata": {"generation": 1, **metadata}, "status": written}


def _ready(generation: int | None) -> tuple[Any, ...]:
    from fairlead.api.conditions import Condition, ConditionStatus, ConditionType, Reason

    return (
        Condition(
            type=ConditionType.READY,
            status=ConditionStatus.TRUE,
            reason=Reason.READY,
            message="",
            observed_generation=generation,
        ),
    )


def _pod(region: str, *, ready: bool) -> dict[str, Any]:
    return {
        "metadata": {"name": f"gateway-{region}", "labels": {"fairlead.dev/region": region}},
        "status": {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }
