"""BudgetPolicy: its references are checked; later work gives it effect."""

from fairlead.api.budget import BudgetPolicy
from fairlead.api.conditions import Reason
from fairlead.api.selector import From
from fairlead.translate.finding import Findings
from fairlead.translate.routes import shares_from_home
from fairlead.translate.world import World
from fairlead.translate.written import Written


def budget(policy: BudgetPolicy, world: World, written: Written, findings: Findings) -> BudgetPolicy | None:
    """Check what a policy names; None when it cannot be accepted.

    What it names may come later: a policy for a route that does not exist yet is no reason for an older version.
    """
    spec, own = policy.spec, policy.metadata.namespace
    chosen = spec.consumers.namespaces.from_
    if chosen is not From.SAME and not shares_from_home(own, chosen, world, findings):
        return None
    for position, name in enumerate(spec.routes or ()):
        path = f"spec.routes[{position}]"
        namespace, slash, route = name.rpartition("/")
        if slash and own != world.home:
            findings.note(
                Reason.ROUTE_NOT_FOUND,
                path,
                f"got `{name}`, want the name of a route of namespace `{own}`: only policies of namespace"
                f" `{world.home}` may name routes of others",
            )
        else:
            written.check_route(namespace or own, route, path, findings)
    if chosen is From.SAME:
        written.check_consumers(own, spec.consumers, findings)
    return policy
