"""What a person is told about files and objects: one list, for `check`, `up` and `status` alike."""

from dataclasses import dataclass
from enum import StrEnum

from fairlead.api.meta import ObjectKey
from fairlead.compiler import Report, Served
from fairlead.standalone.release import Release


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

    def __str__(self) -> str:
        place = f" ({self.source})" if self.subject and self.source else self.source
        return f"{self.subject}{place}: {self.message}"


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
    for report in release.compiled.reports:
        found += _of(report, release.inputs.sources.get(report.key, ""), in_effect=in_effect)
    found += [
        Diagnostic(weight=Weight.PROBLEM, subject="", source="", message=message)
        for message in release.too_large.values()
    ]
    return tuple(found)


def _of(report: Report, source: str, *, in_effect: bool) -> list[Diagnostic]:
    ending = _IN_EFFECT[report.served] if in_effect else ""
    return [
        *(_diagnostic(Weight.PROBLEM, report.key, source, f"{problem}{ending}") for problem in report.problems),
        *(_diagnostic(Weight.WARNING, report.key, source, warning) for warning in report.warnings),
    ]


def _diagnostic(weight: Weight, key: ObjectKey, source: str, message: str) -> Diagnostic:
    return Diagnostic(weight=weight, subject=str(key), source=source, message=message)
