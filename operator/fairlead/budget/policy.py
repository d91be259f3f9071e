"""A limit with its stages, and the name of the counter that it draws on.

What a stage reads is what was *spent*; what admission reads is spent and reserved. Both are the same integers of the
same counter, so a stage can neither fire early nor late by rounding.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from fairlead.budget.window import Calendar, InCalendar, Span, Window, span

WHOLE = 10_000
"""100% in basis points."""
SHARED = "*"
"""What stands for the consumer in the counter of a shared policy."""
UNBUDGETED = "unbudgeted"
"""The policy's place in the counters of consumers that no policy matches. Real names contain a slash."""
UNBUDGETED_WINDOW = InCalendar(unit=Calendar.MONTH, zone="UTC")


class Action(StrEnum):
    """What a stage does. The order is that of severity."""

    NOTIFY = "Notify"
    DOWNGRADE = "Downgrade"
    REJECT = "Reject"


_SEVERITY = {action: index for index, action in enumerate(Action)}


class Scope(StrEnum):
    """Who shares a limit."""

    PER_CONSUMER = "PerConsumer"
    SHARED = "Shared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What happens from some share of the limit on."""

    at: int
    """Basis points of the limit; may pass 10,000."""
    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How much may be spent in a window, and what happens on the way."""

    name: str
    """`namespace/name` of the BudgetPolicy."""
    scope: Scope
    limit: int
    """Nano-dollars in one window; 0 is the kill switch."""
    window: Window
    stages: tuple[Stage, ...]
    routes: frozenset[str] | None
    """`namespace/name` of the routes whose requests count; None = all."""

    @property
    def cap(self) -> int | None:
        """What spent and reserved together may reach; None when no stage rejects.

        Requests are rejected at 100% unless a stage stands at or above 100%; a stage `Reject` caps where it stands. A
        limit of zero rejects whatever its stages say: it is the switch that people pull in a hurry.
        """
        if self.limit == 0:
            return 0
        at = self._rejects_at()
        return None if at is None else self.limit * at // WHOLE

    @property
    def downgrade_at(self) -> int | None:
        """What must be spent before the route's `downgradeTo` answers; None when no stage downgrades."""
        downgrades = [stage.at for stage in self.stages if stage.action is Action.DOWNGRADE]
        return _share(self.limit, min(downgrades)) if downgrades else None

    @property
    def stops_everything(self) -> bool:
        """Whether no request of whom it matches can ever fit: the kill switch, for all routes."""
        return self.limit == 0 and self.routes is None

    def counts(self, routes: Iterable[str]) -> bool:
        """Say whether a request counts that asked for, or is answered by, one of the routes."""
        return self.routes is None or not self.routes.isdisjoint(routes)

    @property
    def all_stages(self) -> tuple[Stage, ...]:
        """The stages and the implied rejection, in the order of their shares; the kill switch has none."""
        if self.limit == 0:
            return ()
        at = self._rejects_at()
        implied = () if at is None else (Stage(at=at, action=Action.REJECT),)
        return tuple(sorted({*self.stages, *implied}, key=lambda stage: (stage.at, _SEVERITY[stage.action])))

    def threshold(self, stage: Stage) -> int:
        """Return the nano-dollars from which on a stage is reached."""
        return _share(self.limit, stage.at)

    @property
    def thresholds(self) -> tuple[int, ...]:
        """What must be spent for each of the stages, the implied rejection included, sorted."""
        cap = () if self.cap is None else (self.cap,)
        return tuple(sorted({_share(self.limit, stage.at) for stage in self.stages} | set(cap)))

    def reached(self, spent: int) -> Stage | None:
        """Return the stage with the largest share among those reached, the implied rejection included; None = none."""
        stages = [stage for stage in self.stages if spent >= _share(self.limit, stage.at)]
        if self.cap is not None and spent >= self.cap:
            stages.append(Stage(at=self._rejects_at() or WHOLE, action=Action.REJECT))
        return max(stages, key=lambda stage: (stage.at, _SEVERITY[stage.action]), default=None)

    def _rejects_at(self) -> int | None:
        """Return the share of the limit from which on requests are rejected; None = never."""
        rejects = [stage.at for stage in self.stages if stage.action is Action.REJECT]
        if all(stage.at < WHOLE for stage in self.stages):
            rejects.append(WHOLE)
        return min(rejects, default=None)


def _share(limit: int, at: int) -> int:
    """Return the smallest whole amount that is at least a share of the limit."""
    return -(-limit * at // WHOLE)


def counter(policy: Policy, consumer: str, window: Span) -> str:
    """Return the counter's name: policy, consumer and window start, so that spend survives edits and re-creation."""
    who = SHARED if policy.scope is Scope.SHARED else consumer
    return f"{policy.name}|{who}|{window.start_ms}"


def unbudgeted(consumer: str, now_ms: int) -> tuple[str, Span]:
    """Return the counter of a consumer that no policy matches, and its window (the month, UTC)."""
    window = span(UNBUDGETED_WINDOW, now_ms)
    return f"{UNBUDGETED}|{consumer}|{window.start_ms}", window
