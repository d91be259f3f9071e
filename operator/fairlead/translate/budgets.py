"""BudgetPolicy: its references are checked; later work gives it effect."""

from collections.abc import Collection

from fairlead.api.budget import BudgetPolicy
from fairlead.api.conditions import Reason
from fairlead.api.selector import From
from fairlead.translate.finding import Findings
from fairlead.translate.routes import shares_from_home
from fairlead.translate.suggestion import listed, meant
from fairlead.translate.world import World


def check(
    written: BudgetPolicy, world: World, *, routes: Collection[str], consumers: Collection[str], findings: Findings
) -> bool | None:
    """Check what a policy names. `routes` and `consumers` are `namespace/name` of all that were written.

    Returns None when the policy cannot be accepted.
    """
    spec, own = written.spec, written.metadata.namespace
    chosen = spec.consumers.namespaces.from_
    if chosen is not From.SAME and not shares_from_home(own, str(chosen), world, findings):
        return None
    for position, name in enumerate(spec.routes or ()):
        path = f"spec.routes[{position}]"
        if "/" in name and own != world.home:
            findings.note(
                Reason.ROUTE_NOT_FOUND,
                path,
                f"got `{name}`, want the name of a route of namespace `{own}`: only policies of namespace"
                f" `{world.home}` may name routes of others",
            )
            continue
        if (name if "/" in name else f"{own}/{name}") not in routes:
            near = [other.partition("/")[2] for other in routes if other.startswith(f"{own}/")]
            want = f"a ModelRoute of namespace `{own}`" + (f" ({listed(near)})" if near else ", create it")
            findings.note(Reason.ROUTE_NOT_FOUND, path, f"got `{name}`, want {want}{meant(name, near)}")
    if chosen is From.SAME:
        for position, name in enumerate(spec.consumers.names or ()):
            if f"{own}/{name}" not in consumers:
                near = [other.partition("/")[2] for other in consumers if other.startswith(f"{own}/")]
                want = f"a ModelConsumer of namespace `{own}`" + (f" ({listed(near)})" if near else ", create it")
                findings.note(
                    Reason.CONSUMER_NOT_FOUND,
                    f"spec.consumers.names[{position}]",
                    f"got `{name}`, want {want}{meant(name, near)}",
                )
    return True
