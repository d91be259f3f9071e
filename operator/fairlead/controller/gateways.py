"""Making the cluster's gateways what was compiled: keys, ConfigMaps, the rest, and a nudge to the kubelets."""

import asyncio
import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from structlog.typing import FilteringBoundLogger

from fairlead import envoy, manifests
from fairlead.adapters.clock import Clock
from fairlead.adapters.kube import Kube
from fairlead.compiler import Compiled, CompiledGateway
from fairlead.controller.budget_configuration import BudgetConfigurationMap
from fairlead.controller.context import COMPONENT_LABEL, Context
from fairlead.controller.keys import KeyRing
from fairlead.controller.live import Live
from fairlead.controller.metrics import Metrics
from fairlead.controller.nudges import Nudges
from fairlead.controller.plan import plan
from fairlead.errors import TooLargeError
from fairlead.manifests import OWNED_KINDS, REGION_LABEL, naming
from fairlead.manifests.configuration import BOOTSTRAP

Object = Mapping[str, Any]

DIGEST_ANNOTATION = "fairlead.dev/configuration"
"""On a gateway pod: the configuration that it is to serve. A change makes the kubelet refresh its mounts at once."""
KEYS_ANNOTATION = "fairlead.dev/keys"
"""On a gateway pod: the version of the Secret of keys that it is to serve."""
KEYS_FILE = "ecds.json"

BOOK_ANNOTATION = "fairlead.dev/book"
"""On a budget server's pod: the configuration that it is to decide by."""
HELD_AT_MOST_S = 120.0
"""How long a configuration waits for pods that mount its credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What came of applying."""

    too_large: frozenset[str]
    """Regions whose files do not fit; their gateways keep what they have."""
    held: frozenset[str]
    """Regions whose pods are being replaced by ones that mount a new credential; the configuration comes after."""
    writes: int
    again_in_s: float | None
    """When pods that were nudged just now may be nudged again; None = nothing is left to do."""


class Gateways:
    """All gateways of this cluster."""

    def __init__(
        self, *, kube: Kube, clock: Clock, context: Context, live: Live, metrics: Metrics, log: FilteringBoundLogger
    ) -> None:
        self._kube, self._clock, self._context = kube, clock, context
        self._live, self._metrics, self._log = live, metrics, log
        self._keys_written: bytes | None = None
        self._keys_version = ""
        self._nudges = Nudges(kube, clock, namespace=context.namespace, live=live, metrics=metrics)
        self._configuration = _configuration_of(kube, log, context)
        self._held_since: dict[str, float] = {}

    async def apply(self, compiled: Compiled, keys: KeyRing) -> Applied:
        """Write what differs, in an order that no gateway suffers from; raises `ClusterError`.

        Keys and clusters before the routes that need them, configuration before pods, deletions at the end.
        """
        desired: dict[str, Sequence[Object]] = {}
        too_large = {region for region, gateway in compiled.gateways.items() if gateway.too_large}
        for region, gateway in compiled.gateways.items():
            if region in too_large:
                continue
            try:
                desired[region] = manifests.render(
                    gateway.ir,
                    gateway.files,
                    further_secrets=_providers_secrets(compiled),
                    settings=self._context.settings,
                    namespace=self._context.namespace,
                    owner_uid=self._context.owner_uid,
                )
            except TooLargeError as error:
                too_large.add(region)
                self._log.warning("too large", region=region, what=str(error))
        kept = [naming.gateway(self._context.settings, region) for region in too_large]
        planned = plan(
            [manifest for region in desired for manifest in desired[region]],
            [found for kind in OWNED_KINDS for found in self._live.of_kind(kind)],
            owner_uid=self._context.owner_uid,
            keep=kept,
        )
        writes = await self._write_keys(compiled, keys)
        held = frozenset(region for region in desired if self._is_held(compiled.gateways[region]))
        to_apply = [manifest for manifest in planned.apply if not _waits(manifest, held)]
        if self._configuration is not None:
            writes += await self._configuration.write(compiled.configuration)
        by_region = groupby(to_apply, key=_region_of)
        await asyncio.gather(*(self._apply(tuple(group)) for _, group in by_region))
        digests = {region: gateway.digest for region, gateway in compiled.gateways.items() if region in desired}
        digests = {region: digest for region, digest in digests.items() if region not in held}
        nudged, again_in_s = await self._nudges.tell(lambda pod: self._wanted_of(pod, digests))
        for found in planned.delete:
            await self._delete(found)
        return Applied(
            too_large=frozenset(too_large),
            held=held,
            writes=writes + len(to_apply) + nudged + len(planned.delete),
            again_in_s=again_in_s,
        )

    async def nudge_again(self, pods: Collection[str]) -> None:
        """Tell pods once more that there is a configuration which they do not serve yet; raises `ClusterError`."""
        await self._nudges.again(pods)

    def _is_held(self, gateway: CompiledGateway) -> bool:
        """Tell whether a region's pods lack a credential that its configuration needs.

        Then the pods are replaced first: with the configuration first, the old ones would call the provider without
        its credential. Not for ever: pods that cannot start must not keep all other changes from those that run.
        """
        region, now = gateway.ir.region, self._clock.monotonic()
        needed = manifests.secrets(gateway.ir)
        pods = [pod for pod in self._live.of_kind("Pod") if _region_of(pod) == region]
        running = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        if all(needed <= manifests.mounted_secrets(pod) for pod in running):
            self._held_since.pop(region, None)
            return False
        if region not in self._held_since:
            self._log.info("rolls", what="pods are replaced to mount a new credential", region=region)
        return now - self._held_since.setdefault(region, now) < HELD_AT_MOST_S

    async def _apply(self, objects: Iterable[Object]) -> None:
        for manifest in objects:
            applied = await self._kube.apply(manifest)
            self._live.put({**applied, "kind": manifest["kind"]})
            self._wrote("apply", manifest)

    async def _delete(self, found: Object) -> None:
        name = found["metadata"]["name"]
        await self._kube.delete(found["kind"], namespace=self._context.namespace, name=name)
        self._live.remove(found["kind"], name)
        self._wrote("delete", found)

    async def _write_keys(self, compiled: Compiled, keys: KeyRing) -> int:
        """Write the keys of all consumers. The operator cannot read them back, so it remembers what it wrote."""
        bound = [(binding.consumer, keys.value(binding.ref)) for binding in compiled.key_bindings]
        anonymous = next((gateway.ir.anonymous for gateway in compiled.gateways.values()), None)
        content = envoy.api_keys([(value, consumer) for consumer, value in bound if value], anonymous)
        if content == self._keys_written:
            return 0
        secret = self._context.settings.keys_secret
        written = await self._kube.merge(
            "Secret",
            namespace=self._context.namespace,
            name=secret,
            patch={"data": {KEYS_FILE: base64.b64encode(content).decode()}},
        )
        if written is None:
            self._log.error("no secret for keys", what=f"Secret {secret} is missing, run helm upgrade")
            return 0
        version = written["metadata"]["resourceVersion"]
        self._keys_written, self._keys_version, was = content, version, self._keys_version
        self._metrics.writes.labels("patch", "Secret").inc()
        if version != was:
            self._log.info("keys", what=f"{len(bound)} keys of consumers", version=version)
        return 1

    def _wanted_of(self, pod: Object, digests: Mapping[str, str]) -> Mapping[str, str]:
        """Return the annotations that a pod is to have, by what it serves."""
        region = _region_of(pod)
        if region in digests:
            return {DIGEST_ANNOTATION: digests[region][:16], KEYS_ANNOTATION: self._keys_version}
        if (
            self._configuration is not None
            and pod["metadata"].get("labels", {}).get(COMPONENT_LABEL) == "budget-server"
        ):
            return {BOOK_ANNOTATION: self._configuration.digest}
        return {}

    def _wrote(self, verb: str, manifest: Object) -> None:
        self._metrics.writes.labels(verb, manifest["kind"]).inc()
        self._log.info(verb, what=f"{manifest['kind']} {manifest['metadata']['name']}")


def _region_of(found: Object) -> str:
    return str(found["metadata"].get("labels", {}).get(REGION_LABEL, ""))


def _waits(manifest: Object, held: Collection[str]) -> bool:
    """Tell whether an object waits for its region's pods: what Envoy watches does, what it reads at start does not."""
    is_watched = manifest["kind"] == "ConfigMap" and not manifest["metadata"]["name"].endswith(f"-{BOOTSTRAP}")
    return is_watched and _region_of(manifest) in held


def _providers_secrets(compiled: Compiled) -> frozenset[str]:
    """Return the Secrets of all providers, used or not, in the versions that are in effect."""
    named = [
        endpoint.get("credential")
        for key, version in compiled.last_good.items()
        if key.kind == "ModelProvider"
        for endpoint in version["spec"]["endpoints"]
    ]
    return frozenset(credential["secretName"] for credential in named if credential)


def _configuration_of(kube: Kube, log: FilteringBoundLogger, context: Context) -> BudgetConfigurationMap | None:
    server = context.settings.budget_server
    if server is None:
        return None
    return BudgetConfigurationMap(
        kube,
        log,
        namespace=context.namespace,
        name=server.configuration,
        owner=context.owner,
        labels={**context.settings.labels, COMPONENT_LABEL: "budget-server"},
    )
