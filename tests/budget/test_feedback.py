"""Ratings of answers: through real gateways, with and without a budget, and on every shelf alike."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running_up import RunningUp, Site, consumer, provider, route, secret, until

from budget.client import Answer, budget, chat, metric, metrics, request
from budget.conftest import CREDENTIAL, KEY
from budget.redis_server import RedisServer
from fairlead import ir
from fairlead.adapters.gateway_metrics import HttpGatewayMetrics
from fairlead.budgetserver import feedback
from fairlead.budgetserver.feedback import KEPT_MS, Outcome, Rating
from fairlead.budgetserver.shelf import FileShelf, RedisShelf, Shelf
from fairlead.budgetserver.store import StoreError
from fairlead.console.local import LocalSource
from fairlead.demo.provider import SimulatedProvider
from fairlead.standalone.state import StateFolder

Start = Callable[..., RunningUp]
NOW = 1_800_000_000_000
GIVEN = feedback.Answer(route="t/chat", target="p/m", arm=ir.Side.CANDIDATE)
UP, DOWN = Rating.UP, Rating.DOWN


def rate(port: int, asked: Any, rating: Any = "up", *, key: str = KEY, **more: Any) -> Answer:
    return request(port, "POST", "/v1/feedback", {"request_id": asked, "rating": rating, **more}, key=key)


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["error"]["code"]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """`fairlead up` with a route that rolls out from sparrow to heron; nobody has a budget but where a test says so."""
    steps = {"stickiness": "Request", "steps": [{"traffic": "50%", "hold": "24h"}]}
    with SimulatedProvider(models=("sparrow", "heron"), keys=(CREDENTIAL,)) as simulated:
        site = Site(tmp_path_factory.mktemp("feedback"))
        site.write("provider.yaml", provider(simulated.base_url, "sparrow", "heron"), secret("sim", key=CREDENTIAL))
        site.write("route.yaml", route("chat", "sparrow", feedback="Accept", rollout=steps), route("plain", "heron"))
        site.write("agent.yaml", consumer("agent", "k"), secret("agent", k=KEY))
        other = consumer("other", "k")
        late = consumer("late", "k")
        late["spec"]["expiresAt"] = "2020-01-01T00:00:00Z"
        site.write("others.yaml", other, secret("other", k="sk-other"), late, secret("late", k="sk-late"))
        with RunningUp(site) as running:
            running.serving()
            site.write("route.yaml", route("chat", "heron", feedback="Accept", rollout=steps), route("plain", "heron"))
            until(lambda: answered_by(site, "sim/one/heron"))
            yield site


def answered_by(site: Site, target: str) -> str:
    """The id of an answer of a target; empty where none of some came from there."""
    for _ in range(40):
        answer = chat(site.ports[0])
        if answer.status == 200 and answer.headers["x-fairlead-target"] == target:
            return answer.headers["x-request-id"]
    return ""


def counted(site: Site, **labels: str) -> float:
    text = metrics(site.state / "_budget" / "http.sock")
    return metric(text, "fairlead_feedback_ratings_total", route="fairlead/chat", **labels)


@pytest.mark.envoy
def test_a_rating_counts_at_the_side_that_answered(serving: Site) -> None:
    (port,) = serving.ports
    for target, arm, rating in (("heron", "candidate", "down"), ("sparrow", "stable", "up")):
        labels = {"target": f"sim/{target}", "arm": arm, "rating": rating}
        before = counted(serving, **labels)
        answer = rate(port, asked := answered_by(serving, f"sim/one/{target}"), rating)
        assert (answer.status, answer.json) == (
            200,
            {"object": "feedback", "request_id": asked, "rating": rating},
        )
        assert answer.headers["content-type"].startswith("application/json")
        assert counted(serving, **labels) == before + 1


@pytest.mark.envoy
def test_a_page_shows_it(serving: Site) -> None:
    asked = answered_by(serving, "sim/one/heron")
    assert rate(serving.ports[0], asked).status == 200

    async def look() -> list[tuple[str, str, bool]]:
        source = LocalSource(StateFolder(root=serving.state))
        async with HttpGatewayMetrics() as source._metrics:
            found = (await source.look()).feedback
        return [(one["route"], one["arm"], one["up"] > 0) for one in found if one["target"] == "sim/heron"]

    until(lambda: ("fairlead/chat", "candidate", True) in asyncio.run(look()))


def test_once(serving: Site) -> None:
    (port,) = serving.ports
    asked = answered_by(serving, "sim/one/heron")
    before = counted(serving)
    assert [rate(port, asked, "down").status for _ in range(3)] == [200] * 3, "who lost the answer may ask again"
    assert code(rate(port, asked, "up")) == (409, "already_rated")
    assert counted(serving) == before + 1


@pytest.mark.envoy
def test_of_one_s_own_answers_alone(serving: Site) -> None:
    (port,) = serving.ports
    asked = answered_by(serving, "sim/one/heron")
    assert code(rate(port, asked, key="sk-other")) == (404, "answer_not_found")
    assert code(rate(port, "0" * 36)) == (404, "answer_not_found")
    plain = chat(port, "plain")
    assert code(rate(port, plain.headers["x-request-id"])) == (404, "answer_not_found"), "its route takes none"
    assert rate(port, asked).status == 200


@pytest.mark.envoy
def test_keys_are_judged_as_on_other_paths(serving: Site) -> None:
    (port,) = serving.ports
    asked = answered_by(serving, "sim/one/heron")
    assert code(rate(port, asked, key="sk-wrong")) == (401, "invalid_api_key")
    assert code(rate(port, asked, key="sk-late")) == (401, "expired_api_key")
    assert code(request(port, "GET", "/v1/feedback")) == (404, "unknown_url")
    assert code(request(port, "POST", "/v1/feedback/x", {})) == (404, "unknown_url")


@pytest.mark.envoy
def test_what_is_no_rating(serving: Site) -> None:
    (port,) = serving.ports
    assert code(rate(port, "0" * 36, "meh")) == (400, "invalid_feedback")
    assert code(rate(port, "0" * 36, why="slow")) == (400, "invalid_feedback")
    assert code(rate(port, "0" * 2000)) == (413, "request_too_large")
    assert code(request(port, "POST", "/v1/feedback")) == (400, "invalid_json")
    assert code(request(port, "POST", "/v1/feedback", "0" * 100_000)) == (413, "request_too_large")


@pytest.mark.envoy
def test_streams_and_a_client_that_is_faster_than_the_report(serving: Site) -> None:
    (port,) = serving.ports
    for _ in range(20):
        answer = chat(port, stream=True)
        assert rate(port, answer.headers["x-request-id"]).status == 200


@pytest.mark.envoy
def test_a_spent_budget_is_no_reason_to_hear_nothing(serving: Site) -> None:
    (port,) = serving.ports
    asked = answered_by(serving, "sim/one/heron")
    path = serving.write("budget.yaml", budget(usd="0.000000001"))
    until(lambda: chat(port).status == 429)
    assert rate(port, asked).status == 200
    path.unlink()
    until(lambda: chat(port).status == 200)


@pytest.mark.envoy
def test_without_a_route_that_takes_feedback_there_is_no_such_path(site: Site, start: Start) -> None:
    site.write("budget.yaml", budget(usd="1"))
    start(site).serving()
    (port,) = site.ports
    asked = chat(port).headers["x-request-id"]
    assert code(rate(port, asked)) == (404, "unknown_url")


# Shelves


@pytest.fixture(params=["memory", "file", "redis"])
def shelves(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Shelf]:
    """Open a shelf of three answers at most, with a path of its own; each time the same one."""
    if request.param == "memory":
        only = FileShelf(None, pytest.fail, most=3)
        return lambda: only
    if request.param == "file":
        return lambda: FileShelf(tmp_path / "answers.db", pytest.fail, most=3)
    server: RedisServer = request.getfixturevalue("redis_server")
    server.command("FLUSHALL")
    return lambda: RedisShelf(server.url, timeout_s=10, most=3)


def on(shelves: Callable[[], Shelf], steps: Callable[[Shelf], Any]) -> None:
    async def run() -> None:
        shelf = shelves()
        try:
            await steps(shelf)
        finally:
            await shelf.close()

    asyncio.run(run())


def test_every_shelf_knows_its_own_once(shelves: Callable[[], Shelf]) -> None:
    async def steps(shelf: Shelf) -> None:
        assert await shelf.rate("t/a", "1", UP, NOW) == (Outcome.UNKNOWN, None)
        for _ in range(2):
            assert await shelf.note("t/a", "1", GIVEN, NOW) == 0
        assert await shelf.rate("t/b", "1", UP, NOW) == (Outcome.UNKNOWN, None)
        assert await shelf.rate("t/a", "1", UP, NOW) == (Outcome.TAKEN, GIVEN)
        assert await shelf.note("t/a", "1", GIVEN, NOW) == 0, "a report that comes again is nothing new"
        assert await shelf.rate("t/a", "1", UP, NOW) == (Outcome.REPEATED, GIVEN)
        assert await shelf.rate("t/a", "1", DOWN, NOW) == (Outcome.CONTRADICTED, GIVEN)

    on(shelves, steps)


def test_every_shelf_is_bounded_and_says_what_went(shelves: Callable[[], Shelf]) -> None:
    async def steps(shelf: Shelf) -> None:
        went = [await shelf.note("t/a", str(number), GIVEN, NOW + number) for number in range(6)]
        assert went == [0, 0, 0, 1, 1, 1]
        found = [(await shelf.rate("t/a", str(number), UP, NOW + 6))[0] for number in range(6)]
        assert found == [Outcome.UNKNOWN] * 3 + [Outcome.TAKEN] * 3

    on(shelves, steps)


def test_a_day_later_nothing_went_for_want_of_room(shelves: Callable[[], Shelf]) -> None:
    async def steps(shelf: Shelf) -> None:
        for number in range(3):
            await shelf.note("t/a", str(number), GIVEN, NOW)
        assert await shelf.note("t/a", "3", GIVEN, NOW + KEPT_MS) == 0
        assert (await shelf.rate("t/a", "3", UP, NOW + KEPT_MS))[0] is Outcome.TAKEN

    on(shelves, steps)


def test_a_file_outlives_the_process_and_forgets_after_a_day(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"

    async def before(shelf: Shelf) -> None:
        await shelf.note("t/a", "1", GIVEN, NOW)
        await shelf.note("t/a", "2", GIVEN, NOW)

    async def after(shelf: Shelf) -> None:
        assert await shelf.rate("t/a", "1", UP, NOW + KEPT_MS - 1) == (Outcome.TAKEN, GIVEN)
        assert await shelf.rate("t/a", "2", UP, NOW + KEPT_MS) == (Outcome.UNKNOWN, None)

    on(lambda: FileShelf(path, pytest.fail), before)
    assert path.stat().st_mode & 0o777 == 0o600
    on(lambda: FileShelf(path, pytest.fail), after)


def test_redis_forgets_after_a_day(redis_server: RedisServer) -> None:
    redis_server.command("FLUSHALL")

    async def steps(shelf: Shelf) -> None:
        await shelf.note("t/a", "1", GIVEN, NOW)
        await shelf.rate("t/a", "1", UP, NOW)

    on(lambda: RedisShelf(redis_server.url, timeout_s=10), steps)
    for key in ("{fairlead}:f:t/a|1", "{fairlead}:f:ages"):
        assert 0 < int(redis_server.command("PTTL", key).strip(b":\r\n")) <= KEPT_MS


def test_a_file_that_is_none_is_set_aside_and_told(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    path.write_bytes(b"not a database at all, but as long as the header of one would be: " * 4)
    told: list[str] = []

    async def steps(shelf: Shelf) -> None:
        await shelf.note("t/a", "1", GIVEN, NOW)
        assert (await shelf.rate("t/a", "1", UP, NOW))[0] is Outcome.TAKEN

    on(lambda: FileShelf(path, told.append), steps)
    assert len(told) == 1
    assert "answers.db.damaged" in told[0]


def test_what_lies_in_a_store_is_not_believed(redis_server: RedisServer) -> None:
    redis_server.command("FLUSHALL")
    redis_server.command("HSET", "{fairlead}:f:t/a|1", "content", '["t/chat","p/m","neither"]')
    redis_server.command("HSET", "{fairlead}:f:t/a|2", "content", feedback.encode(GIVEN), "rating", "sideways")
    redis_server.command("SET", "{fairlead}:f:t/a|3", "x")

    async def steps(shelf: Shelf) -> None:
        assert await shelf.rate("t/a", "1", UP, NOW) == (Outcome.UNKNOWN, None)
        assert await shelf.rate("t/a", "2", UP, NOW) == (Outcome.TAKEN, GIVEN)
        with pytest.raises(StoreError):
            await shelf.rate("t/a", "3", UP, NOW)

    on(lambda: RedisShelf(redis_server.url, timeout_s=10), steps)


def test_a_store_that_is_away_is_told(tmp_path: Path) -> None:
    async def steps(shelf: Shelf) -> None:
        for call in (shelf.note("t/a", "1", GIVEN, NOW), shelf.rate("t/a", "1", UP, NOW)):
            with pytest.raises(StoreError):
                await call

    on(lambda: RedisShelf(f"unix://{tmp_path}/nobody.sock", timeout_s=1), steps)
    on(lambda: FileShelf(tmp_path / "no" / "folder.db", pytest.fail), steps)


def test_what_is_written_can_be_read() -> None:
    assert feedback.decode(feedback.encode(GIVEN)) == GIVEN
    assert feedback.read(json.dumps({"request_id": "a-1", "rating": "down"}).encode()) == ("a-1", DOWN)
