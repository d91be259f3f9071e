import json
from dataclasses import replace
from typing import Any

import pytest

from fairlead.budget.price import FREE, Price
from fairlead.envoy.log_lines import Line, decoded
from fairlead.runtime.request_stream import PATIENCE_MS, RequestStream
from fairlead.runtime.requests import Wanted, document, gathered, lines

PRICES = {"p/us/m": Price(input=1_000_000_000, output=2_000_000_000, cached_input=100_000_000)}


def line(kind: str, request_id: str = "r1", **fields: Any) -> Line:
    written = {
        "kind": kind,
        "ts": "2026-01-01T00:00:00.000Z",
        "request_id": request_id,
        "gateway_region": "us-east-1",
        "consumer": "team/agent",
        "route": "team/chat",
        "model": "chat",
        "stream": False,
        "status": 200,
        "flags": "-",
        "details": "via_upstream",
        "target": "p/us/m",
        "latency_ms": 9,
        **fields,
    }
    found = decoded(json.dumps(written).encode())
    assert found is not None
    return found


def end(request_id: str = "r1", **fields: Any) -> Line:
    tokens = {"prompt_tokens": 1000, "completion_tokens": 10, "cached_tokens": 100, "usage_status": 1}
    return line("request", request_id, **{"attempts": 1, **tokens, **fields})


def attempt(number: int, request_id: str = "r1", **fields: Any) -> Line:
    return line("attempt", request_id, **{"attempt": number, "details": "", **fields})


def described(*of: Line) -> dict[str, Any]:
    (request,) = gathered(of)
    return document(request, PRICES)


def test_an_attempt_that_served_has_the_tokens_and_the_dollars() -> None:
    found = described(attempt(2), attempt(1, target="p/eu/m", status=503), end(attempts=2))
    assert found["usd"] == "0.00093"  # 900 fresh, 100 cached, 10 out
    assert [one["target"] for one in found["attempts"]] == ["p/eu/m", "p/us/m"]
    first, second = found["attempts"]
    assert (first["failure"], first["next"], first["usd"]) == ("ServerError", "p/us/m", None)
    assert (second["usd"], second["tokens"]) == ("0.00093", {"input": 1000, "output": 10, "cached": 100})


def test_without_a_price_the_tokens_stand_alone() -> None:
    (request,) = gathered([attempt(1), end()])
    found = document(request, {})
    assert (found["usd"], found["attempts"][0]["usd"]) == (None, None)
    assert "1000+10 tokens  r1" in lines(found, whole=False)[0]


@pytest.mark.parametrize(
    ("fields", "why", "billed"),
    [
        ({"status": 503}, "answered 503: an error of its own", False),
        ({"status": 502}, "answered 502: an error of its own", True),
        ({"status": 0, "flags": "UF", "details": "TLS_error"}, "no connection (TLS_error)", False),
        ({"status": 0, "flags": "UT"}, "no answer in time", True),
        ({"status": 0, "flags": "UC"}, "the connection ended before the answer was whole", True),
        ({"status": 429}, "answered 429: its rate limit is reached", False),
        ({"status": 400}, "answered 400: that is the request's own", False),
        ({"status": 200, "flags": "DC"}, "the client left", True),
    ],
)
def test_why_the_next_rung(fields: dict[str, Any], why: str, *, billed: bool) -> None:
    (found,) = described(attempt(1, **fields))["attempts"]
    assert (found["why"], found["possiblyBilled"]) == (why, billed)


def test_an_answer_that_was_not_counted_has_no_dollars() -> None:
    found = described(attempt(1), end(usage_status=2, completion_tokens=None))
    assert (found["usd"], found["tokens"]) == (None, None)


IMAGES = {"units": 3, "unit": "image"}
UNITS_ALONE = {"usage_status": 2, "prompt_tokens": None, "completion_tokens": None, **IMAGES}


@pytest.mark.parametrize(
    ("price", "fields", "usd", "why"),
    [
        ({"image": 40_000_000}, UNITS_ALONE, "0.12", "tokens cost nothing"),
        ({"image": 40_000_000}, {**UNITS_ALONE, "usage_status": None}, "0.12", "nor does anybody need to say anything"),
        ({"image": 40_000_000}, {**UNITS_ALONE, "units": None}, None, "nobody counted"),
        ({"image": 40_000_000}, {**UNITS_ALONE, "units": 0}, None, "nothing cannot be true"),
        ({"image": 40_000_000}, {**UNITS_ALONE, "unit": "smell"}, None, "of a later version"),
        ({"image": 40_000_000, "input": 10**9}, IMAGES, "0.121", "both"),
        ({"image": 40_000_000, "input": 10**9}, UNITS_ALONE, None, "of two prices one was not counted"),
        ({"input": 10**9}, IMAGES, "0.001", "images cost nothing by themselves"),
        ({"input": 10**9, "image_input": 2 * 10**9}, {**IMAGES, "image_input_tokens": 400}, "0.0014", "images went in"),
        ({"input": 10**9, "audio_input": 2 * 10**9}, {"audio_input_tokens": 400}, "0.0014", "audio"),
        ({"input": 10**9, "cache_write_1h": 2 * 10**9}, {"cache_write_1h_tokens": 400}, "0.0014", "cache writes"),
        ({"minute": 6_000_000}, {"units": 61_500, "unit": "millisecond"}, "0.00615", "minutes by the millisecond"),
    ],
    ids=lambda one: one if isinstance(one, str) and " " in one else "",
)
def test_what_is_billed_by_units(price: dict[str, int], fields: dict[str, Any], usd: str | None, why: str) -> None:
    prices = {"p/us/m": replace(FREE, cached_input=price.get("input", 0), **price)}
    (request,) = gathered([attempt(1), end(**fields)])
    found = document(request, prices)
    assert (found["usd"], found["attempts"][0]["usd"]) == (usd, usd), why


def test_units_in_words() -> None:
    for unit, count, words in (("search", 2, "2 searches"), ("search", 1, "1 search"), ("image", 3, "3 images")):
        found = described(attempt(1), end(**{**UNITS_ALONE, "unit": unit, "units": count}))
        assert f"  {words}  r1" in lines(found, whole=False)[0]


def test_a_last_resort_is_the_attempt_that_served_and_not_the_first_of_its_name() -> None:
    found = described(attempt(1, status=500), attempt(2, target="p/eu/m", status=500), attempt(3), end(attempts=3))
    assert [one["usd"] for one in found["attempts"]] == [None, None, "0.00093"]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Wanted(), ["r1", "r2", "r3", "r4"]),
        (Wanted(errors=True), ["r2", "r3", "r4"]),
        (Wanted(route="chat"), ["r1", "r2", "r4"]),
        (Wanted(route="team/other"), ["r3"]),
        (Wanted(route="other/chat"), []),
        (Wanted(consumer="agent", errors=True), ["r2", "r3", "r4"]),
        (Wanted(request_id="r2"), ["r2"]),
    ],
)
def test_which_requests_are_wanted(wanted: Wanted, ids: list[str]) -> None:
    found = gathered(
        [
            attempt(1),
            end(),
            end("r2", attempts=2),
            end("r3", status=429, route="team/other"),
            end("r4", flags="DC"),
        ]
    )
    assert [request.id for request in found if wanted.matches(request)] == ids


def test_what_the_gateway_answers_itself() -> None:
    text = lines(described(end(route="gateway", target=None, status=404, attempts=0, details="x")), whole=False)
    assert "chat" in text[0]
    assert text[1].strip() == "the gateway serves no such name to this caller, or no such path"


def test_a_request_is_one_line_where_all_went_well_and_all_of_them_where_it_is_asked_for() -> None:
    found = described(attempt(1), end())
    assert len(lines(found, whole=False)) == 1
    assert len(lines(found, whole=True)) == 2


@pytest.mark.parametrize("text", [b"", b"[1]", b"{", b'{"kind":"other"}', b'{"kind":"request","ts":1}', b"[info] up"])
def test_what_is_no_line_is_none(text: bytes) -> None:
    assert decoded(text) is None


def test_names_are_read_as_people_know_them() -> None:
    assert line("request", model="a%20b", target="p/us/a%20b").target == "p/us/a b"
    assert line("request", region="-", consumer=None).consumer == ""


def test_a_stream_tells_a_request_once_and_when_it_is_whole() -> None:
    stream = RequestStream()
    assert stream.take([attempt(1)], 0) == []
    assert stream.take([end(attempts=2)], 10) == []
    (request,) = stream.take([attempt(2)], 20)
    assert [one.attempt for one in request.attempts] == [1, 2]
    assert stream.take([attempt(2), end(attempts=2)], 30) == []


def test_a_stream_does_not_wait_for_lines_that_are_lost() -> None:
    stream = RequestStream()
    assert stream.take([end(attempts=2)], 0) == []
    assert [request.id for request in stream.take([], PATIENCE_MS)] == ["r1"]


def test_the_rule_and_the_category_are_told() -> None:
    told = [
        described(end(rule="code", asked_route="team/chat", category="code", classified="asked")),
        described(end(rule="none", asked_route="team/chat", category="none", classified="timeout")),
        described(end(rule="none", asked_route="team/chat", category="-", classified="-")),
        described(end()),
    ]
    assert [(one["rule"], one["category"], one["classified"]) for one in told] == [
        ("code", "code", "asked"),
        ("none", "none", "timeout"),
        ("none", None, None),
        (None, None, None),
    ]
    shown = [lines(one, whole=False)[0] for one in told]
    assert "  rule code, category code  " in shown[0]
    assert "  rule none, category none (timeout)  " in shown[1]
    assert "  rule none  " in shown[2]
    assert "rule" not in shown[3]


def test_a_refusal_says_whether_it_is_for_dollars() -> None:
    refused = {"status": 429, "flags": "RL", "target": "-", "attempts": None}
    told = [described(end(**refused, refused=why))["outcome"] for why in ("too_many_in_flight", "-")]
    assert told == ["its consumer has as many requests in flight as it may have (`maxInFlight`)", "a budget refuses it"]
