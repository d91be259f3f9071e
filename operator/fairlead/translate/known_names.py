"""The names of everything that was written, good or not: what a reference may lead to."""

from collections.abc import Collection
from dataclasses import dataclass

from fairlead.api.conditions import Reason
from fairlead.api.selector import Consumers
from fairlead.translate.diagnostics import Diagnostics
from fairlead.translate.suggestion import listed, meant


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNames:
    """Names of all objects, `namespace/name`. A reference to an object that is broken leads somewhere all the same."""

    routes: Collection[str]
    consumers: Collection[str]

    def check_route(self, namespace: str, name: str, path: str, diagnostics: Diagnostics) -> bool:
        """Tell whether a route of a namespace exists, and say so if it does not."""
        if f"{namespace}/{name}" in self.routes:
            return True
        near = _within(self.routes, namespace)
        want = f"a ModelRoute of namespace `{namespace}`" + (f" ({listed(near)})" if near else ", create it")
        diagnostics.note(Reason.ROUTE_NOT_FOUND, path, f"got `{name}`, want {want}{meant(name, near)}")
        return False

    def check_consumers(self, namespace: str, chosen: Consumers, diagnostics: Diagnostics) -> None:
        """Say which of the consumers of one namespace that are chosen by name do not exist."""
        for position, name in enumerate(chosen.names or ()):
            if f"{namespace}/{name}" in self.consumers:
                continue
            near = _within(self.consumers, namespace)
            want = f"a ModelConsumer of namespace `{namespace}`" + (f" ({listed(near)})" if near else ", create it")
            diagnostics.note(
                Reason.CONSUMER_NOT_FOUND,
                f"spec.consumers.names[{position}]",
                f"got `{name}`, want {want}{meant(name, near)}",
            )


def _within(names: Collection[str], namespace: str) -> list[str]:
    return sorted(name.partition("/")[2] for name in names if name.startswith(f"{namespace}/"))
