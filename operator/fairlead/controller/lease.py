"""Who leads: several operators may run, one of them writes. By a Lease, as Kubernetes' own controllers do it.

A lease is taken when it is free, or when it was seen unchanged for as long as it says it lasts: by the observer's own
clock, so that clocks need not agree. Who cannot renew stops leading before anybody else can begin.

An upgrade leads by the new version before the old pod ends: who is of the revision that the release has now asks on the
lease for it, and a holder of another one stops leading, lets what it writes end, and gives it back. A holder that does
not say its revision is of a version that knows none of this, and is not asked.
"""

from collections.abc import Callable, Mapping
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
HAND_OVER_S = LEASE_S - GIVE_UP_AFTER_S
"""For so long who hands over holds the lease without leading: writes that are under way end meanwhile."""
ASK_S = 60.0
"""For so long an operator asks for the lease before it stands by as usual."""
REVISION, NEXT = "fairlead.dev/revision", "fairlead.dev/next"
"""Annotations of the lease: of what revision its holder is, and who asks for it."""


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
        self,
        kube: Kube,
        clock: Clock,
        *,
        namespace: str,
        name: str,
        identity: str,
        owner: Mapping[str, Any],
        revision: str = "",
        wanted: Callable[[], str] = str,
    ) -> None:
        """`revision`: of this operator. `wanted`: the release's now; either is empty where nobody knows it."""
        self._kube, self._clock = kube, clock
        self._namespace, self._name, self._identity, self._owner = namespace, name, identity, owner
        self._observation = Observation(record=("", ""), since=clock.monotonic())
        self._renewed_at: float | None = None
        self._follows = False
        self._revision, self._wanted = revision, wanted
        self._handing_since: float | None = None
        self._asking_since: float | None = None

    @property
    def leads(self) -> bool:
        """Tell whether this operator may write now."""
        return self._renewed_at is not None and self._clock.monotonic() - self._renewed_at < GIVE_UP_AFTER_S

    @property
    def follows(self) -> bool:
        """Tell whether another operator held the lease when it was last looked at."""
        return self._follows

    @property
    def asks(self) -> bool:
        """Tell whether this operator asks another one, of another revision, for the lease; not for ever."""
        since = self._asking_since
        return since is not None and self._clock.monotonic() - since < ASK_S

    async def step(self) -> None:
        """Renew the lease, take it, ask for it, hand it over, or leave it to who has it; raises `ClusterError`."""
        asked_at = self._clock.monotonic()
        found = await self._kube.get("Lease", namespace=self._namespace, name=self._name)
        try:
            if found is None:
                await self._kube.create(self._lease({}, {}))
            elif self._is_asked(found):
                self._renewed_at, self._follows = None, True
                await self._hand_over(found)
                return
            elif self._may_write(found):
                await self._kube.replace(self._lease(found.get("spec", {}), found["metadata"]))
            else:
                self._renewed_at, self._follows = None, True
                await self._ask(found)
                return
        except ConflictError:
            self._renewed_at = None
            return
        self._renewed_at, self._follows = asked_at, False
        self._handing_since = self._asking_since = None

    @property
    def _is_outdated(self) -> bool:
        wanted = self._wanted()
        return bool(wanted and self._revision and wanted != self._revision)

    def _is_asked(self, lease: Mapping[str, Any]) -> bool:
        """Tell whether another operator asks for what this one holds, and should have it."""
        holds = lease.get("spec", {}).get("holderIdentity") == self._identity
        return holds and self._is_outdated and _annotation(lease, NEXT) not in ("", self._identity)

    async def _hand_over(self, lease: Mapping[str, Any]) -> None:
        """Hold the lease until nothing is written any more, then give it to whoever asks."""
        now = self._clock.monotonic()
        self._handing_since = now if self._handing_since is None else self._handing_since
        kept = self._lease(lease["spec"], lease["metadata"], asking=_annotation(lease, NEXT))
        if now - self._handing_since >= HAND_OVER_S:
            kept = {**kept, "spec": {**kept["spec"], "holderIdentity": ""}}
        await self._kube.replace(kept)

    async def _ask(self, lease: Mapping[str, Any]) -> None:
        """Ask for the lease where its holder is of another revision than the release, and this operator is not."""
        theirs, wanted = _annotation(lease, REVISION), self._wanted()
        if not theirs or not self._revision or theirs == self._revision or wanted not in ("", self._revision):
            self._asking_since = None
            return
        if self._asking_since is None:
            self._asking_since = self._clock.monotonic()
        if wanted and _annotation(lease, NEXT) != self._identity:
            annotations = {**(lease["metadata"].get("annotations") or {}), NEXT: self._identity}
            await self._kube.replace({**lease, "metadata": {**lease["metadata"], "annotations": annotations}})

    async def resign(self) -> None:
        """Give the lease back, so that the next operator need not wait; raises `ClusterError`."""
        if not self.leads and self._handing_since is None:
            return
        self._renewed_at = None
        found = await self._kube.get("Lease", namespace=self._namespace, name=self._name)
        if found is not None and found.get("spec", {}).get("holderIdentity") == self._identity:
            lease = self._lease(found["spec"], found["metadata"])
            await self._kube.replace({**lease, "spec": {**lease["spec"], "holderIdentity": ""}})

    def _may_write(self, lease: Mapping[str, Any]) -> bool:
        spec = lease.get("spec", {})
        record = spec.get("holderIdentity", ""), spec.get("renewTime", "")
        if record != self._observation.record:
            self._observation = Observation(record=record, since=self._clock.monotonic())
        if spec.get("holderIdentity") == self._identity:
            return True
        if self._is_outdated and _annotation(lease, NEXT) not in ("", self._identity):  # who asked is to have it first
            spec = {"holderIdentity": _annotation(lease, NEXT), **{k: v for k, v in spec.items() if v != ""}}
        return is_free(spec, self._observation, monotonic=self._clock.monotonic())

    def _lease(self, spec: Mapping[str, Any], metadata: Mapping[str, Any], *, asking: str = "") -> dict[str, Any]:
        """Write the lease; owned by the release, so that it goes when that does."""
        marks = {name: value for name, value in ((REVISION, self._revision), (NEXT, asking)) if value}
        version = {"resourceVersion": metadata["resourceVersion"]} if metadata else {}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "namespace": self._namespace,
                "name": self._name,
                "ownerReferences": [dict(self._owner)],
                **({"annotations": marks} if marks else {}),
                **version,
            },
            "spec": dict(renewed(spec, identity=self._identity, now=self._clock.now())),
        }


def _annotation(lease: Mapping[str, Any], name: str) -> str:
    return str((lease["metadata"].get("annotations") or {}).get(name, ""))
