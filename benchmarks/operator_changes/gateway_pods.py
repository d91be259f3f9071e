"""Gateway pods that serve what their ConfigMaps hold as soon as it stands there, and hold every key and credential."""

from collections.abc import Mapping

from aiohttp import web

from fairlead import envoy
from fairlead.adapters.gateway_answer import READY_PATH
from fairlead.adapters.gateway_metrics import PATH as METRICS_PATH
from fairlead.envoy import held
from fairlead.manifests import Settings, watched_files
from memory_cluster import MemoryCluster


class GatewayPods:
    """One for each region."""

    def __init__(self, cluster: MemoryCluster, settings: Settings, regions: Mapping[str, str]) -> None:
        """`regions`: by region, the address of its pod."""
        self._cluster, self._settings = cluster, settings
        self._region_of = {address: region for region, address in regions.items()}
        self._digests: dict[str, tuple[tuple[str, ...], str]] = {}

    def application(self, address: str) -> web.Application:
        """Serve what one pod says."""

        async def ready(_: web.Request) -> web.Response:
            digest = self._digest(self._region_of[address])
            return web.json_response({"digest": digest}, status=200 if digest else 503)

        async def holds(_: web.Request) -> web.Response:
            return web.Response()

        async def metrics(_: web.Request) -> web.Response:
            return web.Response(text="")

        made = web.Application()
        made.router.add_get(READY_PATH, ready)
        made.router.add_get(held.PATH, holds)
        made.router.add_get(METRICS_PATH, metrics)
        return made

    def _digest(self, region: str) -> str:
        names = [f"fairlead-gateway-{region}-packed-{part}" for part in ("clusters", "listeners", "routes")]
        versions = tuple(self._cluster.version_of("ConfigMap", name) for name in names)
        known = self._digests.get(region)
        if known is None or known[0] != versions:
            files = watched_files(lambda name: self._cluster.find("ConfigMap", name), self._settings, region)
            known = self._digests[region] = versions, "" if files is None else envoy.digest(files)
        return known[1]
