"""Who finds which route under a name: scopes, precedence, conflicts.

Two *tiers* exist for a caller: the routes of its own namespace, then those that the installation's namespace shares.
Within a tier, for one name: exact beats prefix beats `*`; a route that is served at this gateway beats one that is not
(`regions`, `residency`); a route that picks its consumers beats one for all (and a shared route that picks namespaces
one for all of them); the older beats the younger (DESIGN section 2). If the winner is not served here, the name is
refused: it neither falls to a wider pattern nor to the next tier, which may be less strict about residency.

Routes of a tier that pick the same consumers form a *layer*. The layer for everybody is a scope of its own. Callers
that further layers include get one more scope in front of it, with only the names that those layers win: so a catalogue
of 184 names stands in the directory once, however many kinds of customers there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TypeAlias

from fairlead import ir
from fairlead.ir import word
from fairlead.translate.audience import Caller
from fairlead.translate.references import References
from fairlead.translate.routes import Claim, Route

SHARED = "*"
"""Tier of the routes that the installation's namespace shares; no namespace is called so."""

_LONGEST_TEXT = 48

Rank: TypeAlias = tuple[int, bool, bool, bool, tuple[bool, int, str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bid:
    """One route that wants a name at one gateway; the least rank wins."""

    route: Route
    claim: Claim
    served: bool
    rank: Rank


Table: TypeAlias = Mapping[str, Bid]
"""Who wins each name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """A name that a route lost to an older one of the same rank, at one gateway."""

    winner: Route
    example: Caller | None
    """A caller who sees both, where their consumers differ; None where they are the same consumers."""


Outcome: TypeAlias = dict[tuple[str, str], list[Overlap | None]]
"""By route and name: one entry for each gateway and tier where the route stands, None = the name is its own there."""


@dataclass(slots=True)
class Layer:
    """Routes of one tier that pick the same consumers."""

    routes: list[Route] = field(default_factory=list)


class Tier:
    """The routes that callers of one namespace, or all callers, may see."""

    def __init__(self, name: str, routes: Iterable[Route]) -> None:
        self.name = name
        self.layers: dict[str, Layer] = {}
        for route in routes:
            audience = route.audience
            text = audience.among_namespaces() if name == SHARED else audience.within_namespace()
            self.layers.setdefault(text, Layer()).routes.append(route)
        self._picky = sorted(text for text in self.layers if text)

    def matched(self, caller: Caller, namespace_labels: Mapping[str, str]) -> tuple[str, ...]:
        """Return the layers, beside the one for everybody, that include a caller."""
        return tuple(
            text for text in self._picky if self.layers[text].routes[0].audience.includes(caller, namespace_labels)
        )

    def scope_name(self, matched: Sequence[str]) -> str:
        """Name the scope of callers that these layers include."""
        if not matched:
            return self.name
        text = ";".join(matched)
        if len(text) > _LONGEST_TEXT:
            text = "#" + sha256(text.encode()).hexdigest()[:16]
        return f"{self.name}[{text}]"


class Directory:
    """All tiers of an installation, and which scopes each caller asks."""

    def __init__(self, routes: Sequence[Route], callers: Sequence[Caller], references: References) -> None:
        own: dict[str, list[Route]] = {}
        for route in routes:
            own.setdefault(route.key.namespace, []).append(route)
        shared = Tier(SHARED, [route for route in own.get(references.home, ()) if route.audience.shared])
        tiers = {namespace: Tier(namespace, _visible(found, references)) for namespace, found in sorted(own.items())}
        self._tiers = (*tiers.values(), shared)
        self._asked: dict[str, tuple[tuple[Tier, tuple[str, ...]], ...]] = {}
        self._groups: dict[str, dict[tuple[str, ...], Caller]] = {tier.name: {} for tier in self._tiers}
        for caller in sorted(callers, key=str):
            labels = references.labels_of(caller.namespace)
            asked = [tiers[caller.namespace]] if caller.namespace in tiers else []
            asked += [shared] if caller.namespace != references.home else []
            self._asked[str(caller)] = tuple((tier, tier.matched(caller, labels)) for tier in asked)
            for tier, matched in self._asked[str(caller)]:
                self._groups[tier.name].setdefault(matched, caller)

    def scopes(self, served: Mapping[str, frozenset[str]], outcome: Outcome) -> "Scopes":
        """Make one gateway's scopes. `served` names, by route, the names that it can answer there.

        Adds what each route won and lost to the outcome.
        """
        tables: dict[str, Table] = {}
        won: dict[str, set[str]] = {}
        later: set[str] = set()
        for tier in reversed(self._tiers):
            layers = {text: _layer_table(tier, layer, served, outcome) for text, layer in tier.layers.items()}
            for table in layers.values():
                for name, bid in table.items():
                    if bid.served:
                        won.setdefault(bid.route.name, set()).add(name)
            everybody = layers.get("", {})
            tables[tier.name] = _needed(everybody, later)
            for matched, caller in self._groups[tier.name].items():
                if matched:
                    delta = _delta(everybody, [layers[m] for m in matched], caller, outcome)
                    tables[tier.scope_name(matched)] = _needed(delta, later | everybody.keys())
            if tier.name == SHARED:
                later = {name for table in layers.values() for name, bid in table.items() if bid.served}
        return Scopes(
            scopes=tuple(_scope(name, tables[name]) for name in sorted(tables) if tables[name]),
            of_caller={
                caller: tuple(
                    name
                    for tier, matched in asked
                    for name in dict.fromkeys((tier.scope_name(matched), tier.name))
                    if tables[name]
                )
                for caller, asked in self._asked.items()
            },
            won={route: frozenset(names) for route, names in won.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scopes:
    """One gateway's tables of names, and the ones that each caller asks, in order."""

    scopes: tuple[ir.Scope, ...]
    of_caller: Mapping[str, tuple[str, ...]]
    """By `namespace/name` of the caller."""
    won: Mapping[str, frozenset[str]]
    """By route: names that it answers for somebody, whether or not such a caller exists."""


def _visible(routes: Iterable[Route], references: References) -> list[Route]:
    """Leave out shared routes whose candidate of namespaces does not include their own."""
    return [
        route
        for route in routes
        if route.audience.includes_namespace(route.key.namespace, references.labels_of(route.key.namespace))
    ]


def _layer_table(tier: Tier, layer: Layer, served: Mapping[str, frozenset[str]], outcome: Outcome) -> Table:
    """Return who wins each name among routes for the same consumers."""
    bids: dict[str, list[Bid]] = {}
    for route in layer.routes:
        answered = served.get(route.name, frozenset())
        for claim in route.claims:
            bids.setdefault(claim.name, []).append(_bid(tier, route, claim, served=claim.name in answered))
    table = {}
    for name, rivals in bids.items():
        winner = rivals[0] if len(rivals) == 1 else min(rivals, key=lambda bid: bid.rank)
        table[name] = winner
        for bid in rivals:
            if bid.served:
                lost = bid is not winner and bid.rank[:-1] == winner.rank[:-1]
                outcome.setdefault((bid.route.name, name), []).append(
                    Overlap(winner=winner.route, example=None) if lost else None
                )
    return table


def _delta(base: Mapping[str, Bid], layers: Sequence[Mapping[str, Bid]], caller: Caller, outcome: Outcome) -> Table:
    """Return the names for which some layer wins over the layer for everybody."""
    best: dict[str, Bid] = {}
    for layer in layers:
        for name, bid in layer.items():
            rival = best.get(name)
            if rival is None:
                best[name] = bid
                continue
            winner, loser = (bid, rival) if bid.rank < rival.rank else (rival, bid)
            best[name] = winner
            if loser.served and loser.rank[:-1] == winner.rank[:-1]:
                outcome.setdefault((loser.route.name, name), []).append(Overlap(winner=winner.route, example=caller))
    return {name: bid for name, bid in best.items() if name not in base or bid.rank < base[name].rank}


def _needed(table: Table, later: AbstractSet[str]) -> Table:
    """Leave out refusals of names that no later scope answers: a name that is nowhere is refused as well."""
    return {name: bid for name, bid in table.items() if bid.served or name in later}


def _bid(tier: Tier, route: Route, claim: Claim, *, served: bool) -> Bid:
    audience = route.audience
    rank = (
        -claim.specificity,
        not served,
        not audience.picks_consumers,
        not (tier.name == SHARED and audience.picks_namespaces),
        route.age,
    )
    return Bid(route=route, claim=claim, served=served, rank=rank)


def _scope(name: str, table: Table) -> ir.Scope:
    return ir.Scope(
        name=name,
        entries=tuple(
            ir.Entry(
                model_name=word.encode(model),
                route=bid.route.name if bid.served else "",
                plan=word.encode(model) if bid.served and bid.route.wildcard else "",
            )
            for model, bid in sorted(table.items(), key=lambda one: word.encode(one[0]))
        ),
    )
