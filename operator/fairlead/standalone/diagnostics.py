"""What a person is told about files and objects: one list, for `check`, `up` and `status` alike."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from fairlead.api.meta import ObjectKey
from fairlead.compiler import Report, Served
from fairlead.standalone.release import Release
from fairlead.status import nearly_full
from fairlead.translate.suggestion import listed


class Weight(StrEnum):
    """How much a diagnostic matters."""

    PROBLEM = "problem"
    """Something that was written is not in effect, or not as written."""
    WARNING = "warning"
    """Nothing is wrong, but something goes without effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One sentence about one object, or about a place in a file."""

    weight: Weight
    subject: str
    """`Kind namespace/name`; empty where it is about a file."""
    source: str
    """`path:line`; empty where that is not known."""
    message: str

    @property
    def about(self) -> tuple[str, str]:
        """What it is about, whichever line that stands in now."""
        path, colon, line = self.source.rpartition(":")
        return self.subject, path if colon and line.isdecimal() else self.source

    def __str__(self) -> str:
        place = f" ({self.source})" if self.subject and self.source else self.source
        name = f"{self.subject}{place}"
        return f"{name}: {self.message}" if name else self.message


_IN_EFFECT = {
    Served.CURRENT: "",
    Served.LAST_GOOD: "; the last good version stays in effect",
    Served.NOTHING: "; nothing of the object is in effect",
}


def diagnostics(release: Release, *, in_effect: bool) -> tuple[Diagnostic, ...]:
    """Collect all diagnostics: files first, then objects by kind, namespace, name.

    `in_effect` adds to each problem which version serves in the meantime.
    """
    found = [
        Diagnostic(
            weight=Weight.WARNING if diagnostic.warning else Weight.PROBLEM,
            subject=str(diagnostic.key or ""),
            source=diagnostic.source,
            message=diagnostic.message,
        )
        for diagnostic in release.inputs.diagnostics
    ]
    for stray in release.compiled.strays:
        for weight, messages in ((Weight.PROBLEM, stray.problems), (Weight.WARNING, stray.warnings)):
            found += [
                Diagnostic(weight=weight, subject=stray.name, source=stray.source, message=message)
                for message in messages
            ]
    told = [one for report in release.compiled.reports for one in _of(report, release, in_effect=in_effect)]
    found = causes([*((one, "") for one in found), *told])
    found += [
        Diagnostic(weight=Weight.PROBLEM, subject="", source="", message=message)
        for message in release.too_large.values()
    ]
    fullness = {region: one.fullness for region, one in release.compiled.gateways.items()}
    found += [
        Diagnostic(weight=Weight.WARNING, subject="", source="", message=message)
        for message in nearly_full(fullness).values()
    ]
    return tuple(found)


def causes(told: Sequence[tuple[Diagnostic, str]]) -> list[Diagnostic]:
    """Leave out what follows from another: that an object is missing which is told to be wrong, or missing already.

    With each diagnostic comes the object that it misses, `Kind namespace/name`. The cause says who needs it. Pure.
    """
    wrong = {one.subject for one, missing in told if one.weight is Weight.PROBLEM and not missing}
    kept: dict[str, list[Diagnostic]] = {}
    followers: dict[str, dict[str, None]] = {}
    for one, missing in told:
        if missing and (missing in wrong or missing in followers):
            followers.setdefault(missing, {})[one.subject] = None
            continue
        if missing:
            followers[missing] = {}
        kept.setdefault(missing or one.subject, []).append(one)
    return [
        _needed(one, followers.get(cause, {})) if number == 0 else one
        for cause, ones in kept.items()
        for number, one in enumerate(sorted(ones, key=lambda one: one.weight is Weight.WARNING))
    ]


def _needed(cause: Diagnostic, by: Collection[str]) -> Diagnostic:
    others = [subject for subject in by if subject != cause.subject]
    return replace(cause, message=f"{cause.message}; needed by {listed(others)}") if others else cause


def _of(report: Report, release: Release, *, in_effect: bool) -> Iterator[tuple[Diagnostic, str]]:
    ending = _IN_EFFECT[report.served] if in_effect else ""
    place = release.inputs.place(report.key)
    for problem in report.problems:
        told = _diagnostic(Weight.PROBLEM, report.key, place(problem.path), f"{problem}{ending}")
        yield told, problem.missing
    for warning in report.warnings:
        yield _diagnostic(Weight.WARNING, report.key, place(warning.partition(": ")[0]), warning), ""


def _diagnostic(weight: Weight, key: ObjectKey, source: str, message: str) -> Diagnostic:
    return Diagnostic(weight=weight, subject=str(key), source=source, message=message)
