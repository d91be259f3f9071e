"""What clients are told."""

import json
from dataclasses import replace
from typing import Any

import pytest

from fairlead.budget.admission import Standing, closing
from fairlead.budget.ledger import Counter
from fairlead.budget.policy import Policy, Scope
from fairlead.budget.price import USD
from fairlead.budget.window import Forever, Span
from fairlead.budgetserver import answer
from fairlead.budgetserver.descriptor import Check
from fairlead.budgetserver.messages import OK, OVER_LIMIT, Response

NOW = 1_767_225_600_000


def standing(spent: int, reserved: int, end_ms: int | None) -> Standing:
    policy = Policy(name="t/agents", scope=Scope.SHARED, limit=5 * USD, window=Forever(), stages=(), routes=None)
    return Standing(
        policy=policy,
        span=Span(start_ms=NOW - 1000, end_ms=end_ms),
        counter=Counter(spent=spent, reserved=reserved),
    )


def told(make: Any, *arguments: Any) -> Any:
    return Response.FromString(make(*arguments))


def headers(response: Any) -> dict[str, str]:
    return {header.key: header.value for header in response.response_headers_to_add}


AMOUNTS = [
    (0, "0"),
    (1, "0.000000001"),
    (5 * USD, "5"),
    (4_200_000_000, "4.2"),
    (-1_500_000_000, "-1.5"),
    (9_007_199_254_740_993, "9007199.254740993"),
]


@pytest.mark.parametrize(("nanodollars", "text"), AMOUNTS)
def test_exact(nanodollars: int, text: str) -> None:
    assert answer.exact(nanodollars) == text


def test_granted() -> None:
    response = told(answer.granted, "x1", 2 * USD, None)
    assert response.overall_code == OK
    assert headers(response) == {"x-fairlead-budget-remaining": "2"}
    assert response.dynamic_metadata.fields["reservation"].string_value == "x1"
    assert not response.request_headers_to_add


def test_granted_beyond_the_limit_has_nothing_left() -> None:
    assert headers(told(answer.granted, "x1", -USD, None)) == {"x-fairlead-budget-remaining": "0"}


def test_a_downgrade_names_the_route() -> None:
    response = told(answer.granted, "x1", None, "t/small")
    assert [(header.key, header.value) for header in response.request_headers_to_add] == [("x-fl-downgrade", "t/small")]
    assert headers(response) == {}


def test_noted_is_plain() -> None:
    assert Response.FromString(answer.NOTED) == Response(overall_code=OK)


def test_long_values_are_encoded_too() -> None:
    request, route = "x" * 300, "t/" + "r" * 20_000
    response = told(answer.granted, request, None, route)
    assert response.dynamic_metadata.fields["reservation"].string_value == request
    assert response.request_headers_to_add[0].value == route


def test_rejected_in_a_window() -> None:
    response = told(answer.rejected, [standing(4_990_000_000, 0, NOW + 18_000_000 - 1000)], USD, NOW)
    assert response.overall_code == OVER_LIMIT
    assert headers(response) == {
        "content-type": "application/json",
        "x-fairlead-budget-remaining": "0.01",
        "x-ratelimit-limit": '5000000, 5000000;w=18000;name="t/agents"',
        "x-ratelimit-remaining": "10000",
        "x-ratelimit-reset": "17999",
        "retry-after": "17999",
        "x-should-retry": "false",
    }
    error = json.loads(response.raw_body)["error"]
    assert (error["type"], error["code"], error["param"]) == ("insufficient_quota", "insufficient_quota", None)
    assert error["message"] == (
        "Budget `t/agents`: $4.99 of $5 are spent, this request may cost up to $1,"
        " the budget resets at 2026-01-01T04:59:59Z."
    )


def test_rejected_because_of_reservations_comes_back_soon() -> None:
    found = headers(told(answer.rejected, [standing(0, 5 * USD, NOW + 18_000_000)], USD, NOW))
    assert found["retry-after"] == "5"
    assert "x-should-retry" not in found


def test_rejected_without_a_window_has_no_retry_after() -> None:
    response = told(answer.rejected, [standing(5 * USD, USD, None)], USD, NOW)
    assert headers(response) == {
        "content-type": "application/json",
        "x-fairlead-budget-remaining": "0",
        "x-ratelimit-limit": '5000000, 5000000;name="t/agents"',
        "x-ratelimit-remaining": "0",
        "x-should-retry": "false",
    }
    assert "does not reset" in json.loads(response.raw_body)["error"]["message"]


@pytest.mark.parametrize("spent", [0, USD, 5 * USD, 9 * USD])
@pytest.mark.parametrize("end_ms", [None, NOW + 30_000, NOW + 18_000_000])
def test_what_fits_no_empty_window_is_never_asked_to_come_back(spent: int, end_ms: int | None) -> None:
    response = told(answer.rejected, [standing(spent, USD, end_ms)], 5 * USD + 1, NOW)
    found = headers(response)
    assert "retry-after" not in found
    assert found["x-should-retry"] == "false"
    assert "never fits" in json.loads(response.raw_body)["error"]["message"]


def test_of_several_policies_the_one_that_never_fits_is_named() -> None:
    large = standing(USD, 0, NOW + 30_000)
    small = replace(large, policy=replace(large.policy, name="t/small", limit=2 * USD), counter=Counter())
    nearly = replace(large, counter=Counter(spent=5 * USD))
    response = told(answer.rejected, [nearly, small], 3 * USD, NOW)
    assert "retry-after" not in headers(response)
    message = json.loads(response.raw_body)["error"]["message"]
    assert "t/small" in message
    assert "never fits" in message


def test_what_fills_an_empty_window_exactly_comes_back_at_its_end() -> None:
    assert headers(told(answer.rejected, [standing(1, 0, NOW + 30_000)], 5 * USD, NOW))["retry-after"] == "30"


def test_killed() -> None:
    response = told(answer.killed, "t/a")
    assert response.overall_code == OVER_LIMIT
    assert json.loads(response.raw_body)["error"]["code"] == "insufficient_quota"
    assert "retry-after" not in headers(response)


CHECK = Check(consumer="t/a", id="1", route="t/chat", model="chat", body_bytes=83, output_limit=None, choices=2)


@pytest.mark.parametrize(
    ("spent", "amount", "words"),
    [
        (5 * USD, 1, "t/a * 1001 1001 r1 0 - 0 1"),
        (4 * USD, 2 * USD, "t/a t/chat|chat 1001 1001 r1 83 - 2 1"),
        (4 * USD, 6 * USD, "t/a t/chat|chat 1001 0 r1 83 - 2 0"),
    ],
)
def test_a_verdict_says_what_is_closed_until_when(spent: int, amount: int, words: str) -> None:
    found = closing([standing(spent, 0, 1_000_001)], amount, "t/chat")
    assert found is not None
    lines = answer.closed(found, CHECK, "r1").split("\n")
    assert lines[0] == words, "rounded up: never void before the window has ended"
    assert lines[3] == answer.exact(5 * USD - spent)
    assert "$6" not in lines[4]
    assert "`t/agents`" in lines[4]


def test_a_verdict_travels_as_metadata_and_not_as_a_header() -> None:
    response = Response.FromString(answer.rejected([standing(5 * USD, 0, None)], 1, NOW, "the verdict"))
    assert dict(response.dynamic_metadata) == {"closed": "the verdict"}
    assert all("closed" not in header.key for header in response.response_headers_to_add)
    assert not answer.rejected([standing(0, 5 * USD, None)], 1, NOW).count(b"closed")
