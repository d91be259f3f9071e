"""What is said about one object: conditions for its status, warnings and problems for a person."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.api.conditions import Condition, ConditionStatus, ConditionType, Reason
from fairlead.api.decode import RESOURCES
from fairlead.api.meta import ObjectKey
from fairlead.api.problem import Problem
from fairlead.translate.diagnostics import Diagnostic, Resolved, Served, Standing

_ORDER: Mapping[str, Mapping[str, int]] = {
    resource.kind: {
        field.alias or name: place
        for place, (name, field) in enumerate(resource.model_fields["spec"].annotation.model_fields.items())  # type: ignore[union-attr]  # `spec` is a Part
    }
    for resource in RESOURCES
}
"""Fields of a spec as they stand in the documentation."""

_IN_PLACE = {
    Served.CURRENT: "; the rest is in effect",
    Served.LAST_GOOD: "; the last good version stays in effect",
    Served.NOTHING: "; nothing of the object is in effect",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of one object."""

    key: ObjectKey
    generation: int | None
    """Of the version that was judged."""
    served: Served
    """Which version is in effect."""
    conditions: tuple[Condition, ...]
    """Accepted, then ResolvedRefs."""
    warnings: tuple[str, ...]
    """What a user should know although nothing is wrong, each `path: message`."""
    problems: tuple[Problem, ...]
    """Everything that is wrong, in the order of the fields."""


def report(resolved: Resolved[Any], pending: tuple[Problem, ...]) -> Report:
    """Write one object's report. `pending` are its fields that have no effect yet."""
    found = sorted(
        resolved.diagnostics.diagnostics, key=lambda diagnostic: _place(resolved.key.kind, diagnostic.problem.path)
    )
    refusals = [diagnostic for diagnostic in found if diagnostic.type is ConditionType.ACCEPTED]
    missing = [diagnostic for diagnostic in found if diagnostic.type is ConditionType.RESOLVED_REFS]
    broken = tuple(resolved.problems)
    return Report(
        key=resolved.key,
        generation=resolved.generation,
        served=resolved.served,
        conditions=(_accepted(resolved, broken, refusals), _resolved_refs(resolved, broken, refusals, missing)),
        warnings=tuple(dict.fromkeys([*(str(problem) for problem in pending), *resolved.diagnostics.warnings])),
        problems=broken or tuple(diagnostic.problem for diagnostic in found),
    )


def _place(kind: str, path: str) -> int:
    """Sort problems by field; the metadata comes first."""
    field = re.match(r"spec[.](\w+)", path)
    return -1 if field is None else _ORDER[kind].get(field[1], len(_ORDER[kind]))


def _accepted(resolved: Resolved[Any], broken: tuple[Problem, ...], refusals: list[Diagnostic]) -> Condition:
    kind, generation = ConditionType.ACCEPTED, resolved.generation
    if broken:
        message = _one_line(broken) + _IN_PLACE[resolved.served]
        return _condition(kind, ConditionStatus.FALSE, Reason.INVALID, message, generation)
    if refusals:
        message = _one_line(diagnostic.problem for diagnostic in refusals) + _IN_PLACE[resolved.served]
        return _condition(kind, ConditionStatus.FALSE, refusals[0].reason, message, generation)
    return _condition(kind, ConditionStatus.TRUE, Reason.ACCEPTED, "the object is well-formed and allowed", generation)


def _resolved_refs(
    resolved: Resolved[Any], broken: tuple[Problem, ...], refusals: list[Diagnostic], missing: list[Diagnostic]
) -> Condition:
    kind, generation = ConditionType.RESOLVED_REFS, resolved.generation
    if missing:
        whole = resolved.served is Served.CURRENT and resolved.diagnostics.standing is Standing.WHOLE
        ending = "" if broken or refusals or whole else _IN_PLACE[resolved.served]
        message = _one_line(diagnostic.problem for diagnostic in missing) + ending
        return _condition(kind, ConditionStatus.FALSE, missing[0].reason, message, generation)
    if (broken or refusals) and resolved.value is None:
        message = "not judged, since the object is not accepted"
        return _condition(kind, ConditionStatus.UNKNOWN, Reason.PENDING, message, generation)
    return _condition(kind, ConditionStatus.TRUE, Reason.RESOLVED_REFS, "all references lead somewhere", generation)


def _condition(
    kind: ConditionType, status: ConditionStatus, reason: Reason, message: str, generation: int | None
) -> Condition:
    return Condition(type=kind, status=status, reason=reason, message=message, observed_generation=generation)


def _one_line(problems: Iterable[Problem]) -> str:
    return "; ".join(" ".join(str(problem).split()) for problem in problems)
