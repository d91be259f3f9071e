"""Causes before consequences: what a person has to mend, and no more."""

import pytest

from fairlead.standalone.diagnostics import Diagnostic, Weight, causes


def problem(subject: str, message: str = "wrong") -> Diagnostic:
    return Diagnostic(weight=Weight.PROBLEM, subject=subject, source="f.yaml:1", message=message)


def told(*diagnostics: tuple[str, str]) -> list[str]:
    return [f"{one.subject}: {one.message}" for one in causes([(problem(who), what) for who, what in diagnostics])]


P, R1, R2, S = "ModelProvider f/p", "ModelRoute f/r1", "ModelRoute f/r2", "Secret f/s"


@pytest.mark.parametrize(
    ("found", "left"),
    [
        ([], []),
        ([(P, ""), (R1, "")], [f"{P}: wrong", f"{R1}: wrong"]),
        ([(R1, P)], [f"{R1}: wrong"]),
        ([(R1, P), (R1, P)], [f"{R1}: wrong"]),
        ([(R1, P), (R2, P), (R2, P)], [f"{R1}: wrong; needed by `{R2}`"]),
        ([(P, ""), (R1, P), (R2, P)], [f"{P}: wrong; needed by `{R1}`, `{R2}`"]),
        ([(R1, P), (R2, P), (P, "")], [f"{P}: wrong; needed by `{R1}`, `{R2}`"]),
        ([(P, S), (S, ""), (R1, "")], [f"{S}: wrong; needed by `{P}`", f"{R1}: wrong"]),
        ([(R1, P), (R2, S)], [f"{R1}: wrong", f"{R2}: wrong"]),
    ],
)
def test_what_follows_from_another_is_left_out(found: list[tuple[str, str]], left: list[str]) -> None:
    assert told(*found) == left


def test_the_cause_is_the_problem_and_not_a_warning() -> None:
    warning = Diagnostic(weight=Weight.WARNING, subject=P, source="f.yaml:1", message="odd")
    found = causes([(warning, ""), (problem(P), ""), (problem(R1), P)])
    assert [one.message for one in found] == [f"wrong; needed by `{R1}`", "odd"]


def test_a_warning_alone_is_no_cause() -> None:
    warning = Diagnostic(weight=Weight.WARNING, subject=P, source="f.yaml:1", message="odd")
    assert {one.message for one in causes([(warning, ""), (problem(R1), P)])} == {"odd", "wrong"}
