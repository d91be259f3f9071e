"""What is wrong with one object, collected while it is translated, and which of its versions serves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Generic, TypeVar

from fairlead.api.conditions import ConditionType, Reason
from fairlead.api.meta import ObjectKey
from fairlead.api.problem import Problem
from fairlead.api.resource import Resource

R = TypeVar("R", bound=Resource)
V = TypeVar("V")


class Standing(IntEnum):
    """How much of a version can serve in the present installation; lower is better."""

    WHOLE = 0
    PARTLY = 1
    """Something that it names is missing; the rest serves."""
    NOT_AT_ALL = 2


class Served(StrEnum):
    """Which version of an object the gateways get."""

    CURRENT = "Current"
    LAST_GOOD = "LastGood"
    NOTHING = "Nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One reason for a condition not to be True."""

    type: ConditionType
    reason: Reason
    problem: Problem


@dataclass(slots=True)
class Diagnostics:
    """Collects what is wrong with one version of one object. The order of calls is the order of messages."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    standing: Standing = Standing.WHOLE

    def refuse(self, reason: Reason, path: str, message: str) -> None:
        """Say why the version cannot be accepted; nothing of it serves."""
        self.contest(reason, path, message)
        self.standing = Standing.NOT_AT_ALL

    def miss(self, reason: Reason, path: str, message: str, *, missing: str = "") -> None:
        """Name a reference that leads nowhere; the rest of the version serves, unless an older one is whole.

        `missing` is the object that it should lead to, `Kind namespace/name`.
        """
        self.note(reason, path, message, missing=missing)
        self.standing = max(self.standing, Standing.PARTLY)

    def note(self, reason: Reason, path: str, message: str, *, missing: str = "") -> None:
        """Name a reference that leads nowhere, where an older version is no remedy: this one serves."""
        problem = Problem(path=path, message=message, missing=missing)
        self.diagnostics.append(Diagnostic(type=ConditionType.RESOLVED_REFS, reason=reason, problem=problem))

    def contest(self, reason: Reason, path: str, message: str) -> None:
        """Say what another object takes away from this one; what is left serves."""
        self.diagnostics.append(
            Diagnostic(type=ConditionType.ACCEPTED, reason=reason, problem=Problem(path=path, message=message))
        )

    def warn(self, path: str, message: str) -> None:
        """Say what a user should know although nothing is wrong."""
        self.warnings.append(f"{path}: {message}")

    def take(self, other: "Diagnostics") -> None:
        """Say all that another says; it stays as it is."""
        self.diagnostics.extend(other.diagnostics)
        self.warnings.extend(other.warnings)
        self.standing = max(self.standing, other.standing)

    def give_up(self) -> None:
        """Say that nothing of the version can serve."""
        self.standing = Standing.NOT_AT_ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions(Generic[R]):
    """What is known of one object: as it is written now, and as it last served."""

    key: ObjectKey
    generation: int | None
    """Of the version that is written now, whether or not it can be decoded."""
    current: R | None
    """None when it cannot be decoded; then `problems` says why."""
    problems: tuple[Problem, ...]
    last_good: Callable[[], R | None] | None
    """Decodes the version that served last (None where the schema of today refuses it); absent if none ever did. It is
    asked for only when the current version leaves something to be desired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved(Generic[V]):
    """One object after its references were followed."""

    key: ObjectKey
    generation: int | None
    served: Served
    value: V | None
    """What the served version means. When nothing serves: what the object would mean, as far as that can be said."""
    problems: tuple[Problem, ...]
    """Why the current version could not be decoded."""
    diagnostics: Diagnostics
    """Of the current version, or, if that cannot be decoded, of the last good one."""
    known: bool
    """Whether some version of the object has served before: then its names stay its own even if nothing serves now."""


def resolve(versions: Versions[R], meaning: Callable[[R, Diagnostics], V | None]) -> Resolved[V]:
    """Follow an object's references and choose the version that serves.

    The current version serves unless the last good one stands better with the present references: a broken edit keeps
    the old version going, while a dependency that vanished hurts both alike and leaves the current one in place.
    """
    now = Diagnostics()
    value = None if versions.current is None else meaning(versions.current, now)
    standing = now.standing if value is not None else Standing.NOT_AT_ALL
    served = Served.CURRENT if standing is not Standing.NOT_AT_ALL else Served.NOTHING
    older = versions.last_good() if standing is not Standing.WHOLE and versions.last_good is not None else None
    if older is not None and older != versions.current:
        before = Diagnostics()
        old = meaning(older, before)
        if old is not None and before.standing < standing:
            value, served = old, Served.LAST_GOOD
        value = old if value is None else value
        now = before if versions.current is None else now
    return Resolved(
        key=versions.key,
        generation=versions.generation,
        served=served,
        value=value,
        problems=versions.problems,
        diagnostics=now,
        known=versions.last_good is not None,
    )
