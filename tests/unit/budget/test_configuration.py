"""The configuration: the same bytes for the same configuration, strict on the way back."""

import json
from dataclasses import replace

import pytest

from fairlead.budget.configuration import BudgetConfiguration, RouteTerms, decode, digest, encode
from fairlead.budget.estimate import Rung
from fairlead.budget.policy import Action, Policy, Scope, Stage
from fairlead.budget.price import FREE, Price
from fairlead.budget.window import Calendar, Every, Forever, InCalendar
from fairlead.errors import BudgetConfigurationError

CHEAP = Rung(
    price=Price(input=1, output=2, cached_input=1), max_output_tokens=8192, context_window=128_000, generates=True
)
DEAR = Rung(
    price=Price(
        input=10,
        output=20,
        cached_input=1,
        cache_write=12,
        cache_write_1h=20,
        audio_input=40,
        audio_output=80,
        image_input=30,
    ),
    max_output_tokens=None,
    context_window=None,
    generates=True,
)


def policy(name: str, window: Every | InCalendar | Forever, routes: frozenset[str] | None = None) -> Policy:
    return Policy(
        name=name,
        scope=Scope.SHARED,
        limit=5_000_000_000,
        window=window,
        stages=(Stage(at=8000, action=Action.NOTIFY), Stage(at=9500, action=Action.DOWNGRADE)),
        routes=routes,
    )


BOOK = BudgetConfiguration(
    fail_closed=False,
    request_bytes=33_554_432,
    policies=(
        policy("t/day", InCalendar(unit=Calendar.DAY, zone="Europe/Berlin"), frozenset({"t/chat"})),
        policy("t/ever", Forever()),
        policy("t/hours", Every(length_ms=18_000_000, anchor_ms=7)),
    ),
    consumers={"t/a": ("t/day", "t/ever"), "t/b": ()},
    killed=frozenset({"t/b"}),
    routes={
        "t/chat": RouteTerms(max_output_tokens=2000, downgrade_to="t/small", plans={"": ("p/e/dear", "p/e/cheap")}),
        "t/small": RouteTerms(max_output_tokens=None, downgrade_to=None, plans={"": ("p/e/cheap",)}),
        "t/all": RouteTerms(max_output_tokens=None, downgrade_to=None, plans={"qwen/x": ("p/e/cheap",)}),
    },
    targets={"p/e/cheap": CHEAP, "p/e/dear": DEAR},
    in_flight={"t/b": 7},
)


def test_what_is_written_is_read() -> None:
    assert decode(encode(BOOK)) == BOOK


def test_the_same_book_has_the_same_bytes() -> None:
    again = BudgetConfiguration(
        fail_closed=False,
        request_bytes=33_554_432,
        policies=tuple(reversed(BOOK.policies)),
        consumers=dict(reversed(BOOK.consumers.items())),
        killed=BOOK.killed,
        routes=dict(reversed(BOOK.routes.items())),
        targets=dict(reversed(BOOK.targets.items())),
        in_flight=BOOK.in_flight,
    )
    assert encode(again) == encode(BOOK)
    assert len(digest(encode(BOOK))) == 16


def test_without_a_limit_in_flight_servers_of_a_version_before_read_it() -> None:
    assert "inFlight" not in json.loads(encode(replace(BOOK, in_flight={})))


def test_policies_of_a_consumer_on_a_route() -> None:
    assert [found.name for found in BOOK.policies_of("t/a", ("t/chat",))] == ["t/day", "t/ever"]
    assert [found.name for found in BOOK.policies_of("t/a", ("t/small",))] == ["t/ever"]
    assert [found.name for found in BOOK.policies_of("t/a", ("t/small", "t/chat"))] == ["t/day", "t/ever"]
    assert BOOK.policies_of("t/unknown", ("t/chat",)) == ()


def test_rungs_by_route_and_model() -> None:
    assert BOOK.rungs("t/chat", "chat") == (DEAR, CHEAP)
    assert BOOK.rungs("t/all", "qwen/x") == (CHEAP,)
    assert BOOK.rungs("t/all", "qwen/y") == (DEAR,), "a model that the configuration does not know yet is not free"
    assert BOOK.rungs("t/new", "chat") == (DEAR,), "nor is a route"


def test_a_target_that_the_book_does_not_know_costs_like_the_dearest_of_the_route() -> None:
    assert BOOK.rung("p/e/cheap", "t/chat", "chat") == CHEAP
    assert BOOK.rung("p/e/new", "t/chat", "chat") == DEAR
    assert BOOK.rung("p/e/new", "t/small", "small") == CHEAP
    empty = BudgetConfiguration(
        fail_closed=False, request_bytes=1, policies=(), consumers={}, killed=frozenset(), routes={}, targets={}
    )
    assert empty.rung("p/e/new", "t/chat", "chat") is None
    assert empty.rungs("t/chat", "chat") == ()


def edited(**changes: object) -> bytes:
    return json.dumps(json.loads(encode(BOOK)) | changes).encode()


def with_policy(**changes: object) -> bytes:
    document = json.loads(encode(BOOK))
    document["policies"][0] |= changes
    return json.dumps(document).encode()


WRONG = [
    (b"", "the file", "empty"),
    (b"[]", "the file", "not an object"),
    (edited(version=2), "version", "a version of the future"),
    (edited(extra=1), "extra", "a field that nobody knows"),
    (edited(failClosed="no"), "failClosed", "another type"),
    (edited(consumers={"t/a": ["t/none"]}), "consumers.t/a", "a policy that is not there"),
    (edited(targets={}), "routes.", "a target that is not there"),
    (edited(inFlight={"t/a": 0}), "inFlight.t/a", "a limit that lets nobody through"),
    (with_policy(name="t/ever"), "policies", "a name twice"),
    (with_policy(name="t|ever/x"), "policies.0.name", "a name that would break the counter's"),
    (with_policy(limit=-1), "policies.0.limit", "negative money"),
    (with_policy(limit=1.5), "policies.0.limit", "money is never a float"),
    (with_policy(scope="Nobody"), "policies.0", "an unknown scope"),
    (with_policy(every={"lengthMs": 5000, "anchorMs": 0}), "policies.0", "two windows"),
    (with_policy(calendar={"unit": "Day", "zone": "Mars/Base"}), "policies.0", "a zone that does not exist"),
    (with_policy(calendar={"unit": "Day", "zone": "../etc/passwd"}), "policies.0", "a zone that is a path"),
    (with_policy(calendar={"unit": "Hour", "zone": "UTC"}), "policies.0", "an unknown unit"),
    (
        edited(routes={"t/x": {"plans": {}, "downgradeTo": "t/y"}}),
        "routes.t/x.downgradeTo",
        "a route that is not there",
    ),
]


@pytest.mark.parametrize(("text", "where", "why"), WRONG, ids=[case[-1] for case in WRONG])
def test_a_wrong_book_says_where(text: bytes, where: str, why: str) -> None:
    with pytest.raises(BudgetConfigurationError) as caught:
        decode(text)
    assert str(caught.value).startswith(where), why
    assert "\n" not in str(caught.value)


def test_free_is_a_price() -> None:
    assert cheapest(BOOK).price != FREE


def cheapest(configuration: BudgetConfiguration) -> Rung:
    return min(configuration.targets.values(), key=lambda rung: rung.price.input)
