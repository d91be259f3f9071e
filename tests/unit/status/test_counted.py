"""What is written of classifiers for people. What both shells say: `tests/console/test_same.py`."""

from fairlead.status.counted import Classifier, classifier_lines, open_lines

QUIET = Classifier(route="team/quiet", asked=0, remembered=0, without={}, openSince=None)
BUSY = Classifier(route="team/busy", asked=3, remembered=4, without={"empty": 1, "timeout": 2}, openSince=None)
BURNING = Classifier(route="team/x", asked=0, remembered=0, without={"open": 2}, openSince="2026-11-21T12:00:00Z")


def test_a_classifier_that_nobody_needed_is_no_line() -> None:
    assert classifier_lines([QUIET]) == open_lines([QUIET, BUSY]) == []


def test_what_became_of_requests_is_one_line() -> None:
    assert classifier_lines([BUSY]) == [
        "classifier of team/busy: 3 asked, 4 remembered, 3 without a category (1 empty, 2 timeout)"
    ]


def test_one_that_is_not_asked_is_a_line_of_its_own() -> None:
    (line,) = open_lines([QUIET, BURNING])
    assert line.startswith("classifier of team/x failed time and again")
    assert "since 2026-11-21T12:00:00Z" in line
