"""Who leads: several operators may run, one of them writes. By a Lease, as Kubernetes' own controllers do it.

A lease is taken when it is free, or when it was seen unchanged for as long as it says it lasts: by the observer's own
clock, so that clocks need not agree. Who cannot renew stops leading before anybody else can begin.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fairlead.adapters.clock import Clock
from fairlead.adapters.kube import ConflictError, Kube

LEASE_S = 15
"""How long a lease lasts after its last renewal."""
RENEW_EVERY_S = 2.0
GIVE_UP_AFTER_S = 10.0
"""Without a renewal for this long, a leader stops: well before its lease ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A holder and its last renewal, and since when it is seen like this (monotonic seconds)."""

    record: tuple[str, str]
    since: float


def is_free(spec: Mapping[str, Any], observation: Observation, *, monotonic: float) -> bool:
    """Tell whether a lease that somebody else held last may be taken."""
    if not spec.get("holderIdentity"):
        return True
    return monotonic - observation.since > float(spec.get("leaseDurationSeconds", LEASE_S))


def renewed(spec: Mapping[str, Any], *, identity: str, now: datetime) -> Mapping[str, Any]:
    """Write a lease's spec for its holder; taking it over counts a transition."""
    moment = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    is_mine = spec.get("holderIdentity") == identity
    return {
        "holderIdentity": identity,
        "leaseDurationSeconds": LEASE_S,
        "acquireTime": spec.get("acquireTime", moment) if is_mine else moment,
        "renewTime": moment,
        "leaseTransitions": int(spec.get("leaseTransitions", 0)) + (0 if is_mine else 1),
    }


class Election:
    """One operator's part in it."""

    def __init__(
        self, kube: Kube, clock: Clock, *, namespace: str, name: str, identity: str, owner: Mapping[str, Any]
    ) -> None:
        self._kube, self._clock = kube, clock
        self._namespace, self._name, self._identity, self._owner = namespace, name, identity, owner
        self._observation = Observation(record=("", ""), since=clock.monotonic())
        self._renewed_at: float | None = None

    @property
    def leads(self) -> bool:
        """Tell whether this operator may write now."""
        return self._renewed_at is not None and self._clock.monotonic() - self._renewed_at < GIVE_UP_AFTER_S

    async def step(self) -> None:
        """Renew the lease, take it, or leave it to who has it; raises `ClusterError`."""
        asked_at = self._clock.monotonic()
        found = await self._kube.get("Lease", namespace=self._namespace, name=self._name)
        try:
            if found is None:
                await self._kube.create(self._lease({}, {}))
            elif self._may_write(found.get("spec", {})):
                await self._kube.replace(self._lease(found.get("spec", {}), found["metadata"]))
            else:
                self._renewed_at = None
                return
        except ConflictError:
            self._renewed_at = None
            return
        self._renewed_at = asked_at

    async def resign(self) -> None:
        """Give the lease back, so that the next operator need not wait; raises `ClusterError`."""
        if not self.leads:
            return
        self._renewed_at = None
        found = await self._kube.get("Lease", namespace=self._namespace, name=self._name)
        if found is not None and found.get("spec", {}).get("holderIdentity") == self._identity:
            lease = self._lease(found["spec"], found["metadata"])
            await self._kube.replace({**lease, "spec": {**lease["spec"], "holderIdentity": ""}})

    def _may_write(self, spec: Mapping[str, Any]) -> bool:
        record = spec.get("holderIdentity", ""), spec.get("renewTime", "")
        if record != self._observation.record:
            self._observation = Observation(record=record, since=self._clock.monotonic())
        if spec.get("holderIdentity") == self._identity:
            return True
        return is_free(spec, self._observation, monotonic=self._clock.monotonic())

    def _lease(self, spec: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Write the lease; owned by the release, so that it goes when that does."""
        version = {"resourceVersion": metadata["resourceVersion"]} if metadata else {}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "namespace": self._namespace,
                "name": self._name,
                "ownerReferences": [dict(self._owner)],
                **version,
            },
            "spec": dict(renewed(spec, identity=self._identity, now=self._clock.now())),
        }
