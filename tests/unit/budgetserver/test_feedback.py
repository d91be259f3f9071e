"""What is a rating, of which answers, and what comes of it when the answer is not known yet or the shelf fails."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead import ir
from fairlead.budget.configuration import BudgetConfiguration, RouteTerms
from fairlead.budgetserver import descriptor, feedback, ratings
from fairlead.budgetserver.descriptor import Report
from fairlead.budgetserver.feedback import Answer, FeedbackError, Outcome, Rating
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratings import Ratings
from fairlead.budgetserver.shelf import UNKNOWN, FileShelf, Rated
from fairlead.budgetserver.store import StoreError

NOW = 1_800_000_000_000
ANSWER = Answer(route="t/chat", target="p/m", arm=ir.Side.STABLE)


@given(st.text(alphabet="0123456789abcdef-", min_size=1, max_size=64), st.sampled_from(list(Rating)), st.integers(0, 3))
def test_a_rating_is_read_as_it_was_written(request: str, rating: Rating, indent: int) -> None:
    body = json.dumps({"rating": rating.value, "request_id": request}, indent=indent).encode()
    assert feedback.read(body) == (request, rating)


WRONG = [
    (b"", None, "empty"),
    (b"\xff\xfe", None, "no text"),
    (b"[" * 1024, None, "deep"),
    (b'["a", "up"]', None, "a list"),
    (b"null", None, "nothing"),
    (b'{"request_id": "a"}', "rating", "one member is missing"),
    (b'{"rating": "up"}', "request_id", "the other is"),
    (b'{"request_id": "a", "rating": "UP"}', "rating", "case"),
    (b'{"request_id": "a", "rating": 1}', "rating", "a number"),
    (b'{"request_id": "a", "rating": ["up"]}', "rating", "a list of it"),
    (b'{"request_id": 7, "rating": "up"}', "request_id", "an id that is a number"),
    (b'{"request_id": "a|b", "rating": "up"}', "request_id", "what separates a caller from an id"),
    (b'{"request_id": "a\\nb", "rating": "up"}', "request_id", "a line's end"),
    (b'{"request_id": "' + b"a" * 65 + b'", "rating": "up"}', "request_id", "long"),
    (b'{"request_id": "a", "rating": "up", "comment": "x"}', "comment", "more than is read"),
    (b'{"request_id": "a", "rating": "up", "rating": "down"}', None, "twice"),
]


@pytest.mark.parametrize(("body", "param", "why"), WRONG, ids=[case[-1] for case in WRONG])
def test_what_is_no_rating(body: bytes, param: str | None, why: str) -> None:
    with pytest.raises(FeedbackError) as told:
        pytest.fail(f"{why}: {feedback.read(body)}")
    assert told.value.param == param


@given(st.binary(max_size=200))
def test_nothing_else_is_ever_raised(body: bytes) -> None:
    try:
        feedback.read(body)
    except FeedbackError:
        return
    pytest.fail(f"{body!r} is no rating")


@given(st.text(), st.text(), st.sampled_from(list(ir.Side)))
def test_a_shelf_gives_back_what_it_got(route: str, target: str, arm: ir.Side) -> None:
    one = Answer(route=route, target=target, arm=arm)
    assert feedback.decode(feedback.encode(one)) == one


@pytest.mark.parametrize("text", [None, b"x", "", "[]", '["a","b"]', '["a","b","c"]', '["a",1,"stable"]', "[" * 9000])
def test_what_lies_on_a_shelf_is_not_believed(text: object) -> None:
    assert feedback.decode(text) is None


REPORT = descriptor.report(
    "t/a r1 chat 100 t/chat none p/e/m/x false 200 - 1 500 eu-1 100 5 - - - - @t/chat/1-candidate"
    " ; 50 1 ; 1 3 4 0 0 0 0 0"
)
OTHERS = [
    ({"status": 500}, None, "an error"),
    ({"status": 0}, None, "no answer"),
    ({"target": ""}, None, "nobody answered"),
    ({"cluster": "-"}, None, "a gateway of an older version"),
    ({"cluster": ""}, None, "the same"),
    ({"id": "r1-classifier"}, None, "a question to a classifier"),
    ({"cluster": "@t/chat/0"}, ir.Side.STABLE, "the stable side"),
    ({"cluster": "@t/chat/1-candidate-0a1b"}, ir.Side.CANDIDATE, "in another order than declared"),
    ({}, ir.Side.CANDIDATE, "as it is"),
]


@pytest.mark.parametrize(("changed", "arm", "why"), OTHERS, ids=[case[-1] for case in OTHERS])
def test_which_answers_can_be_rated(changed: dict[str, Any], arm: ir.Side | None, why: str) -> None:
    one = REPORT._replace(**changed)
    found = feedback.answer(request=one.id, route=one.route, target=one.target, cluster=one.cluster, status=one.status)
    assert found == (None if arm is None else Answer(route="t/chat", target="p/m/x", arm=arm)), why


class Late(FileShelf):
    """Knows an answer after it was asked some times."""

    def __init__(self, after: int) -> None:
        super().__init__(None, pytest.fail)
        self.left = after

    async def rate(self, consumer: str, request: str, rating: Rating, now_ms: int) -> Rated:
        self.left -= 1
        return UNKNOWN if self.left >= 0 else await super().rate(consumer, request, rating, now_ms)


class Failing(FileShelf):
    async def note(self, consumer: str, request: str, answer: Answer, now_ms: int) -> int:
        raise StoreError(f"{consumer} {request} {answer} {now_ms}")


TERMS = RouteTerms(max_output_tokens=None, downgrade_to=None, plans={"": ("p/e/m",)})
RULES = BudgetConfiguration(
    fail_closed=False,
    request_bytes=100,
    targets={},
    policies=(),
    consumers={},
    killed=frozenset(),
    routes={"t/chat": replace(TERMS, feedback=True), "t/plain": TERMS},
)


def play(
    shelf: FileShelf, steps: Callable[[Ratings], Awaitable[Any]], monkeypatch: pytest.MonkeyPatch | None = None
) -> tuple[Any, Metrics]:
    metrics = Metrics()
    if monkeypatch is not None:
        monkeypatch.setattr(ratings, "WAITS_S", (0.0, 0.0))

    async def run() -> Any:
        desk = Ratings(shelf, configuration=lambda: RULES, clock=lambda: NOW, metrics=metrics)
        try:
            return await steps(desk)
        finally:
            await desk.close()

    found = asyncio.run(run())
    metrics.flush()
    return found, metrics


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"fairlead_feedback_{name}_total", labels)


ARM = {"route": "t/chat", "target": "p/m/x", "arm": "candidate"}


@pytest.mark.parametrize(("after", "outcome"), [(0, Outcome.TAKEN), (2, Outcome.TAKEN), (3, Outcome.UNKNOWN)])
def test_an_answer_that_is_not_known_is_looked_for_again(
    after: int, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def steps(desk: Ratings) -> Outcome:
        desk.note(REPORT)
        return await desk.rate("t/a", "r1", Rating.UP)

    found, metrics = play(Late(after), steps, monkeypatch)
    assert found is outcome
    assert sample(metrics, "ratings", **ARM, rating="up") == (outcome is Outcome.TAKEN)
    assert sample(metrics, "ratings", **ARM, rating="down") == 0, "there before its first event"
    assert sample(metrics, "refused", reason="unknown") == (outcome is Outcome.UNKNOWN)
    assert sample(metrics, "answers", **ARM) == 1


def test_so_many_are_waited_for_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Counting(FileShelf):
        async def rate(self, consumer: str, request: str, rating: Rating, now_ms: int) -> Rated:
            asked.append(f"{consumer} {request} {rating} {now_ms}")
            return UNKNOWN

    async def steps(desk: Ratings) -> None:
        await asyncio.gather(*(desk.rate("t/a", "r9", Rating.UP) for _ in range(100)))

    play(Counting(None, pytest.fail), steps, monkeypatch)
    assert len(asked) == 100 + 64 * 2


NOT_NOTED = [
    ({"route": "t/plain"}, "its route takes no feedback"),
    ({"route": "t/gone"}, "its route is not known"),
    ({"shadow": True}, "a copy, which no user saw"),
    ({"free": True}, "a count of tokens"),
]


@pytest.mark.parametrize(("changed", "why"), NOT_NOTED, ids=[case[-1] for case in NOT_NOTED])
def test_what_is_not_remembered(changed: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(desk: Ratings) -> Outcome:
        desk.note(REPORT._replace(**changed))
        return await desk.rate("t/a", "r1", Rating.UP)

    assert play(Late(0), steps, monkeypatch)[0] is Outcome.UNKNOWN, why


def test_the_route_that_was_asked_counts_too() -> None:
    asked: Report = REPORT._replace(route="t/plain", asked_routes=("t/chat",))

    async def steps(desk: Ratings) -> Outcome:
        desk.note(asked)
        return await desk.rate("t/a", "r1", Rating.DOWN)

    found, metrics = play(Late(0), steps)
    assert found is Outcome.TAKEN
    assert sample(metrics, "ratings", **ARM | {"route": "t/plain"}, rating="down") == 1


def test_a_shelf_that_fails_is_counted_and_hurts_nobody() -> None:
    async def steps(desk: Ratings) -> None:
        desk.note(REPORT)
        desk.note(REPORT)

    _, metrics = play(Failing(None, pytest.fail), steps)
    assert sample(metrics, "forgotten", reason="failed") == 2
