"""`fairlead kill` in a cluster: one BudgetPolicy of no dollars for each consumer, which goes with `--undo`.

It is an ordinary object in the consumer's namespace, so it holds over restarts, everybody sees it, and whoever may
write policies there may stop a key.
"""

from collections.abc import Iterable

from fairlead.adapters.clock import Clock
from fairlead.adapters.kube import Kube
from fairlead.api.meta import ObjectKey
from fairlead.controller.spending import condition
from fairlead.errors import ClusterError
from fairlead.runtime.stop import names, policy, policy_name
from fairlead.runtime.stop import stopped as stopped_by

_EVERY_S = 0.2


async def stop(kube: Kube, consumers: Iterable[str]) -> None:
    """Stop consumers, `namespace/name`; raises `ClusterError`. Whoever is stopped stays so."""
    named = [consumer.split("/") for consumer in consumers]
    for namespace, name in named:  # a name that is mistyped stops nobody, and that must be said before all else
        if await kube.get("ModelConsumer", namespace=namespace, name=name) is None:
            raise ClusterError(f"ModelConsumer {namespace}/{name} is not there: nobody was stopped")
    for namespace, name in named:
        await kube.apply(policy(namespace, name))


async def let_go(kube: Kube, consumers: Iterable[str]) -> None:
    """Let consumers go on; raises `ClusterError`. One that was not stopped is well."""
    for consumer in consumers:
        namespace, name = consumer.split("/")
        await kube.delete("BudgetPolicy", namespace=namespace, name=policy_name(name))


async def still_stopped_by(kube: Kube, consumer: str) -> str:
    """Name the policies of others that stop a consumer by its name; '' where there are none; raises `ClusterError`."""
    namespace, name = consumer.split("/")
    found = await kube.list("BudgetPolicy", namespace=namespace)
    stopping = {one["metadata"]["name"] for one in found if names(one, name)}
    others = sorted(stopping - {policy_name(name)})  # that one was just deleted, and may be listed for a moment
    return ", ".join(f"BudgetPolicy {namespace}/{one}, whose limit is 0: delete it" for one in others)


async def stopped(kube: Kube, *, namespace: str | None) -> tuple[str, ...]:
    """Return who is stopped by this command, `namespace/name`; raises `ClusterError`."""
    found = await kube.list("BudgetPolicy", namespace=namespace)
    keyed = {ObjectKey("BudgetPolicy", one["metadata"]["namespace"], one["metadata"]["name"]): one for one in found}
    return tuple(sorted(stopped_by(keyed)))


async def in_effect(kube: Kube, clock: Clock, consumer: str, *, within_s: float) -> str:
    """Wait until budget servers decide by the policy; return what its status says when they do not in time, else ''."""
    namespace, name = consumer.split("/")
    deadline = clock.monotonic() + within_s
    while True:
        found = await kube.get("BudgetPolicy", namespace=namespace, name=policy_name(name)) or {}
        enforced = condition(found, "Enforced")
        if enforced.get("status") == "True":
            return ""
        if clock.monotonic() >= deadline:
            return str(enforced.get("message") or "no operator has judged it yet")
        await clock.sleep(_EVERY_S)
