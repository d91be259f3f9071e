"""What a provider or a route fails at: what real traffic fails at now, and what health has moved traffic away from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fairlead.api.conditions import REASONS, ConditionStatus, ConditionType, Reason
from fairlead.health.endpoint import State
from fairlead.health.record import WHOLE
from fairlead.status.compiled_status import CompiledStatus
from fairlead.status.standing import EndpointStanding
from fairlead.status.traffic import Failing
from fairlead.status.verdict import Unwell

_READY = {str(reason): reason for reason in REASONS[ConditionType.READY, ConditionStatus.FALSE]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An endpoint, or one of its targets, at which nobody is served well."""

    subject: str
    """`provider/endpoint`, or `provider/endpoint/model`."""
    provider: str
    targets: tuple[str, ...]
    """Those that are known to fail; all of the endpoint's where `whole`."""
    whole: bool
    regions: tuple[str, ...] | None
    """Whose gateways see it; None: all."""
    reason: Reason
    message: str

    def covers(self, target: str, region: str) -> bool:
        """Tell whether a target fails with it, seen from a region."""
        seen = self.regions is None or region in self.regions
        return seen and (target in self.targets or (self.whole and target.startswith(f"{self.subject}/")))


def troubles(failing: Iterable[Failing], standings: Iterable[EndpointStanding]) -> tuple[Trouble, ...]:
    """List what is wrong: what traffic fails at, then endpoints whose share health has lowered although nobody asked.

    A drain, a return and a region that is down are no trouble of an endpoint's own; one failed probe is none yet.
    """
    found = [
        Trouble(
            subject=one.subject,
            provider=one.provider,
            targets=one.targets,
            whole=one.whole,
            regions=one.regions,
            reason=Reason[one.failure.name],
            message=one.message,
        )
        for one in failing
    ]
    known = {one.subject for one in found}
    for one in standings:
        lowered = one.state in (State.DOWN, State.SUSPECT) and one.share < WHOLE
        if one.used and lowered and one.name not in known and one.reason in _READY:
            moved = f"{one.state}, {one.share}% of its traffic"
            found.append(
                Trouble(
                    subject=one.name,
                    provider=one.provider,
                    targets=(),
                    whole=one.state is State.DOWN,
                    regions=None,
                    reason=_READY[one.reason],
                    message=f"{moved}: {one.message}" if one.message else moved,
                )
            )
    return tuple(found)


def unwell(found: CompiledStatus, wrong: Sequence[Trouble]) -> Unwell | None:
    """Say what an object fails at: a provider at an endpoint, a route where every target of a region fails."""
    match found.report.key.kind:
        case "ModelProvider":
            ours = [one for one in wrong if one.provider == found.report.key.name]
            return Unwell(reason=ours[0].reason, message=_seen(ours)) if ours else None
        case "ModelRoute":
            return _all_down(found.ladders, wrong)
        case _:
            return None


def _seen(wrong: Sequence[Trouble]) -> str:
    more = f"; {len(wrong) - 1} more of its endpoints or models fail" if len(wrong) > 1 else ""
    return f"{wrong[0].subject}: {wrong[0].message}{more}"


def _all_down(ladders: Mapping[str, Sequence[str]], wrong: Sequence[Trouble]) -> Unwell | None:
    for region, ladder in sorted(ladders.items()):
        causes = [next((one for one in wrong if one.covers(target, region)), None) for target in ladder]
        if ladder and causes[0] is not None and None not in causes:
            message = f"every target fails in {region}; {causes[0].subject}: {causes[0].message}"
            return Unwell(reason=Reason.ALL_TARGETS_DOWN, message=message)
    return None
