"""What the compiler reported and what the gateways answered, as the four conditions of one object."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from fairlead.api.conditions import Condition, ConditionStatus, ConditionType, Reason
from fairlead.translate import Report, Served


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyless:
    """Why no gateway gets the keys of a consumer."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwell:
    """What real traffic fails at, of an object that is in effect."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolling:
    """A rollout that is under way, or whose target was sent back."""

    reason: Reason
    message: str
    stalled: bool
    """Whether Git asks for a target that does not serve."""


class RegionState(StrEnum):
    """How far an object's present version has come in one region's gateway."""

    SERVES = "serves"
    """Every ready pod answered with a configuration that has it."""
    BEHIND = "behind"
    """A ready pod still serves an older configuration, or no pod is ready."""
    WAITS = "waits"
    """Its pods do not mount a Secret that the object needs; they serve what was there before."""
    LACKS = "lacks"
    """Its pods mount the Secrets that the object needs, and one of them holds no usable credential."""
    TOO_LARGE = "too large"
    """The configuration does not fit where it has to go."""


_BEHIND = "not every gateway in {} serves this generation, want one that is ready and takes its configuration"
_STUCK = "no gateway in {} is ready: {}"
_UNMOUNTED = "gateways of {} do not mount Secret {}, and serve what was there before until new pods do"
_ABSENT = "gateways of {} hold no credential {}, want a Secret with this key, and a value that a header can carry"
_TOO_LARGE = "the configuration of {} is larger than a ConfigMap, gateways keep the one before, split the installation"


def conditions(
    report: Report,
    regions: Iterable[tuple[str, RegionState]],
    *,
    expired: bool = False,
    enforced: Condition | None = None,
    lacking: Mapping[str, str] | None = None,
    keyless: Keyless | None = None,
    unwell: Unwell | None = None,
    diversion: str = "",
    rolling: Rolling | None = None,
) -> tuple[Condition, ...]:
    """State the conditions of one object: Accepted, ResolvedRefs, Programmed, Enforced, Ready, in this order.

    After them stands `Reconciling` or `Stalled`, of a route whose rollout is `rolling`: kstatus' words for it.

    `expired`: a consumer whose `expiresAt` has passed. `enforced`: of a policy, whether somebody decides by it.
    `lacking`: by region, which Secrets its pods lack, and why; or why none of them runs.
    `keyless`: of a consumer, why no gateway has its keys. `unwell`: of a provider or route, what it fails at.
    `diversion`: of a route that is served by another than its primary, by whom, since when and why.
    """
    programmed = _programmed(report, tuple(regions), lacking or {}, keyless)
    ready = _ready(report, programmed, expired=expired, enforced=enforced)
    if unwell is not None and ready.status is ConditionStatus.TRUE:
        ready = replace(ready, status=ConditionStatus.FALSE, reason=unwell.reason, message=unwell.message)
    elif rolling is not None and rolling.stalled and ready.status is ConditionStatus.TRUE:
        ready = replace(ready, status=ConditionStatus.FALSE, reason=rolling.reason, message=rolling.message)
    elif diversion and ready.status is ConditionStatus.TRUE:
        ready = replace(ready, message=diversion)
    stated = (*report.conditions, programmed, *([enforced] if enforced else ()), ready)
    return stated if rolling is None else (*stated, _of_rollout(rolling, report.generation))


def _of_rollout(rolling: Rolling, generation: int | None) -> Condition:
    kind = ConditionType.STALLED if rolling.stalled else ConditionType.RECONCILING
    return _condition(kind, ConditionStatus.TRUE, rolling.reason, rolling.message, generation)


def _programmed(
    report: Report,
    regions: tuple[tuple[str, RegionState], ...],
    lacking: Mapping[str, str],
    keyless: Keyless | None,
) -> Condition:
    def state(status: ConditionStatus, reason: Reason, message: str) -> Condition:
        return _condition(ConditionType.PROGRAMMED, status, reason, message, report.generation)

    if report.served is Served.NOTHING:
        return state(ConditionStatus.FALSE, Reason.NOT_IN_EFFECT, "nothing of the object is in effect")
    if report.served is Served.LAST_GOOD:
        return state(ConditionStatus.FALSE, Reason.LAST_GOOD, "gateways serve the last good version")
    if keyless is not None:
        return state(ConditionStatus.FALSE, keyless.reason, keyless.message)
    for missed, reason, message in (
        (RegionState.TOO_LARGE, Reason.TOO_LARGE, _TOO_LARGE),
        (RegionState.WAITS, Reason.CREDENTIAL_NOT_MOUNTED, _UNMOUNTED),
        (RegionState.LACKS, Reason.SECRET_NOT_FOUND, _ABSENT),
        (RegionState.BEHIND, Reason.GATEWAY_BEHIND, _BEHIND),
    ):
        found = sorted(region for region, at in regions if at is missed)
        if found:
            why = next((lacking[region] for region in found if lacking.get(region)), "")
            told = _STUCK if missed is RegionState.BEHIND and why else message
            return state(ConditionStatus.FALSE, reason, told.format(_listed(found), why))
    return state(ConditionStatus.TRUE, Reason.PROGRAMMED, "every ready gateway serves this generation")


def _ready(report: Report, programmed: Condition, *, expired: bool, enforced: Condition | None) -> Condition:
    def state(status: ConditionStatus, reason: Reason, message: str) -> Condition:
        return _condition(ConditionType.READY, status, reason, message, report.generation)

    missing = next((found for found in report.conditions if found.status is not ConditionStatus.TRUE), None)
    if report.served is not Served.CURRENT:
        reason = Reason.LAST_GOOD if report.served is Served.LAST_GOOD else Reason.NOT_IN_EFFECT
        return state(ConditionStatus.FALSE, reason, missing.message if missing else programmed.message)
    if expired:
        return state(ConditionStatus.FALSE, Reason.EXPIRED, "`spec.expiresAt` has passed, its keys are refused")
    if missing is not None:
        return state(ConditionStatus.FALSE, Reason.NOT_IN_EFFECT, f"not all of it is in effect: {missing.message}")
    if programmed.status is not ConditionStatus.TRUE:
        return state(ConditionStatus.FALSE, Reason.NOT_IN_EFFECT, programmed.message)
    if enforced is not None and enforced.status is not ConditionStatus.TRUE:
        reason = Reason.PENDING if enforced.status is ConditionStatus.UNKNOWN else Reason.NOT_ENFORCED
        return state(enforced.status, reason, enforced.message)
    return state(ConditionStatus.TRUE, Reason.READY, "the object does its work")


def _condition(
    kind: ConditionType, status: ConditionStatus, reason: Reason, message: str, generation: int | None
) -> Condition:
    return Condition(type=kind, status=status, reason=reason, message=message, observed_generation=generation)


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
