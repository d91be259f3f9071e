"""Asking an Envoy which version of each file it serves, and whether it refused one: what a change waits for."""

from collections.abc import Mapping
from dataclasses import dataclass

from fairlead.adapters.envoy_admin import EnvoyAdmin
from fairlead.errors import EnvoyError
from fairlead.standalone import plan

SUBSCRIBED: Mapping[str, str] = {
    plan.CLUSTERS: "cluster_manager.cds.",
    plan.LISTENERS: "listener_manager.lds.",
    plan.ROUTES: "http.fairlead.rds.fairlead.",
}
"""The files whose stats tell which version is served, with how the stats' names begin."""
_WARMING = ("cluster_manager.warming_clusters", "listener_manager.total_listeners_warming")
_REFUSALS = ("update_rejected", "update_failure")
_WATCHED = (
    r"^(cluster_manager\.(cds\.|warming_clusters)|listener_manager\.(lds\.|total_listeners_warming)"
    r"|http\.fairlead\.rds\.)"
)
_KEYS_WATCHED = r"^extension_config_discovery\..*version_text$"


@dataclass(frozen=True, slots=True)
class Seen:
    """What an Envoy said at one moment; nothing when it did not answer."""

    stats: Mapping[str, int | str]

    @property
    def warms(self) -> bool:
        """Whether something waits to be in use: a name that is looked up, above all."""
        return any(self.stats.get(name) for name in _WARMING)

    def version(self, path: str) -> str:
        """Return the version of a subscribed file that it serves; empty when it does not say."""
        return str(self.stats.get(f"{SUBSCRIBED[path]}version_text", ""))

    def serves(self, files: plan.Files) -> bool:
        """Tell whether it serves all of these files, stamped."""
        return not self.warms and all(self.version(path) == plan.version(files[path]) for path in SUBSCRIBED)

    def refusals(self, path: str) -> int:
        """Count the versions of a file that it refused since it started."""
        counts = (self.stats.get(SUBSCRIBED[path] + name, 0) for name in _REFUSALS)
        return sum(count for count in counts if isinstance(count, int))


NOTHING = Seen({})


class Readback:
    """One Envoy's answers, and how many refusals of it are known already."""

    def __init__(self, admin: EnvoyAdmin) -> None:
        self._admin = admin
        self._refusals: dict[str, int] = {}

    def forget(self) -> None:
        """Begin with an Envoy that has refused nothing yet."""
        self._refusals.clear()

    async def look(self) -> Seen:
        """Ask; an Envoy that died or is too busy has said nothing."""
        try:
            return Seen(await self._admin.stats(_WATCHED))
        except EnvoyError:
            return NOTHING

    async def serves_keys(self, version: str) -> bool:
        """Tell whether it serves this version of the keys."""
        try:
            return version in (await self._admin.stats(_KEYS_WATCHED)).values()
        except EnvoyError:
            return False

    def refused(self, seen: Seen, path: str) -> bool:
        """Tell whether it refused a version of a file since this was asked last."""
        now, before = seen.refusals(path), self._refusals.get(path, 0)
        self._refusals[path] = max(now, before)
        return now > before

    def refused_any(self, seen: Seen) -> bool:
        """Tell the same of all files together."""
        return any(self.refused(seen, path) for path in SUBSCRIBED)
