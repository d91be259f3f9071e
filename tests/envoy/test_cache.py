"""Kept answers at a real gateway: who gets which again, and what is never kept."""

import http.client
import json
import queue
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from endings import BAD, BYTES, GOOD
from keeping import ask, outcome, world
from numbered import NumberedProvider, events, stream, whole
from running import CHAT, Answer, Gateway
from scripted import PATIENCE_S

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]


@pytest.fixture(scope="module")
def provider() -> Iterator[NumberedProvider]:
    with NumberedProvider() as running:
        yield running


@pytest.fixture(scope="module")
def served(provider: NumberedProvider) -> Iterator[Gateway]:
    with Gateway(world(provider)) as running:
        yield running


@pytest.fixture
def running(served: Gateway, provider: NumberedProvider) -> Gateway:
    provider.make, provider.read = whole, None
    return served


@pytest.fixture
def said(request: pytest.FixtureRequest) -> str:
    """What nobody has asked in another test."""
    return str(request.node.nodeid)


def test_the_same_request_is_answered_by_the_same_bytes_and_nobody_is_asked(
    running: Gateway, provider: NumberedProvider, said: str
) -> None:
    before = provider.asked
    first, second = ask(running, said), ask(running, said)
    assert (outcome(first), outcome(second)) == ("miss", "hit")
    assert (second.status, second.body) == (200, first.body)
    assert provider.asked == before + 1
    assert second.headers["content-type"] == "application/json"
    assert second.headers["content-length"] == str(len(first.body))
    assert second.headers["x-fairlead-route"] == "team/chat"
    assert second.headers["x-fairlead-attempts"] == "0", "nobody was asked"
    assert not {"x-fairlead-target", "x-fairlead-region"} & second.headers.keys()
    assert 0 <= int(second.headers["age"]) <= PATIENCE_S
    assert second.headers["x-request-id"] != first.headers["x-request-id"]


def test_a_stream_is_given_again_as_it_came(running: Gateway, provider: NumberedProvider, said: str) -> None:
    provider.make, before = stream, provider.asked
    first, second = (ask(running, said, stream=True) for _ in range(2))
    assert (outcome(first), outcome(second)) == ("miss", "hit")
    assert second.headers["content-type"] == "text/event-stream"
    assert second.body == first.body
    assert b"usage" not in second.body, "the client did not ask for it"
    assert second.body.endswith(b"data: [DONE]\n\n")
    assert provider.asked == before + 1


def test_a_stream_that_is_kept_is_not_held_back(running: Gateway, provider: NumberedProvider, said: str) -> None:
    """The provider sends its next event once the client has the one before."""
    had: queue.Queue[None] = queue.Queue()
    provider.make = stream
    provider.read = lambda _sent: had.get(timeout=PATIENCE_S)
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE_S)
    body = {"model": "chat", "messages": [{"role": "user", "content": said}], "stream": True}
    connection.request(
        "POST", CHAT, json.dumps(body), {"Content-Type": "application/json", "Authorization": "Bearer sk-alice"}
    )
    response = connection.getresponse()
    had.put(None)
    seen = b""
    for one in events(provider.asked):
        if b'"usage"' not in one:
            while not seen.endswith(one):
                seen += response.read1()
        had.put(None)
    had.put(None)
    seen += response.read()
    connection.close()
    assert response.headers["x-fairlead-cache"] == "miss"
    provider.read = None
    again = ask(running, said, stream=True)
    assert (outcome(again), again.body) == ("hit", seen)


def test_each_caller_has_its_own_answers(running: Gateway, said: str) -> None:
    mine = ask(running, said)
    theirs = ask(running, said, key="sk-bob")
    assert outcome(theirs) == "miss"
    assert theirs.body != mine.body
    assert ask(running, said).body == mine.body
    assert ask(running, said, key="sk-bob").body == theirs.body


def test_a_namespace_shares_where_the_route_says_so(running: Gateway, said: str) -> None:
    mine = ask(running, said, "team")
    theirs = ask(running, said, "team", key="sk-bob")
    assert (outcome(theirs), theirs.body) == ("hit", mine.body)
    other = ask(running, said, "team", key="sk-other/alice")
    assert (outcome(other), other.status) == ("miss", 200)
    assert other.body != mine.body


def test_of_callers_without_a_key_nobody_knows_who_they_are(running: Gateway, said: str) -> None:
    first, second = (ask(running, said, key="sk-stranger") for _ in range(2))
    assert (outcome(first), outcome(second)) == ("bypass", "bypass")
    assert first.body != second.body
    assert outcome(ask(running, said, "team")) == "miss"
    assert outcome(ask(running, said, "team", key="sk-stranger")) == "hit", "the route says so"


@pytest.mark.parametrize(
    "other",
    [
        {"stream": True},
        {"temperature": 0},
        {"model": "alias"},
        {"path": "/v1/completions"},
        {"headers": {"anthropic-beta": "x"}},
        {"headers": {"openai-beta": "x"}},
        {"headers": {"x-fairlead-rule": "none"}},
    ],
    ids=str,
)
def test_what_differs_in_anything_is_another_request(running: Gateway, said: str, other: dict[str, Any]) -> None:
    fields = {"prompt": "x", **other}
    ask(running, said, prompt="x")
    if other.get("stream"):
        assert outcome(ask(running, said, **fields)) == "miss"
    else:
        assert outcome(ask(running, said, fields.pop("model", "chat"), **fields)) == "miss"
    assert outcome(ask(running, said, prompt="x")) == "hit"


def test_who_asks_for_usage_gets_it(running: Gateway, provider: NumberedProvider, said: str) -> None:
    """The gateway asks for it in any case, in the very bytes that a client may write."""
    provider.make = stream
    text = json.dumps([{"role": "user", "content": said}])
    without = f'{{"model":"chat","stream":true,"messages":{text}}}'
    with_it = f'{{"model":"chat","stream_options":{{"include_usage":true}},"stream":true,"messages":{text}}}'
    assert b"usage" not in running.send(CHAT, without).body
    assert b"usage" in running.send(CHAT, with_it).body
    assert b"usage" not in running.send(CHAT, without).body
    assert outcome(running.send(CHAT, with_it)) == "hit"


@pytest.mark.parametrize("why", sorted(BAD))
def test_only_whole_answers_that_ended_by_themselves_are_kept(
    running: Gateway, provider: NumberedProvider, said: str, why: str
) -> None:
    provider.make = BAD[why]
    streams = "stream" in why

    def asked() -> Answer | None:
        try:
            return ask(running, said, **({"stream": True} if streams else {}))
        except http.client.IncompleteRead:
            return None

    for _ in range(2):
        answer = asked()
        assert answer is None or outcome(answer) == "miss"
    provider.make = stream if streams else whole
    assert [outcome(one) for _ in range(2) if (one := asked())] == ["miss", "hit"]


@pytest.mark.parametrize("why", sorted(GOOD))
def test_whole_answers_are_kept_whatever_they_talk_of(
    running: Gateway, provider: NumberedProvider, said: str, why: str
) -> None:
    provider.make = GOOD[why]
    fields = {"stream": True} if "stream" in why else {}
    assert [outcome(ask(running, said, **fields)) for _ in range(2)] == ["miss", "hit"]


def test_an_answer_ends_with_its_time(running: Gateway, said: str, wait_until: Wait) -> None:
    first = ask(running, said, "short")
    later = wait_until(lambda: (again := ask(running, said, "short")).body != first.body and again)
    assert outcome(later) == "miss"


def test_the_least_recently_used_makes_room(running: Gateway, provider: NumberedProvider, said: str) -> None:
    """Four of these do not fit."""
    provider.make = partial(whole, padding="x" * (BYTES * 3 // 10))
    for number in range(3):
        assert outcome(ask(running, f"{said} {number}")) == "miss"
    assert outcome(ask(running, f"{said} 0")) == "hit"
    assert outcome(ask(running, f"{said} 3")) == "miss"
    assert [outcome(ask(running, f"{said} {number}")) for number in (0, 3, 1)] == ["hit", "hit", "miss"]


def test_a_side_of_a_rollout_has_its_own(running: Gateway, said: str) -> None:
    """Each request draws its side anew, and gets what that side has answered."""
    asked = [ask(running, said, "moving") for _ in range(60)]
    misses = [one for one in asked if outcome(one) == "miss"]
    assert sorted(one.target for one in misses) == ["p/e/m", "p/e/n"], "fails once in 2 ** 59 runs by chance"
    assert {one.body for one in asked} == {one.body for one in misses}


def test_another_ladder_or_cap_finds_nothing_of_before(
    running: Gateway, provider: NumberedProvider, said: str, wait_until: Wait
) -> None:
    first = ask(running, said)
    running.serve(world(provider, digest="d2"))
    changed = wait_until(lambda: (again := ask(running, said)).body != first.body and again)
    assert outcome(changed) == "miss"
    assert outcome(ask(running, said)) == "hit"
    running.serve(world(provider))
    back = wait_until(lambda: (again := ask(running, said)).body != changed.body and again)
    assert back.body == first.body, "the very ladder that made it is back"


def test_a_route_without_a_cache_says_nothing(running: Gateway, said: str) -> None:
    first, second = (ask(running, said, "plain") for _ in range(2))
    assert outcome(first) is outcome(second) is None
    assert first.body != second.body


def test_hits_are_counted_apart_and_nobody_pays_for_them(running: Gateway, said: str, wait_until: Wait) -> None:
    def count(pattern: str) -> int:
        return sum(int(value) for value in re.findall(rf"^envoy_{pattern} (\d+)$", running.metrics(), re.MULTILINE))

    names = {
        "hits": r'fairlead_cache_requests{route="team/chat",outcome="hit"}',
        "misses": r'fairlead_cache_requests{route="team/chat",outcome="miss"}',
        "bypasses": r'fairlead_cache_requests{route="team/chat",outcome="bypass"}',
        "saved input": r'fairlead_cache_prompt_tokens{route="team/chat",target="p/e/m"}',
        "saved output": r'fairlead_cache_completion_tokens{route="team/chat",target="p/e/m"}',
        "requests": r"fairlead_requests{[^}]*}",
        "input": r"fairlead_prompt_tokens{[^}]*}",
        "attempts": r"fairlead_attempt_total{[^}]*}",
        "finished": r"fairlead_attempt_finished{[^}]*}",
    }

    def counts() -> dict[str, int]:
        return {name: count(pattern) for name, pattern in names.items()}

    # So that every series is there before, and these are counted before the next.
    first = [ask(running, said), ask(running, said), ask(running, said, headers={"Cache-Control": "no-store"})]
    for one in first:
        wait_until(lambda one=one: running.line(one))
    wait_until(lambda: all(counts().values()))
    before = counts()
    answers = [ask(running, said), ask(running, said), ask(running, said, headers={"Cache-Control": "no-cache"})]
    ask(running, said, headers={"Cache-Control": "no-store"})
    wanted = {
        "hits": 2,
        "misses": 1,
        "bypasses": 1,
        "saved input": 18,
        "saved output": 4,
        "requests": 4,
        "input": 18,
        "attempts": 2,
        "finished": 2,
    }
    wait_until(lambda: counts() == {name: before[name] + more for name, more in wanted.items()})
    hit, _, miss = (wait_until(lambda one=one: running.line(one)) for one in answers)
    assert [(line["cache"], line["attempts"], line["target"], line["prompt_tokens"]) for line in (*hit, *miss)] == [
        ("hit", 0, None, None),
        ("miss", 1, "p/e/m", 9),
    ]
    assert "non-number" not in (running.folder / "envoy.log").read_text()
