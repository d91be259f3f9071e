"""Rules, as clients meet them: by OpenAI's package and Anthropic's API, with faults and a downgrade behind them."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest
import rule_bodies
from click.testing import CliRunner
from running_up import until
from world import KEY, World, clean, consumer, credential, endpoint, error_of, provider, resource, route, secret

from fairlead.cli import main

__all__ = ["clean"]

pytestmark = pytest.mark.envoy

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}}
VERSION = {"anthropic-version": "2023-06-01"}
OTHER = "sk-without-budget"
COUNTED = "sk-counted-on-the-asked-route"
RULES = [
    {"name": "pictures", "when": {"images": True}, "route": "seeing"},
    {"name": "agents", "when": {"tools": True}, "route": "clever"},
    {"name": "long", "when": {"promptTokens": {"atLeast": 100}}, "route": "clever"},
    {"name": "code", "when": {"lastUserContains": ["SQL", "größe"]}, "route": "clever"},
    {"name": "forms", "when": {"json": True, "maxOutputTokens": {"atLeast": 500}}, "route": "clever"},
]


@pytest.fixture(scope="module")
def world(make_world: Callable[..., World]) -> World:
    world = make_world()
    sim = world.simulate("api", models=("small", "large", "eyes"), keys=("k",))
    spare = world.simulate("spare", models=("large",), keys=("k",))
    world.write(
        "all",
        provider(
            "api",
            [endpoint("one", sim.base_url, credential=credential("api"))],
            ["small", "large", "eyes"],
        ),
        provider("spare", [endpoint("one", spare.base_url, credential=credential("api"))], ["large"]),
        secret("api", apiKey="k"),
        route("chat", "api/small", rules=RULES, maxOutputTokens=5),
        route("clever", "api/large", fallbacks=[{"provider": "spare", "model": "large"}], downgradeTo="small"),
        route("seeing", "api/eyes", rules=[{"name": "all", "when": {"images": True}, "route": "clever"}]),
        route("small", "api/small"),
        *consumer("agent", KEY, allowedModelNames=["chat"]),
        *consumer("spender", OTHER),
        *consumer("counted", COUNTED),
        resource(
            "BudgetPolicy",
            "asked",
            "fairlead",
            {"consumers": {"names": ["counted"]}, "routes": ["chat"], "limit": {"usd": "1.00"}},
        ),
        resource(
            "BudgetPolicy",
            "clever",
            "fairlead",
            {
                "consumers": {"names": ["spender"]},
                "routes": ["clever"],
                "limit": {"usd": "1.00"},
                "stages": [{"at": "0%", "action": "Downgrade"}],
            },
        ),
    )
    return world.start()


def told(answer: httpx.Response) -> tuple[str | None, ...]:
    assert answer.status_code == 200, answer.text
    return tuple(answer.headers.get(f"x-fairlead-{name}") for name in ("rule", "route", "target"))


def says(content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize(
    ("fields", "rule", "reached", "model"),
    [
        (says("hi"), "none", "chat", "small"),
        (says([{"type": "text", "text": "what is it?"}, PICTURE]), "pictures", "seeing", "eyes"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "agents", "clever", "large"),
        (says("a" * 400), "long", "clever", "large"),
        (says("a" * 399), "none", "chat", "small"),
        (says("Some sql, please"), "code", "clever", "large"),
        (says("Welche GRÖSSE? GRÖßE!"), "code", "clever", "large"),
        ({"response_format": {"type": "json_object"}, "max_tokens": 500}, "forms", "clever", "large"),
        ({"response_format": {"type": "json_object"}, "max_tokens": 499}, "none", "chat", "small"),
        ({"response_format": {"type": "json_object"}}, "none", "chat", "small"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_first_rule_that_matches_applies(
    world: World, fields: dict[str, Any], rule: str, reached: str, model: str, *, stream: bool
) -> None:
    answer = world.chat("chat", stream=stream, **fields)
    assert told(answer) == (rule, f"fairlead/{reached}", f"api/one/{model}")
    assert world.chat("clever").status_code == 404, "the caller has no right on its name"


def test_openais_package_sees_which_rule(world: World) -> None:
    with world.openai() as client:
        answer = client.chat.completions.with_raw_response.create(
            model="chat", messages=[{"role": "user", "content": "sql"}], max_tokens=400
        )
        assert answer.headers["x-fairlead-rule"] == "code"
        usage = answer.parse().usage
        assert usage
        assert usage.completion_tokens > 5, "the cap of the route that is reached holds"
        forced = client.chat.completions.with_raw_response.create(
            model="chat", messages=[{"role": "user", "content": "sql"}], extra_headers={"x-fairlead-rule": "none"}
        )
        assert (forced.headers["x-fairlead-rule"], forced.headers["x-fairlead-route"]) == ("none", "fairlead/chat")
        item: Any = {"role": "user", "content": [{"type": "input_image", "image_url": "https://x.example.com/a.png"}]}
        seen = client.responses.with_raw_response.create(model="chat", input=[item])
        assert seen.headers["x-fairlead-rule"] == "pictures"


def test_messages_and_completions_have_rules_too(world: World) -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}}
    with world.http() as client:
        body = {"model": "chat", "max_tokens": 10, **says([picture])}
        assert client.post("/v1/messages", json=body, headers=VERSION).headers["x-fairlead-rule"] == "pictures"
        body = {"model": "chat", "max_tokens": 10, "system": "b" * 400, **says("hi")}
        assert client.post("/v1/messages", json=body, headers=VERSION).headers["x-fairlead-rule"] == "long"
        answer = client.post("/v1/completions", json={"model": "chat", "prompt": "SQL"})
        assert told(answer) == ("code", "fairlead/clever", "api/one/large")


def test_a_request_that_can_be_read_in_two_ways_is_refused(world: World) -> None:
    twice = '{"model":"chat","messages":[{"role":"user","content":"hi","content":"sql"}]}'
    noted = '{"model":"chat","messages":[],"Messages":[{"role":"user","content":"sql"}]}'
    with world.http() as client:
        for body in (twice, noted):
            answer = client.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
            assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_json")
        answer = client.post(
            "/v1/chat/completions", json={"model": "chat", **says("hi")}, headers={"x-fairlead-rule": "code"}
        )
        assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_rule")


def test_the_ladder_of_the_route_that_is_reached_fails_over(world: World) -> None:
    world.sims["api"].control.fault(status=500, count=1)
    answer = world.chat("chat", **says("sql"))
    assert told(answer) == ("code", "fairlead/clever", "spare/one/large")


def test_a_budget_of_the_route_that_is_reached_downgrades(world: World) -> None:
    answer = world.chat("chat", key=OTHER, **says("sql"))
    assert told(answer) == ("code", "fairlead/small", "api/one/small")


def test_a_budget_of_the_route_that_is_asked_counts_what_a_rule_leads_elsewhere(world: World) -> None:
    def spent() -> float:
        with world.http(COUNTED) as client:
            return float(client.get("/v1/usage").json()["budget"]["spent"])

    assert told(world.chat("chat", key=COUNTED, **says("sql")))[1] == "fairlead/clever"
    until(lambda: spent() > 0)
    before = spent()
    assert told(world.chat("clever", key=COUNTED))[1] == "fairlead/clever"
    assert told(world.chat("chat", key=COUNTED, **says("sql")))[0] == "code"
    until(lambda: spent() > before)
    assert spent() == pytest.approx(2 * before), (
        "what was asked of the other route by its name is none of this budget's"
    )


def test_anthropics_package_sees_which_rule(world: World) -> None:
    with anthropic.Anthropic(api_key=KEY, base_url=world.url(), max_retries=0) as client:
        picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}}
        for content, rule in (("hi", "none"), ("Some SQL?", "code"), ([picture], "pictures")):
            asked: Any = [{"role": "user", "content": content}]
            answer = client.messages.with_raw_response.create(model="chat", max_tokens=10, messages=asked)
            assert answer.headers["x-fairlead-rule"] == rule
            assert answer.parse().content


def test_requests_are_counted_by_rule(world: World) -> None:
    world.chat("chat", **says("sql"))

    def counted() -> float:
        series = world.series("envoy_fairlead_rule_requests(?:_total)?")
        return sum(value for labels, value in series if labels["rule"] == "code" and labels["route"] == "fairlead/chat")

    until(lambda: counted() >= 1)


def test_explain_says_what_the_gateway_does(world: World, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    with world.http() as client:
        for body, path in rule_bodies.bodies(7, 60, ("chat",)):
            (tmp_path / "body.json").write_bytes(body)
            headers = {"content-type": "application/json", **VERSION}
            answer = client.post(path, content=body, headers=headers)
            told = explained(world, tmp_path / "body.json", path)
            if "refused" in told:
                assert answer.status_code == 400, (body, told)
                assert "x-fairlead-rule" not in answer.headers
                seen["refused"] += 1
                continue
            (here,) = told["regions"]
            got = (
                answer.headers["x-fairlead-rule"],
                answer.headers["x-fairlead-route"],
                answer.headers["x-fairlead-target"],
            )
            assert got == (here["rule"], here["route"], here["ladders"][0]["rungs"][0]["target"]), body
            seen[here["rule"]] += 1
    assert len(seen) > 3, seen
    world.sims["api"].control.reset()
    world.sims["api"].control.clear()


def explained(world: World, body: Path, path: str) -> Any:
    config = world.site.config
    where = ["-f", str(world.site.manifests), "-c", str(config), "--route", "fairlead/chat"]
    result = CliRunner().invoke(main, ["explain", *where, "--body", str(body), "--path", path, "-o", "json"])
    return json.loads(result.stdout)


def test_a_rule_that_comes_or_goes_acts_at_once(world: World) -> None:
    path = world.site.manifests / "more.yaml"
    world.write("more", route("late", "api/small"), *consumer("late", "sk-late"))
    until(lambda: world.chat("late", key="sk-late").status_code == 200)
    rule = {"name": "words", "when": {"lastUserContains": ["where"]}, "route": "clever"}
    world.write("more", route("late", "api/small", rules=[rule]), *consumer("late", "sk-late"))
    until(lambda: told(world.chat("late", key="sk-late"))[0] == "words")
    world.write("more", route("late", "api/small", rules=[{**rule, "route": "gone"}]), *consumer("late", "sk-late"))
    until(lambda: told(world.chat("late", key="sk-late"))[1] == "fairlead/late")
    until(lambda: world.says("ModelRoute", "late", ResolvedRefs=("False", "RouteNotFound")))
    path.unlink()
