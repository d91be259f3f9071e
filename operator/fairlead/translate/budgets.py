"""BudgetPolicy: whose spending counts, on which routes, how much is allowed in which window."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from fairlead.api import quantity
from fairlead.api.budget import Action as WrittenAction
from fairlead.api.budget import BudgetPolicy, BudgetScope
from fairlead.api.conditions import Reason
from fairlead.api.selector import From
from fairlead.budget.configuration import revision
from fairlead.budget.policy import Action, Policy, Scope, Stage
from fairlead.translate.audience import Audience, Caller
from fairlead.translate.consumers import Consumer
from fairlead.translate.diagnostics import Diagnostics
from fairlead.translate.known_names import KnownNames
from fairlead.translate.references import References
from fairlead.translate.routes import shares_from_home
from fairlead.translate.window import window

_SECOND_MS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A policy whose references were followed."""

    policy: Policy
    audience: Audience

    def matches(self, caller: Caller, references: References) -> bool:
        """Tell whether spending of a consumer counts."""
        return self.audience.includes(caller, references.labels_of(caller.namespace))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Which policies bound whose spending."""

    policies: tuple[Policy, ...]
    """Sorted by name."""
    consumers: Mapping[str, tuple[str, ...]]
    """Consumer, `namespace/name` -> names of the policies that match it, sorted."""
    routes: Mapping[str, tuple[str, ...] | None]
    """Consumer -> the routes on which a policy counts what it spends, sorted; None = all."""
    revisions: Mapping[str, str]
    """Consumer -> what names this version of its policies, as the budget server, which gets the same, has it. Those
    without a policy are left out."""
    stopped: frozenset[str]
    """Consumers whose every request is refused by a policy of no dollars. That must hold without any store, too."""


def bounds(budgets: Sequence[Budget], callers: Iterable[Caller], references: References) -> Bounds:
    """Work out who falls under which policy."""
    matching = {
        str(caller): tuple(one.policy for one in budgets if one.matches(caller, references))
        for caller in sorted(callers, key=str)
    }
    of_policies = {found: revision(found) for found in set(matching.values()) if found}
    return Bounds(
        policies=tuple(sorted((budget.policy for budget in budgets), key=lambda policy: policy.name)),
        consumers={caller: tuple(sorted(one.name for one in found)) for caller, found in matching.items()},
        routes={caller: _counted(found) for caller, found in matching.items()},
        revisions={caller: of_policies[found] for caller, found in matching.items() if found},
        stopped=frozenset(caller for caller, found in matching.items() if any(one.stops_everything for one in found)),
    )


def is_bounded(bounds: Bounds, consumers: Iterable[Consumer]) -> bool:
    """Tell whether requests of anybody have to fit something, so that whoever passes unchecked may pass a limit."""
    return bool(bounds.policies) or any(consumer.max_in_flight is not None for consumer in consumers)


def _counted(policies: Iterable[Policy]) -> tuple[str, ...] | None:
    counted: set[str] = set()
    for policy in policies:
        if policy.routes is None:
            return None
        counted |= policy.routes
    return tuple(sorted(counted))


def budget(
    policy: BudgetPolicy,
    references: References,
    written: KnownNames,
    diagnostics: Diagnostics,
    before: BudgetPolicy | None = None,
) -> Budget | None:
    """Check what a policy names; None when it cannot be accepted.

    What it names may come later: a policy for a route that does not exist yet is no reason for an older version.
    `before` is the version that served last: what is spent is counted by scope and window, so those cannot change.
    """
    if before is not None and not _counts_as(policy, before, diagnostics):
        return None
    spec, own = policy.spec, policy.metadata.namespace
    chosen = spec.consumers.namespaces.from_
    if chosen is not From.SAME and not shares_from_home(own, chosen, references, diagnostics):
        return None
    routes = _routes(policy, references, written, diagnostics)
    if chosen is From.SAME:
        written.check_consumers(own, spec.consumers, diagnostics)
    return Budget(
        policy=Policy(
            name=f"{own}/{policy.metadata.name}",
            scope=_scope(spec.scope),
            limit=quantity.nanodollars(spec.limit.usd),
            window=window(spec.window),
            stages=tuple(
                sorted(
                    (Stage(at=quantity.basis_points(stage.at), action=_action(stage.action)) for stage in spec.stages),
                    key=lambda stage: stage.at,
                )
            ),
            routes=routes,
        ),
        audience=Audience(own=own, consumers=spec.consumers),
    )


def _counts_as(policy: BudgetPolicy, before: BudgetPolicy, diagnostics: Diagnostics) -> bool:
    """Refuse what would begin to count anew, and forget what is spent."""
    changed = []
    if policy.spec.scope is not before.spec.scope:
        changed.append(("spec.scope", f"`{policy.spec.scope.value}`", f"`{before.spec.scope.value}`"))
    if window(policy.spec.window) != window(before.spec.window):
        changed.append(("spec.window", "another window", "the one"))
    for path, got, want in changed:
        diagnostics.refuse(
            Reason.IMMUTABLE,
            path,
            f"got {got}, want {want} that the policy has counted by so far: what is spent would be forgotten, make a"
            " policy of another name to begin anew",
        )
    return not changed


def _routes(
    policy: BudgetPolicy, references: References, written: KnownNames, diagnostics: Diagnostics
) -> frozenset[str] | None:
    """Return the routes whose requests count, those that do not exist yet included; None = all."""
    own, names = policy.metadata.namespace, policy.spec.routes
    if names is None:
        return None
    meant = set()
    for position, name in enumerate(names):
        path = f"spec.routes[{position}]"
        namespace, slash, route = name.rpartition("/")
        if slash and own != references.home:
            diagnostics.note(
                Reason.ROUTE_NOT_FOUND,
                path,
                f"got `{name}`, want the name of a route of namespace `{own}`: only policies of namespace"
                f" `{references.home}` may name routes of others",
            )
            continue
        written.check_route(namespace or own, route, path, diagnostics)
        meant.add(f"{namespace or own}/{route}")
    return frozenset(meant)


def _scope(written: BudgetScope) -> Scope:
    return Scope.SHARED if written is BudgetScope.SHARED else Scope.PER_CONSUMER


def _action(written: WrittenAction) -> Action:
    match written:
        case WrittenAction.NOTIFY:
            return Action.NOTIFY
        case WrittenAction.DOWNGRADE:
            return Action.DOWNGRADE
        case WrittenAction.REJECT:
            return Action.REJECT
    assert_never(written)
