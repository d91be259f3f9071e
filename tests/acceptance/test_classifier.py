"""A classifier that is a route, as callers with budgets meet it: they pay for it, or have no category."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from judge import Judge, model
from running_up import until
from world import KEY, World, consumer, credential, endpoint, provider, resource, route, secret

pytestmark = pytest.mark.envoy

COUNTED, FRUGAL, SPENT = "sk-counted", "sk-frugal", "sk-spent"
RULES = [{"name": "code", "when": {"category": "code"}, "route": "clever"}]
QUESTION_USD = (40 * 0.10 + 2 * 0.40) / 1e6
"""What the model that sorts bills: 40 tokens in and 2 out."""


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(lambda text: model("code" if "sql" in text else "simple")) as one:
        yield one


@pytest.fixture(scope="module")
def world(make_world: Callable[..., World], judge: Judge) -> World:
    world = make_world()
    sim = world.simulate("api", models=("small", "large"), keys=("k",))

    def policy(name: str, routes: list[str], usd: str) -> dict[str, object]:
        spec = {"consumers": {"names": [name]}, "routes": routes, "limit": {"usd": usd}}
        return resource("BudgetPolicy", name, "fairlead", spec)

    world.write(
        "all",
        provider("api", [endpoint("one", sim.base_url, credential=credential("api"))], ["small", "large"]),
        provider(
            "sorter", [endpoint("one", f"http://127.0.0.1:{judge.port}/v1")], ["tiny"], healthCheck={"type": "None"}
        ),
        secret("api", apiKey="k"),
        route(
            "chat",
            "api/small",
            feedback="Accept",
            rules=RULES,
            classifier={"route": "sorter", "categories": {"code": "programs", "simple": "talk"}, "timeout": "10s"},
        ),
        route("clever", "api/large"),
        route("sorter", "sorter/tiny"),
        *consumer("agent", KEY, allowedModelNames=["chat"]),
        *consumer("counted", COUNTED),
        *consumer("frugal", FRUGAL),
        *consumer("spent", SPENT),
        policy("counted", ["chat"], "1.00"),
        policy("frugal", ["sorter"], "0"),
        policy("spent", ["chat"], "0"),
    )
    return world.start()


def told(answer: httpx.Response) -> tuple[str | None, ...]:
    assert answer.status_code == 200, answer.text
    return tuple(answer.headers.get(f"x-fairlead-{name}") for name in ("category", "rule", "target"))


def says(text: str) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}]}


def test_a_category_leads_to_another_route(world: World) -> None:
    assert told(world.chat("chat", **says("some sql"))) == ("code", "code", "api/one/large")
    assert told(world.chat("chat", **says("hello"))) == ("simple", "none", "api/one/small")
    assert world.chat("sorter").status_code == 404, "the caller has no right on its name"


def test_the_caller_pays_by_policies_of_the_route_that_is_asked(world: World, judge: Judge) -> None:
    def spent() -> float:
        with world.http(COUNTED) as client:
            return float(client.get("/v1/usage").json()["budget"]["spent"])

    with world.http(COUNTED) as client:
        body = {"model": "chat", **says("hello, counted")}
        assert client.post("/v1/chat/completions", json=body, headers={"x-fairlead-rule": "none"}).status_code == 200
        until(lambda: spent() > 0)
        unsorted = spent()
        assert told(client.post("/v1/chat/completions", json=body))[0] == "simple"
    assert judge.texts.count("hello, counted") == 1
    until(lambda: spent() == pytest.approx(2 * unsorted + QUESTION_USD, rel=1e-6))


def test_a_caller_without_room_for_the_question_has_no_category(world: World, judge: Judge) -> None:
    for _ in range(2):
        assert told(world.chat("chat", key=FRUGAL, **says("sql, frugal"))) == ("none", "none", "api/one/small")
    assert "sql, frugal" not in judge.texts

    def counted() -> float:
        series = world.series("envoy_fairlead_classified_requests(?:_total)?")
        return sum(value for labels, value in series if labels["reason"] == "budget")

    until(lambda: counted() >= 2)
    assert told(world.chat("chat", **says("sql, of others")))[0] == "code", "nobody else is held by it"


def test_a_caller_whose_budget_is_spent_is_refused_and_nobody_is_asked(world: World, judge: Judge) -> None:
    for _ in range(3):
        assert world.chat("chat", key=SPENT, **says("sql, spent")).status_code == 429
    assert "sql, spent" not in judge.texts


def test_a_client_rates_its_answer_and_not_the_question_before_it(world: World) -> None:
    asked = world.chat("chat", **says("sql, rated")).headers["x-request-id"]

    def rate(request: str) -> int:
        with world.http() as client:
            return client.post("/v1/feedback", json={"request_id": request, "rating": "up"}).status_code

    until(lambda: rate(asked) == 200)
    assert rate(f"{asked}-classifier") == 404
