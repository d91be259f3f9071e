"""Making the cluster's gateways what was compiled: keys, ConfigMaps, the rest, and a nudge to the kubelets."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from structlog.typing import FilteringBoundLogger

from fairlead import envoy, manifests
from fairlead.adapters.clock import Clock
from fairlead.adapters.kube import Kube, UnreachableError
from fairlead.compiler import Compiled, CompiledGateway
from fairlead.controller import keys_secret, load, memory
from fairlead.controller.changeover import Changeover, Written
from fairlead.controller.context import Context
from fairlead.controller.keys import KeyRing
from fairlead.controller.keys_secret import Keys, KeysSecret
from fairlead.controller.live import Live
from fairlead.controller.metrics import Metrics
from fairlead.controller.nudges import Metadata, Nudges
from fairlead.controller.obstacle import obstacle
from fairlead.controller.readback import is_ready
from fairlead.controller.refresh import ANNOTATION
from fairlead.controller.written_objects import Failure, WrittenObjects
from fairlead.errors import ClusterError, TooLargeError
from fairlead.manifests import COMPONENT_LABEL, IN_ROTATION_LABEL, REGION_LABEL, budget_configuration, naming
from fairlead.runtime.memory import Writing
from fairlead.runtime.snapshot import bound_keys
from fairlead.status import Keyless

Object = Mapping[str, Any]

DIGEST_ANNOTATION = "fairlead.dev/configuration"
"""On a gateway pod: the configuration that it is to serve. A change makes the kubelet refresh its mounts at once."""
KEYS_ANNOTATION = "fairlead.dev/keys"
"""On a gateway pod: the version of the Secret of keys that it is to serve."""
BOOK_ANNOTATION = "fairlead.dev/book"
"""On a budget server's pod: the configuration that it is to decide by."""
_ENDED = ("Failed", "Succeeded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What came of applying."""

    too_large: frozenset[str]
    """Regions whose files do not fit; their gateways keep what they have."""
    written: Mapping[str, str]
    """Of regions whose files stand where their pods take them from: the digest of what stands there."""
    between: frozenset[str]
    """Those of them whose pods are made ready for what is wanted, and do not serve it yet."""
    obstacles: Mapping[str, str]
    """Of regions whose pods lack a Secret: why they are not replaced yet."""
    keyless: Mapping[str, Keyless]
    """Consumers (`namespace/name`) whose keys the gateways do not get, and why."""
    keys: Keys | None
    """The keys that stand where gateways take them from; None = not known."""
    error: ClusterError | None
    """The first of what was refused; everything else was written. To be tried again."""
    again_in_s: float | None
    """When there is more to do that may not be done yet; None = nothing is left to do."""


class Gateways:
    """All gateways of this cluster."""

    def __init__(
        self, *, kube: Kube, clock: Clock, context: Context, live: Live, metrics: Metrics, log: FilteringBoundLogger
    ) -> None:
        self._kube, self._clock, self._context = kube, clock, context
        self._live, self._log = live, log
        self._nudges = Nudges(kube, clock, namespace=context.namespace, live=live, metrics=metrics)
        self._written = WrittenObjects(
            kube=kube,
            clock=clock,
            live=live,
            metrics=metrics,
            log=log,
            namespace=context.namespace,
            owner_uid=context.owner_uid,
        )
        self._keys = KeysSecret(kube, metrics, log, namespace=context.namespace, name=context.settings.keys_secret)
        self._changeovers: dict[str, Changeover] = {}
        self._told: dict[str, str] = {}
        self._last_good = Writing()

    @property
    def mark(self) -> str:
        """By which a gateway shows that it has loaded the keys that were written last; empty = not known."""
        return self._keys.mark

    def look_at_keys(self) -> None:
        """Let the next `apply` compare the Secret of keys, which no watch shows."""
        self._keys.look()

    async def apply(
        self,
        compiled: Compiled,
        keys: KeyRing,
        born: Callable[[str], str],
        *,
        refresh: str,
        rotation: Mapping[str, bool],
        health: Mapping[str, Mapping[str, Any]],
        rollouts: bytes,
    ) -> Applied:
        """Write what differs, in an order that no gateway suffers from.

        Keys, rollouts and clusters before the routes that need them, configuration before pods, deletions at the end.
        `born` says when a consumer was made: where not all keys fit, the oldest consumers keep theirs. `refresh`: see
        there. `rotation`: of each region, whether the Service over all regions sends clients there. `health` and
        `rollouts`: what to keep.

        Raises:
            ClusterError: nothing answers, or rollouts cannot be kept: what nobody would remember moves no traffic.

        """
        too_large = {region: gateway.too_large for region, gateway in compiled.gateways.items() if gateway.too_large}
        desired = [region for region in compiled.gateways if region not in too_large]
        ours, unfit = self._own(compiled, health, rollouts)
        self._tell_once({**too_large, **unfit})
        keep = [*unfit, *(naming.gateway(self._context.settings, region) for region in too_large)]
        versions = {region: self._version(region, compiled.gateways[region]) for region in desired}
        planned = self._written.compare(
            [
                *ours,
                *(one for region, version in versions.items() for one in _carrying(compiled.gateways[region], version)),
            ],
            keep=keep,
        )
        rendered = self._keys_of(compiled, keys, born)
        keys_error = await self._write_keys(rendered)
        await self._keep_rollouts(planned.apply)
        brought = await self._written.bring([one for one in planned.apply if not self._is_of_rollouts(one)], _lane)
        unwritten = {lane for lane, failure in brought.failed.items() if manifests.is_watched(failure.manifest)}
        digests = {region: version.digest for region, version in versions.items() if region not in unwritten}
        _, nudge_later = await self._nudges.tell(lambda pod: self._wanted_of(pod, digests, refresh, rotation))
        errors = [*filter(None, [keys_error]), *(failure.error for failure in brought.failed.values())]
        if not errors:
            await self._written.delete(planned.delete)
        return Applied(
            too_large=frozenset(too_large),
            written=digests,
            between=frozenset(region for region in digests if versions[region].is_between),
            obstacles={
                region: self._obstacle(region, brought.failed.get(region))
                for region, gateway in compiled.gateways.items()
                if gateway.lacking or not self._has_ready(region)
            },
            keyless=self._keys.keyless(rendered, {binding.consumer for binding in compiled.key_bindings}),
            keys=rendered if keys_error is None and not self._keys.is_missing else None,
            error=errors[0] if errors else None,
            again_in_s=min(
                filter(None, [brought.later_s, nudge_later, *(one.again_in_s for one in versions.values())]),
                default=None,
            ),
        )

    def forget(self) -> None:
        """Take nothing for granted that another leader may have written."""
        self._changeovers.clear()

    def confirm(self, region: str, answers: Collection[str]) -> bool:
        """Take note of the digests that a region's ready pods serve; tell whether there is more to write by now."""
        changeover = self._changeovers.get(region)
        return changeover is not None and changeover.confirm(answers, now=self._clock.monotonic())

    def is_between(self, region: str) -> bool:
        """Tell whether what is wanted of a region waits for its pods to serve what comes before it."""
        changeover = self._changeovers.get(region)
        return changeover is not None and changeover.is_between

    def _version(self, region: str, gateway: CompiledGateway) -> Written:
        """Choose what a region's pods are to serve next; where none takes requests, that is what is wanted."""
        now = self._clock.monotonic()
        if not self._has_ready(region):
            self._changeovers[region] = self._changeover(region, None, now)
        elif region not in self._changeovers:
            settings = self._context.settings
            there = manifests.watched_files(lambda one: self._live.get("ConfigMap", one), settings, region)
            self._changeovers[region] = self._changeover(region, there, now)
        return self._changeovers[region].write(gateway.files, gateway.digest, now=now)

    def _changeover(self, region: str, there: Mapping[str, bytes] | None, now: float) -> Changeover:
        return Changeover(there, now=now, limit_bytes=envoy.limit_bytes(self._context.layouts[region]))

    def mounted(self) -> Mapping[str, frozenset[str]]:
        """Return, by region, the Secrets that all of its pods mount; a region without pods is not named."""
        found: dict[str, frozenset[str]] = {}
        for pod in self._live.of_kind("Pod"):
            region = _region_of(pod)
            has_ended = "deletionTimestamp" in pod["metadata"] or pod.get("status", {}).get("phase") in _ENDED
            if region and not has_ended:
                secrets = manifests.mounted_secrets(pod)
                found[region] = found.get(region, secrets) & secrets
        return found

    def deployed(self) -> Mapping[str, frozenset[str]]:
        """Return, by region, the Secrets with credentials that its Deployment mounts."""
        return {_region_of(one): manifests.deployed_secrets(one) for one in self._live.of_kind("Deployment")}

    def _own(
        self, compiled: Compiled, health: Mapping[str, Mapping[str, Any]], rollouts: bytes
    ) -> tuple[Sequence[Object], Mapping[str, str]]:
        """Return what is no region's, the memories among it, and the names of what does not fit, with why."""
        settings, made, unfit = self._context.settings, [*compiled.manifests], dict[str, str]()
        if compiled.too_large and settings.budget_server is not None:
            unfit[settings.budget_server.configuration] = compiled.too_large
        for name, data in (
            (memory.last_good_name(self._context), partial(memory.last_good_data, compiled.last_good, self._last_good)),
            (load.CONFIG_MAP, partial(memory.health_data, health)),
            (memory.rollouts_name(self._context), partial(memory.rollouts_data, rollouts)),
        ):
            head = naming.manifest(
                "v1",
                "ConfigMap",
                name,
                settings=settings,
                namespace=self._context.namespace,
                owner_uid=self._context.owner_uid,
                labels={COMPONENT_LABEL: "operator"},
            )
            try:
                made.append({**head, **data()})
            except TooLargeError as error:
                unfit[name] = str(error)
        return made, unfit

    async def _keep_rollouts(self, objects: Iterable[Object]) -> None:
        """Write down how rollouts stand; raises `ClusterError`."""
        brought = await self._written.bring([one for one in objects if self._is_of_rollouts(one)], _lane)
        for failure in brought.failed.values():
            raise failure.error

    def _is_of_rollouts(self, manifest: Object) -> bool:
        return bool(manifest["metadata"]["name"] == memory.rollouts_name(self._context))

    def _tell_once(self, too_large: Mapping[str, str]) -> None:
        for name, why in too_large.items():
            if self._told.get(name) != why:
                self._log.warning("too large", what=why, name=name)
        self._told = dict(too_large)

    async def nudge_again(self, pods: Collection[str]) -> None:
        """Tell pods once more that there is a configuration which they do not serve yet; raises `ClusterError`."""
        await self._nudges.again(pods)

    def _has_ready(self, region: str) -> bool:
        return any(_region_of(pod) == region and is_ready(pod) for pod in self._live.of_kind("Pod"))

    def _obstacle(self, region: str, failure: Failure | None) -> str:
        if failure is not None:
            return str(failure.error)
        deployment = self._live.get("Deployment", naming.gateway(self._context.settings, region))
        return obstacle(deployment, [pod for pod in self._live.of_kind("Pod") if _region_of(pod) == region])

    def _keys_of(self, compiled: Compiled, keys: KeyRing, born: Callable[[str], str]) -> Keys:
        bound = [(key, consumer) for key, consumer in bound_keys(compiled, keys.values) if key]
        pairs = sorted(bound, key=lambda pair: (born(pair[1]), pair[1], pair[0]))
        anonymous = next((gateway.ir.anonymous for gateway in compiled.gateways.values()), None)
        return keys_secret.rendered(pairs, anonymous)

    async def _write_keys(self, keys: Keys) -> ClusterError | None:
        """Write the keys of all consumers; return what refuses them: it does not refuse the rest."""
        try:
            await self._keys.write(keys)
        except UnreachableError:
            raise
        except ClusterError as error:
            return error
        return None

    def _wanted_of(
        self, pod: Object, digests: Mapping[str, str], refresh: str, rotation: Mapping[str, bool]
    ) -> Metadata:
        """Return the annotations and labels that a pod is to have, by what it serves."""
        region = _region_of(pod)
        if region in rotation:
            labels = {"labels": {IN_ROTATION_LABEL: str(rotation[region]).lower()}}
            asked = {ANNOTATION: refresh} if refresh else {}
            if region not in digests:
                return labels
            serves = {DIGEST_ANNOTATION: digests[region][:16], KEYS_ANNOTATION: self._keys.version}
            return {**labels, "annotations": {**serves, **asked}}
        server = self._context.settings.budget_server
        if (
            server is not None
            and pod["metadata"].get("labels", {}).get(COMPONENT_LABEL) == budget_configuration.COMPONENT
        ):
            stored = self._live.get("ConfigMap", server.configuration)
            return {"annotations": {BOOK_ANNOTATION: budget_configuration.stored_version(stored)}}
        return {}


def _region_of(found: Object) -> str:
    return str(found["metadata"].get("labels", {}).get(REGION_LABEL, ""))


def _carrying(gateway: CompiledGateway, version: Written) -> Sequence[Object]:
    """Return a region's objects with the files of a version, which mostly are those that they carry already."""
    return gateway.manifests if version.files is gateway.files else manifests.carrying(gateway.manifests, version.files)


def _lane(manifest: Object) -> str:
    """Name the lane of an object: a region's objects stand in one, each other in its own."""
    return _region_of(manifest) or f"{manifest['kind']}/{manifest['metadata']['name']}"
