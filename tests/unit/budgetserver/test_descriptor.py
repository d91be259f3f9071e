"""What gateways send, read as plain values."""

import pytest

from fairlead.budgetserver.descriptor import Check, check, fields, report
from fairlead.budgetserver.messages import Request

REPORT = {
    "kind": "report",
    "consumer": "t/a",
    "id": "x1",
    "reservation": "x1",
    "route": "t/chat",
    "model": "chat",
    "target": "p/e/m",
    "served": "m-2026",
    "input": "11",
    "output": "22",
    "cached": "4",
    "status": "1",
    "stream": "true",
    "bytes": "121",
    "http": "200/-/2/1408/259",
    "gateway": "eu-1",
}


def test_fields_of_a_message() -> None:
    request = Request(domain="fairlead")
    descriptor = request.descriptors.add()
    descriptor.entries.add(key="kind", value="check")
    descriptor.entries.add(key="consumer", value="t/a")
    parsed = Request.FromString(request.SerializeToString())
    assert fields(parsed.descriptors[0].entries) == {"kind": "check", "consumer": "t/a"}


NUMBERS = [
    ("512", 512, "a number"),
    ("-", None, "not said"),
    ("-1", None, "not known"),
    ("", None, "empty"),
    ("1e9", None, "in another form"),
    ("\u0661\u0662", None, "digits of another script"),
    ("9" * 16, None, "longer than any number of bytes or tokens"),
]


@pytest.mark.parametrize(("text", "number", "why"), NUMBERS, ids=[case[-1] for case in NUMBERS])
def test_numbers(text: str, number: int | None, why: str) -> None:
    found = check({"consumer": "t/a", "id": "x", "route": "t/chat", "model": "chat", "bytes": text, "ask": f"{text} 1"})
    assert (found.body_bytes, found.output_limit) == (number, number), why


def test_a_check_without_anything_is_read_all_the_same() -> None:
    assert check({}) == Check(consumer="-", id="-", route="-", model="-", body_bytes=None, output_limit=None, choices=1)
    assert check({"ask": "- 0"}).choices == 1
    assert check({"ask": "77 4"}).choices == 4


def test_a_report() -> None:
    found = report(REPORT)
    assert (found.metered, found.checked, found.stream, found.unanswered, found.rejected) == (True,) * 3 + (False,) * 2
    assert (found.input, found.output, found.cached) == (11, 22, 4)
    assert (found.status, found.attempts, found.sent_bytes, found.body_bytes) == (200, 2, 1408, 121)
    assert (found.target, found.gateway) == ("p/e/m", "eu-1")


ENDS = [
    ({"http": "429/RL/0/310/0", "target": "none", "status": "-1", "input": "-1"}, "rejected", True, "our own 429"),
    ({"http": "0/DC/1/0/399", "status": "-1", "input": "-1"}, "unanswered", False, "it left: a provider worked"),
    ({"http": "0/DC/0/0/3", "status": "-1", "input": "-1"}, "unanswered", True, "it left before anybody was asked"),
    ({"http": "503/URX/4/120/9", "status": "-1", "input": "-1"}, "unanswered", True, "every rung failed"),
    ({"status": "2"}, "metered", False, "an incomplete count is none"),
    ({"input": "-1"}, "metered", False, "complete, they say, but without a number"),
    ({"reservation": "none"}, "checked", False, "nobody answered the check"),
    ({"target": "-"}, "target", "", "nobody answered the request"),
    ({"http": ""}, "status", 0, "a report that says nothing of HTTP"),
    ({"http": "200/UF,RL/1/1/1"}, "rejected", True, "one flag among others"),
]


@pytest.mark.parametrize(("changes", "name", "value", "why"), ENDS, ids=[case[-1] for case in ENDS])
def test_ends(changes: dict[str, str], name: str, value: object, why: str) -> None:
    assert getattr(report(REPORT | changes), name) == value, why
