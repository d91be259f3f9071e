"""What answers a route at one gateway: candidates become ladders, rung by rung, within residency."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from fairlead import ir
from fairlead.api.route import Residency
from fairlead.ir import word
from fairlead.memo import Memo
from fairlead.translate.candidates import Candidates, ModelReference
from fairlead.translate.geography import Geography
from fairlead.translate.providers import Endpoint, Provider
from fairlead.translate.routes import Route
from fairlead.translate.spread import ALL, Groups, rotations, weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One endpoint serving one model."""

    endpoint: Endpoint
    model: str


CLAUDE = "claude"
"""In the names of a model that is Anthropic's: Bedrock has models of others, too."""
MAX_TOKENS = 4096
"""Of an answer in Anthropic's API, which must be told one, where neither the client nor the catalogue says how many."""

LadderSet: TypeAlias = tuple[tuple[str, ...], ...]
"""One candidates at one gateway: the rungs of each arm. The last resort is the first rung of the first arm."""
Sides: TypeAlias = tuple[tuple[ir.Side, LadderSet, int], ...]
"""Stable first: each side's ladders and its share of the requests, in basis points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A plan without what belongs to one route, its key and the names of its ladders: many routes share it."""

    arms: tuple[tuple[ir.Side, tuple[str, ...], int], ...]
    """Side, rungs and weight of each."""
    last_resort: str
    plan: ir.Plan
    """Without key and arms."""


def planned(route: str, drafts: Sequence[tuple[str, Draft]]) -> tuple[tuple[ir.Plan, ...], tuple[ir.Ladder, ...]]:
    """Return a route's plans and ladders: drafts, by their keys, under names of its own."""
    plans = []
    ladders: list[ir.Ladder] = []
    for key, draft in drafts:
        stem = f"{route}/{key}" if key else route
        arms = []
        for number, (side, rungs, weight) in enumerate(draft.arms):
            name = f"{stem}/{number}" if key else ir.ladder_name(stem, number, side)
            ladders.append(ir.Ladder(name=name, rungs=rungs, last_resort=draft.last_resort))
            arms.append(ir.Arm(ladder=name, weight=weight, side=side))
        plans.append(replace(draft.plan, key=key, arms=tuple(arms)))
    return tuple(plans), tuple(ladders)


class Planner:
    """Makes plans for one gateway. Routes with the same candidates and residency share the work, not the ladders."""

    def __init__(self, *, region: str, geography: Geography, providers: Mapping[str, Provider], memo: Memo) -> None:
        self.region = region
        self._memo = memo
        self._drafts: dict[tuple[ir.ModelKind, Sides], Draft] = {}
        self._geography = geography
        self._providers = providers
        self._rungs: dict[str, Rung] = {}
        self._groups: dict[tuple[Residency, ModelReference], Groups] = {}
        self._ladder_sets: dict[tuple[Residency, tuple[ModelReference, ...]], LadderSet | None] = {}
        self._found: dict[tuple[int, Residency], tuple[Candidates, LadderSet | None]] = {}
        """The same by the object that was asked for, which it holds: candidates take longer to compare than to find."""
        self._sizes: dict[LadderSet, tuple[int, int]] = {}
        self._used_targets: set[str] = set()
        self._used_last_resorts: dict[str, Endpoint] = {}
        self._signers: dict[str, ir.Signer] = {}

    def ladder_set(self, candidates: Candidates, residency: Residency) -> LadderSet | None:
        """Return the rungs of candidates; None when residency leaves none."""
        found = self._found.get((id(candidates), residency))
        if found is None:
            found = self._found[id(candidates), residency] = candidates, self._ladder_set(candidates, residency)
        return found[1]

    def size(self, ladder_set: LadderSet) -> tuple[int, int]:
        """Return the length of a ladder, the last resort included, and how many models may answer."""
        if ladder_set not in self._sizes:
            rungs = ladder_set[0]
            self._sizes[ladder_set] = len(rungs) + 1, len({rung.split("/", 2)[2] for rung in rungs})
        return self._sizes[ladder_set]

    def _ladder_set(self, candidates: Candidates, residency: Residency) -> LadderSet | None:
        key = (residency, candidates.models)
        if key not in self._ladder_sets:
            groups = [group for candidate in candidates.models for group in self._grouped(candidate, residency)]
            arms = rotations(tuple(groups))
            self._ladder_sets[key] = arms or None
        return self._ladder_sets[key]

    def drafts(self, route: Route, names: frozenset[str]) -> tuple[tuple[str, Draft], ...]:
        """Return a draft for each plan of a route, with its key, and keep what they use.

        `names`: those that the route answers; at least one of them has a rung.
        """
        found = []
        for model, candidates in sorted(route.candidates.items(), key=lambda one: word.encode(one[0])):
            ladder_set = self.ladder_set(candidates, route.residency)
            if ladder_set is not None and (not route.wildcard or model in names):
                found.append((word.encode(model), self._draft(route, candidates, ladder_set)))
        return tuple(found)

    def _draft(self, route: Route, candidates: Candidates, ladder_set: LadderSet) -> Draft:
        candidate = self._candidate(route)
        sides: Sides = ((ir.Side.STABLE, ladder_set, ALL),)
        if candidate is not None:
            sides = (
                (ir.Side.STABLE, ladder_set, ALL - route.candidate_traffic),
                (ir.Side.CANDIDATE, candidate, route.candidate_traffic),
            )
        key = (candidates.kind, sides)
        if key not in self._drafts:
            drafted = self._drafted(candidates.kind, sides)
            self._drafts[key] = self._memo.same(("draft", self.region, key), drafted)
        return self._drafts[key]

    def _drafted(self, kind: ir.ModelKind, sides: Sides) -> Draft:
        declared = sides[0][1][0]
        first = self._rungs[declared[0]]
        last_resort = f"{first.endpoint.provider}/{first.endpoint.name}"
        self._used_last_resorts[last_resort] = first.endpoint
        spread = [rungs for _, some, _ in sides for rungs in some]
        self._used_targets.update(rung for rungs in spread for rung in rungs)
        chats = kind is ir.ModelKind.CHAT
        return Draft(
            arms=tuple(_arms(sides)),
            last_resort=last_resort,
            plan=ir.Plan(
                key="",
                kind=kind,
                arms=(),
                last_model=word.encode(first.endpoint.wire_models[first.model]),
                last_target=declared[0],
                translated=bool(self._translating(spread)),
                hints=self._hints(self._translating(spread)),
                pins=self._pins(spread) if chats else None,
                dialects=self._dialects(declared, spread) if chats else (),
                converse=self._converse(spread),
                refused=self._refused(spread) if chats else None,
            ),
        )

    def _dialects(self, declared: tuple[str, ...], arms: Sequence[tuple[str, ...]]) -> tuple[ir.Dialect, ...]:
        """Return what requests meet that not every rung can answer, and keep their last resorts.

        `declared` are the rungs of the first arm, of which the last resort is made.
        """
        every = frozenset(rung for rungs in arms for rung in rungs)
        if all(self._speaks_all(rung) for rung in every):
            return ()
        worded = [rung for rung in every if self._owner(rung).translates_chat and not self._converses(rung)]
        told_apart = self._told_apart(every, worded)
        dialects = []
        for need in sorted(ir.Need):
            met = frozenset(rung for rung in every if self._meets(need, rung))
            if not all(met.intersection(rungs) for rungs in arms) or not told_apart.get(need, True):
                continue
            name = next(rung for rung in declared if rung in met)
            rung = self._rungs[name]
            last_resort = f"{rung.endpoint.provider}/{rung.endpoint.name}"
            self._used_last_resorts[last_resort] = rung.endpoint
            dialects.append(
                ir.Dialect(
                    need=need,
                    last_resort=last_resort,
                    last_model=word.encode(rung.endpoint.wire_models[rung.model]),
                    last_target=name,
                    apart=met != every,
                    max_tokens=min(map(self._most, worded)) if need is ir.Need.CHAT and worded else None,
                    hints=self._hints(worded) if need is ir.Need.CHAT else None,
                )
            )
        return tuple(dialects)

    def _told_apart(self, every: frozenset[str], worded: Sequence[str]) -> dict[ir.Need, bool]:
        """Tell of what has no dialect in every plan whether it has one here."""
        chats_alone = any(self._owner(rung).protocol is ir.Protocol.GEMINI for rung in every)
        chats = any(self._owner(rung).translates_chat for rung in every if self._converses(rung))
        both = any(map(self._converses, every)) and bool(self._translating([tuple(every)]))
        return {
            ir.Need.CHAT: bool(worded) or chats or chats_alone,
            ir.Need.RESPONSES: self._lacks_responses(every),
            ir.Need.CHAT_NOT_CONVERSE: chats and (bool(worded) or chats_alone),
            ir.Need.CHAT_NOT_TRANSLATED: chats and bool(worded),
            ir.Need.MESSAGES_NOT_CONVERSE: both,
            ir.Need.MESSAGES_NOT_TRANSLATED: both,
        }

    def _converse(self, arms: Sequence[tuple[str, ...]]) -> ir.Converse | None:
        """Return what the rungs have that want requests in the words of Converse."""
        found = [rung for rungs in arms for rung in rungs if self._converses(rung)]
        if not found:
            return None
        return ir.Converse(
            chat=any(self._owner(rung).translates_chat for rung in found),
            claude=all(map(self._is_claude, found)),
            hints=self._hints(found),
        )

    def _converses(self, rung: str) -> bool:
        return self._owner(rung).protocol is ir.Protocol.BEDROCK

    def _is_claude(self, rung: str) -> bool:
        """Tell by its names whether a model is Claude: of an inference profile's ARN nothing else tells."""
        found = self._rungs[rung]
        return CLAUDE in f"{found.model} {found.endpoint.wire_models[found.model]}".lower()

    def _refused(self, arms: Sequence[tuple[str, ...]]) -> ir.Need | None:
        """Return what is refused, although rungs speak its API: some arm has nobody who has it."""
        if not self._lacks_responses({rung for rungs in arms for rung in rungs}):
            return None
        has = all(any(self._meets(ir.Need.RESPONSES, rung) for rung in rungs) for rungs in arms)
        return None if has else ir.Need.RESPONSES

    def _lacks_responses(self, rungs: Iterable[str]) -> bool:
        """Tell whether one that speaks OpenAI's API has no responses."""
        return any(not self._speaks_all(rung) and self._meets(ir.Need.OPENAI, rung) for rung in rungs)

    def _speaks_all(self, rung: str) -> bool:
        """Tell whether a rung has all of OpenAI's API; most do, and a large catalogue asks for each."""
        return self._owner(rung).protocol is ir.Protocol.OPENAI or self._meets(ir.Need.RESPONSES, rung)

    def _meets(self, need: ir.Need, rung: str) -> bool:
        return need.met_by(self._target(rung))

    def _translating(self, arms: Sequence[tuple[str, ...]]) -> list[str]:
        """List the rungs that want messages in the words of chat/completions."""
        found = [rung for rungs in arms for rung in rungs if self._owner(rung).translates_messages]
        return [rung for rung in found if not self._converses(rung)]

    def _pins(self, arms: Sequence[tuple[str, ...]]) -> tuple[ir.Pin, ...] | None:
        """Return the rungs whose answers can be gone on from, and keep their last resorts."""
        pins = []
        for rung in dict.fromkeys(rung for rungs in arms for rung in rungs):
            owner = self._owner(rung)
            if owner.signed_by and self._meets(ir.Need.RESPONSES, rung):
                endpoint = self._rungs[rung].endpoint
                self._used_last_resorts[f"{endpoint.provider}/{endpoint.name}"] = endpoint
                self._signers[owner.name] = ir.Signer(provider=owner.name, files=owner.signed_by)
                pins.append(ir.Pin(target=rung, wire_model=self._target(rung).wire_model))
        return tuple(pins) or None

    def signers(self) -> tuple[ir.Signer, ...] | None:
        """Return what ids of answers are signed by, of each provider with a pin."""
        return tuple(self._signers[name] for name in sorted(self._signers)) or None

    def _hints(self, worded: Sequence[str]) -> ir.Hints | None:
        """Return what all rungs have that want other words: a request is said in them once, for all."""
        found = [self._target(rung).hints for rung in worded]
        if not worded or not all(found):
            return None
        ways = {one.reasoning for one in found if one}
        hints = ir.Hints(
            reasoning=ways.pop() if len(ways) == 1 else None, leaves_out=all(one.leaves_out for one in found if one)
        )
        return None if hints == ir.Hints() else hints

    def _owner(self, target: str) -> Provider:
        return self._providers[self._rungs[target].endpoint.provider]

    def _most(self, target: str) -> int:
        rung = self._rungs[target]
        return rung.endpoint.terms[rung.model].max_output_tokens or MAX_TOKENS

    def _candidate(self, route: Route) -> LadderSet | None:
        """Return the ladders of a rollout's side; None where nothing rolls out, or residency keeps it out."""
        if route.candidate is None or not self._grouped(route.candidate.models[0], route.residency):
            return None
        return self.ladder_set(route.candidate, route.residency)

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

    def keyed_probes(self) -> tuple[ir.KeyedProbe, ...]:
        """Return what is asked of used endpoints with their credential, and keep their last resorts."""
        found = {}
        for name in self._used_targets:
            endpoint = self._rungs[name].endpoint
            probing = self._providers[endpoint.provider].probing
            if probing.enabled and probing.sends_credential and endpoint.credential is not None:
                full = f"{endpoint.provider}/{endpoint.name}"
                protocol = self._providers[endpoint.provider].protocol
                found[full] = ir.KeyedProbe(endpoint=full, path=f"/v1{probing.path}", protocol=protocol)
                self._used_last_resorts[full] = endpoint
        return tuple(found[name] for name in sorted(found))

    def targets(self) -> tuple[ir.Target, ...]:
        """Return every target that a ladder or a shadow names."""
        made = (self._target(name) for name in sorted(self._used_targets))
        return tuple(self._memo.same(("target", self.region, one.name), one) for one in made)

    def last_resorts(self) -> tuple[ir.LastResort, ...]:
        """Return every last resort that a ladder names."""
        made = (
            ir.LastResort(
                name=name,
                provider=endpoint.provider,
                endpoint=endpoint.name,
                region=endpoint.region,
                upstream=endpoint.upstream,
                credential=_credential_name(endpoint),
                forward_headers=self._providers[endpoint.provider].forward_headers,
                translates_messages=self._providers[endpoint.provider].translates_messages,
                translates_chat=self._providers[endpoint.provider].translates_chat,
                api_version=endpoint.api_version,
                aws_region=endpoint.aws_region,
            )
            for name, endpoint in sorted(self._used_last_resorts.items())
        )
        return tuple(self._memo.same(("last resort", self.region, one.name), one) for one in made)

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
                name = f"{candidate.provider}/{endpoint.name}/{word.encode(candidate.model)}"
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
            model=word.encode(rung.model),
            wire_model=word.encode(rung.endpoint.wire_models[rung.model]),
            upstream=rung.endpoint.upstream,
            credential=_credential_name(rung.endpoint),
            breaker=owner.breaker,
            max_in_flight=owner.max_in_flight,
            forward_headers=owner.forward_headers,
            protocol=owner.protocol,
            translates_messages=owner.translates_messages,
            translates_chat=owner.translates_chat,
            api_version=rung.endpoint.api_version,
            hints=owner.hints(rung.model),
            aws_region=rung.endpoint.aws_region,
        )


def _arms(sides: Iterable[tuple[ir.Side, LadderSet, int]]) -> Iterable[tuple[ir.Side, tuple[str, ...], int]]:
    """Lay the arms of both sides out, stable first: a candidate that grows takes callers, and gives none back."""
    for side, ladder_set, whole in sides:
        for rungs, weight in zip(ladder_set, weights(len(ladder_set), whole), strict=True):
            yield side, rungs, weight


def _credential_name(endpoint: Endpoint) -> str:
    return endpoint.credential.name if endpoint.credential is not None else ""
