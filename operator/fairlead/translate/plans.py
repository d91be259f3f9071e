"""What answers a route at one gateway: candidates become ladders, rung by rung, within residency."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from fairlead import ir
from fairlead.api.route import Residency
from fairlead.translate.candidates import Candidates, ModelReference
from fairlead.translate.geography import Geography
from fairlead.translate.providers import Endpoint, Provider
from fairlead.translate.routes import Route
from fairlead.translate.spread import Groups, rotations, weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One endpoint serving one model."""

    endpoint: Endpoint
    model: str


LadderSet: TypeAlias = tuple[tuple[str, ...], ...]
"""One candidates at one gateway: the rungs of each arm. The last resort is the first rung of the first arm."""


class Planner:
    """Makes plans for one gateway. Routes with the same candidates and residency share the work, not the ladders."""

    def __init__(self, *, region: str, geography: Geography, providers: Mapping[str, Provider]) -> None:
        self.region = region
        self._geography = geography
        self._providers = providers
        self._rungs: dict[str, Rung] = {}
        self._groups: dict[tuple[Residency, ModelReference], Groups] = {}
        self._ladder_sets: dict[tuple[Residency, tuple[ModelReference, ...]], LadderSet | None] = {}
        self._used_targets: set[str] = set()
        self._used_last_resorts: dict[str, Endpoint] = {}

    def ladder_set(self, candidates: Candidates, residency: Residency) -> LadderSet | None:
        """Return the rungs of candidates; None when residency leaves none."""
        key = (residency, candidates.models)
        if key not in self._ladder_sets:
            groups = [group for candidate in candidates.models for group in self._grouped(candidate, residency)]
            arms = rotations(tuple(groups))
            self._ladder_sets[key] = arms or None
        return self._ladder_sets[key]

    def plans(self, route: Route, names: frozenset[str]) -> tuple[tuple[ir.Plan, ...], tuple[ir.Ladder, ...]]:
        """Return plans and ladders of the names that a route answers; at least one of them has a rung."""
        plans = []
        ladders: list[ir.Ladder] = []
        for model, candidates in sorted(route.candidates.items()):
            ladder_set = self.ladder_set(candidates, route.residency)
            if ladder_set is None or (route.wildcard and model not in names):
                continue
            first = self._rungs[ladder_set[0][0]]
            last_resort = f"{first.endpoint.provider}/{first.endpoint.name}"
            self._used_last_resorts[last_resort] = first.endpoint
            stem = f"{route.name}/{model}" if model else route.name
            for arm, rungs in enumerate(ladder_set):
                ladders.append(ir.Ladder(name=f"{stem}/{arm}", rungs=rungs, last_resort=last_resort))
            self._used_targets.update(ladder_set[0])
            plans.append(
                ir.Plan(
                    key=model,
                    kind=candidates.kind,
                    arms=tuple(
                        ir.Arm(ladder=f"{stem}/{arm}", weight=weight, side=ir.Side.STABLE)
                        for arm, weight in enumerate(weights(len(ladder_set)))
                    ),
                    last_model=first.endpoint.wire_models[first.model],
                    last_target=ladder_set[0][0],
                )
            )
        return tuple(plans), tuple(ladders)

    def nearest(self, candidate: ModelReference, residency: Residency) -> str | None:
        """Return the nearest target of a model within residency."""
        groups = self._grouped(candidate, residency)
        return groups[0][0] if groups else None

    def shadow(self, candidate: ModelReference, residency: Residency) -> str | None:
        """Return the target that receives a shadow's copies, and keep it among the gateway's targets."""
        target = self.nearest(candidate, residency)
        if target is not None:
            self._used_targets.add(target)
        return target

    def targets(self) -> tuple[ir.Target, ...]:
        """Return every target that a ladder or a shadow names."""
        return tuple(self._target(name) for name in sorted(self._used_targets))

    def last_resorts(self) -> tuple[ir.LastResort, ...]:
        """Return every last resort that a ladder names."""
        return tuple(
            ir.LastResort(
                name=name,
                provider=endpoint.provider,
                endpoint=endpoint.name,
                region=endpoint.region,
                upstream=endpoint.upstream,
                credential=_credential_name(endpoint),
                forward_headers=self._providers[endpoint.provider].forward_headers,
            )
            for name, endpoint in sorted(self._used_last_resorts.items())
        )

    def credentials(self) -> tuple[ir.Credential, ...]:
        """Return every credential that a target or a last resort carries."""
        endpoints: Iterable[Endpoint] = (self._rungs[name].endpoint for name in self._used_targets)
        found = {e.credential.name: e.credential for e in endpoints if e.credential is not None}
        return tuple(found[name] for name in sorted(found))

    def _grouped(self, candidate: ModelReference, residency: Residency) -> Groups:
        """Return the targets of one model by distance, nearest first; within a group sorted by endpoint."""
        key = (residency, candidate)
        if key not in self._groups:
            by_distance: dict[tuple[int, int], list[str]] = {}
            for endpoint in self._providers[candidate.provider].endpoints:
                if candidate.model not in endpoint.wire_models:
                    continue
                if not self._geography.allows(residency, self.region, endpoint.region):
                    continue
                name = f"{candidate.provider}/{endpoint.name}/{candidate.model}"
                self._rungs[name] = Rung(endpoint=endpoint, model=candidate.model)
                by_distance.setdefault(self._geography.distance(self.region, endpoint.region), []).append(name)
            self._groups[key] = tuple(tuple(by_distance[distance]) for distance in sorted(by_distance))
        return self._groups[key]

    def _target(self, name: str) -> ir.Target:
        rung = self._rungs[name]
        owner = self._providers[rung.endpoint.provider]
        return ir.Target(
            name=name,
            provider=rung.endpoint.provider,
            endpoint=rung.endpoint.name,
            region=rung.endpoint.region,
            model=rung.model,
            wire_model=rung.endpoint.wire_models[rung.model],
            upstream=rung.endpoint.upstream,
            credential=_credential_name(rung.endpoint),
            breaker=owner.breaker,
            max_in_flight=owner.max_in_flight,
            forward_headers=owner.forward_headers,
        )


def _credential_name(endpoint: Endpoint) -> str:
    return endpoint.credential.name if endpoint.credential is not None else ""
