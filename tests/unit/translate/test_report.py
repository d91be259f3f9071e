import pytest

from fairlead.api.conditions import Reason
from fairlead.api.meta import ObjectKey
from fairlead.api.problem import Problem
from fairlead.translate.diagnostics import Diagnostics, Resolved, Served
from fairlead.translate.report import Report, report

KEY = ObjectKey("ModelRoute", "team-web", "chat")


def run(diagnostics: Diagnostics, *, served: Served = Served.CURRENT, problems: tuple[Problem, ...] = ()) -> Report:
    return report(
        Resolved(
            key=KEY,
            generation=7,
            served=served,
            value="value" if served is not Served.NOTHING else None,
            problems=problems,
            diagnostics=diagnostics,
            known=False,
        ),
        (Problem("spec.rollout", "not enforced yet"),),
    )


def conditions(found: Report) -> list[str]:
    return [f"{one.type}={one.status}/{one.reason}: {one.message}" for one in found.conditions]


FINE = "Accepted=True/Accepted: the object is well-formed and allowed"
RESOLVED = "ResolvedRefs=True/ResolvedRefs: all references lead somewhere"
UNKNOWN = "ResolvedRefs=Unknown/Pending: not judged, since the object is not accepted"


def missing() -> Diagnostics:
    diagnostics = Diagnostics()
    diagnostics.miss(Reason.MODEL_NOT_FOUND, "spec.fallbacks[0].model", "got x")
    diagnostics.miss(Reason.PROVIDER_NOT_FOUND, "spec.primary.provider", "got y")
    return diagnostics


def noted() -> Diagnostics:
    diagnostics = Diagnostics()
    diagnostics.note(Reason.SECRET_NOT_FOUND, "spec.x", "got x")
    return diagnostics


def refused() -> Diagnostics:
    diagnostics = Diagnostics()
    diagnostics.refuse(Reason.NAMESPACE_NOT_ALLOWED, "metadata.namespace", "got x")
    return diagnostics


@pytest.mark.parametrize(
    ("diagnostics", "served", "problems", "expected", "reason"),
    [
        (Diagnostics(), Served.CURRENT, (), [FINE, RESOLVED], "all is well"),
        (
            missing(),
            Served.CURRENT,
            (),
            [
                FINE,
                (
                    "ResolvedRefs=False/ProviderNotFound: spec.primary.provider: got y; spec.fallbacks[0].model: got x;"
                    " the rest is in effect"
                ),
            ],
            "in the order of the fields",
        ),
        (
            missing(),
            Served.LAST_GOOD,
            (),
            [
                FINE,
                (
                    "ResolvedRefs=False/ProviderNotFound: spec.primary.provider: got y; spec.fallbacks[0].model: got x;"
                    " the last good version stays in effect"
                ),
            ],
            "a broken edit",
        ),
        (noted(), Served.CURRENT, (), [FINE, "ResolvedRefs=False/SecretNotFound: spec.x: got x"], "all is in effect"),
        (
            refused(),
            Served.NOTHING,
            (),
            [
                "Accepted=False/NamespaceNotAllowed: metadata.namespace: got x; nothing of the object is in effect",
                UNKNOWN,
            ],
            "not allowed",
        ),
        (
            Diagnostics(),
            Served.LAST_GOOD,
            (Problem("spec.a", "got 1"), Problem("spec.b", "got 2")),
            ["Accepted=False/Invalid: spec.a: got 1; spec.b: got 2; the last good version stays in effect", RESOLVED],
            "all problems at once, in one line",
        ),
        (
            Diagnostics(),
            Served.NOTHING,
            (Problem("spec.a", "got\n1"),),
            ["Accepted=False/Invalid: spec.a: got 1; nothing of the object is in effect", UNKNOWN],
            "one line whatever was written",
        ),
    ],
)
def test_conditions(
    diagnostics: Diagnostics, served: Served, problems: tuple[Problem, ...], expected: list[str], reason: str
) -> None:
    found = run(diagnostics, served=served, problems=problems)
    assert conditions(found) == expected, reason
    assert {one.observed_generation for one in found.conditions} == {7}


def test_problems_and_warnings_are_told_apart() -> None:
    diagnostics = missing()
    diagnostics.warn("spec.shadow", "got z")
    found = run(diagnostics)
    assert [problem.path for problem in found.problems] == ["spec.primary.provider", "spec.fallbacks[0].model"]
    assert found.warnings == ("spec.rollout: not enforced yet", "spec.shadow: got z")
