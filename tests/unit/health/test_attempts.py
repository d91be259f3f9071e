import re

import pytest

from fairlead import statuses
from fairlead.health import attempts
from fairlead.health.attempts import BROKEN, Outcome
from fairlead.statuses import Failure

WELL: Outcome = 200, "-"


@pytest.mark.parametrize(
    ("outcome", "failure"),
    [
        ((200, "-"), None),
        ((201, "-"), None),
        ((400, "-"), None),
        ((422, "-"), None),
        ((0, "DC"), None),
        ((307, "-"), Failure.REDIRECTED),
        ((401, "-"), Failure.CREDENTIAL_REJECTED),
        ((402, "-"), Failure.PAYMENT_REQUIRED),
        ((403, "-"), Failure.CREDENTIAL_REJECTED),
        ((404, "-"), Failure.NOT_FOUND),
        ((429, "-"), Failure.RATE_LIMITED),
        ((500, "-"), Failure.SERVER_ERROR),
        ((503, "-"), Failure.SERVER_ERROR),
        ((504, "-"), Failure.TIMED_OUT),
        ((0, "UF"), Failure.CONNECTION_FAILED),
        ((503, "UF,URX"), Failure.CONNECTION_FAILED),
        ((0, "UT"), Failure.TIMED_OUT),
        ((200, "UC"), Failure.CONNECTION_CUT),
        ((502, "UPE"), Failure.NO_HTTP),
        ((0, "UPE"), Failure.NO_HTTP),
        ((200, "UPE"), Failure.CONNECTION_CUT),
        ((405, "-"), Failure.NOT_FOUND),
        ((407, "-"), Failure.CREDENTIAL_REJECTED),
        ((408, "-"), Failure.TIMED_OUT),
        ((409, "-"), None),
        ((498, "-"), Failure.RATE_LIMITED),
    ],
)
def test_an_outcome_says_who_has_to_look_at_what(outcome: attempts.Outcome, failure: Failure | None) -> None:
    assert attempts.failure(outcome) is failure


@pytest.mark.parametrize(
    ("outcome", "well"),
    [((200, "-"), True), ((204, "-"), True), ((200, "UC"), False), ((200, "DC"), False), ((400, "-"), False)],
)
def test_only_a_whole_answer_went_well(outcome: attempts.Outcome, well: bool) -> None:
    assert attempts.went_well(outcome) is well


def test_who_judges_an_attempt_and_who_retries_it_read_one_table() -> None:
    for status in range(200, 600):
        retried = status in statuses.codes() or status // 100 in statuses.classes()
        ejects = re.fullmatch(statuses.pattern(), str(status)) is not None
        assert (attempts.failure((status, "-")) is not None) == retried, status
        assert attempts.moves_traffic((status, "-")) == ejects, status


def test_the_most_frequent_failure_is_foremost() -> None:
    assert attempts.foremost({(401, "-"): 1, (500, "-"): 2, (200, "-"): 9}.items()) == (500, "-")
    assert attempts.foremost({(200, "-"): 9, (400, "-"): 3}.items()) is None


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({(200, "-"): 3}, {(200, "-"): 5, (401, "-"): 1}, {(200, "-"): 2, (401, "-"): 1}),
        ({(200, "-"): 3}, {(200, "-"): 3}, {}),
        ({(200, "-"): 30}, {(200, "-"): 2}, {(200, "-"): 2}),
        ({(200, "-"): 30}, {(401, "-"): 1}, {(401, "-"): 1}),
        (None, {(401, "-"): 7}, {(401, "-"): 7}),
        (None, {(401, "-"): 7, (200, "-"): 1}, {(200, "-"): 1}),
        (None, {}, {}),
    ],
)
def test_totals_are_told_apart_by_readings(
    before: attempts.Counts | None, now: attempts.Counts, told: attempts.Counts
) -> None:
    assert attempts.since(before, now) == told


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        pytest.param({}, {WELL: 3, BROKEN: 1}, {WELL: 2, BROKEN: 1}, id="one of three"),
        pytest.param({WELL: 3}, {WELL: 4, BROKEN: 1}, {BROKEN: 1}, id="the newest"),
        pytest.param({WELL: 3, BROKEN: 3}, {WELL: 4, BROKEN: 3}, {WELL: 1}, id="one before"),
        pytest.param({WELL: 3}, {WELL: 3, BROKEN: 1}, {BROKEN: 1}, id="its 200 is not counted yet"),
        pytest.param(None, {WELL: 2, BROKEN: 2}, {BROKEN: 2}, id="nothing but, as far as is known"),
        pytest.param(None, {WELL: 3, BROKEN: 2}, {WELL: 1}, id="nobody knows when"),
        pytest.param({WELL: 9}, {WELL: 2, BROKEN: 2}, {BROKEN: 2}, id="a new process"),
    ],
)
def test_a_broken_stream_is_no_attempt_that_went_well(
    before: dict[Outcome, int] | None, now: dict[Outcome, int], told: dict[Outcome, int]
) -> None:
    assert attempts.since(before, now) == told
    assert attempts.failure(BROKEN) is Failure.SERVER_ERROR
    assert not attempts.went_well(BROKEN)
