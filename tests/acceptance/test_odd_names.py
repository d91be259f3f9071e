"""Names of models as providers have them: declared, called, priced, failed over, listed, and shown."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

import pytest
from running_up import say, until
from world import (
    HOME,
    KEY,
    World,
    clean,
    consumer,
    credential,
    endpoint,
    error_of,
    model,
    provider,
    resource,
    route,
    secret,
    to,
)

__all__ = ["clean"]

pytestmark = pytest.mark.envoy

NAMES = (
    *("a b", "a%20b", "a%2520b", "a+b", "a.b", "a~b", "a|b", "a!b", "a,b", "a;b", "a=b&c", "a?b#c", "a/b//c", "a\\b"),
    *(
        '"quoted"',
        "'single'",
        "`ticked`",
        "~vendor/latest",
        "[1m]",
        "claude [1m]",
        "x (preview)",
        "<x>{y}",
        "$100",
        "^",
    ),
    *("us.vendor.x-v1:0", "@cf/vendor/x", "-", "--", "%", "100%", "%zz", "日本/模型", "Привет", "é", "e\u0301", "🐈‍⬛"),
    *("".join(chr(code) for code in range(33, 127) if chr(code) != "*"), "\U0001f408" * 128, "x" * 128),
)
WIRE = 'wire * id, "of" [that] \\ endpoint % ü'
TOKENS = 1_000_000


def _price(number: int) -> dict[str, str]:
    return {"input": "0", "output": f"{number + 1}"}


@pytest.fixture(scope="module")
def world(make_world: Callable[..., World]) -> World:
    world = make_world()
    first = world.simulate("first", models=NAMES, keys=("one",), answer_tokens=len(NAMES))
    second = world.simulate("second", models=(*NAMES, WIRE), keys=("two",))
    third = world.simulate("third", models=("a b", "x (preview)"), keys=("three",))
    catalogue = [model(name, usdPerMillionTokens=_price(number)) for number, name in enumerate(NAMES)]
    other = {"name": "by another name", "id": WIRE, "usdPerMillionTokens": _price(500)}
    policy = {"limit": {"usd": "1000000"}, "consumers": {"names": ["client"]}}
    world.write(
        "world",
        provider("first", [endpoint("only", first.base_url, credential=credential("first"))], catalogue),
        provider("second", [endpoint("only", second.base_url, credential=credential("second"))], [*catalogue, other]),
        provider("third", [endpoint("only", third.base_url, credential=credential("third"))], ["a b", "x (preview)"]),
        secret("third", apiKey="three"),
        route("well", "third/a b"),
        route("ill", "third/x (preview)", fallbacks=[to("second/x (preview)")]),
        secret("first", apiKey="one"),
        secret("second", apiKey="two"),
        route("all", "first", modelNames=["*"], fallbacks=[{"provider": "second"}]),
        route("alias", "second/by another name", modelNames=["an alias, (\u00fc)", "?"]),
        route("one", "first/a b", modelNames=["only one"], fallbacks=[to("second/by another name")]),
        *consumer("client", KEY),
        *consumer("picky", "sk-picky", allowedModelNames=["a *", "a%20*", "日本*", "an alias, (\u00fc)"]),
        resource("BudgetPolicy", "all", HOME, policy),
    )  # fmt: skip
    return world.start()


def _spent(world: World) -> float:
    with world.http() as client:
        return float(client.get("/v1/usage").json()["budget"]["spent"])


def test_each_name_is_called_priced_and_told_as_itself(world: World) -> None:
    # The n-th name costs n a token and answers n tokens: any other order of prices sums up to less.
    before, answers = _spent(world), {}
    for number, name in enumerate(NAMES):
        answers[name] = answer = world.chat(name, max_tokens=number + 1)
        assert answer.status_code == 200, (name, answer.text)
        assert world.sims["first"].control.requests()[-1].model == name
        assert unquote(answer.headers["x-fairlead-target"]) == f"first/only/{name}"
        assert answer.json()["usage"]["completion_tokens"] == number + 1
    wanted = before + sum((number + 1) ** 2 for number in range(len(NAMES))) / TOKENS
    until(lambda: _spent(world) == pytest.approx(wanted, abs=1e-9), "a name is not priced as itself")
    for name, answer in answers.items():
        line = world.line(answer)
        assert [unquote(line[key]) for key in ("model", "model_sent")] == [name] * 2
        # The token filter reads no escapes.
        assert unquote(line["model_served"]) == ("" if "\\" in json.dumps(name, ensure_ascii=False) else name)


def test_a_name_in_a_fallback_and_a_wire_id_are_swapped_whole(world: World) -> None:
    world.sims["first"].control.fault(status=503)
    for name in NAMES:
        answer = world.chat(name, stream=name == "a b")
        assert unquote(answer.headers["x-fairlead-target"]) == f"second/only/{name}"
        assert world.sims["second"].control.requests()[-1].model == name
    for name in ("only one", "an alias, (\u00fc)", "?"):
        answer = world.chat(name)
        assert unquote(answer.headers["x-fairlead-target"]) == "second/only/by another name"
        assert world.sims["second"].control.requests()[-1].model == WIRE


def test_everybody_sees_names_as_they_are(world: World) -> None:
    assert sorted(world.names()) == sorted((*NAMES, "an alias, (\u00fc)", "?", "only one", "well", "ill"))
    with world.http() as client:
        for name in NAMES:
            answer = client.get(f"/v1/models/{quote(name, safe='')}")
            assert (answer.status_code, answer.json().get("id")) == (200, name)
        anthropic = client.get("/v1/models", headers={"anthropic-version": "2023-06-01"}).json()
    assert {one["display_name"] for one in anthropic["data"]} >= set(NAMES)
    with world.openai() as client:
        assert client.chat.completions.create(model="claude [1m]", messages=[{"role": "user", "content": "Hi"}]).choices


def test_a_prefix_allows_what_begins_so_and_no_more(world: World) -> None:
    assert world.names("sk-picky") == ["a b", "a%20b", "an alias, (\u00fc)", "日本/模型"]
    for name in ("a%2520b", "a+b", "é"):
        answer = world.chat(name, key="sk-picky")
        assert (answer.status_code, error_of(answer)["code"]) == (404, "model_not_found")
        assert f"`{name}`" in error_of(answer)["message"]


@pytest.mark.parametrize("name", ["e\u0301 ", "A B", "a  b", "a%20B", "%2D", "%25", "日本", "\U0001f408" * 127])
def test_what_is_only_like_a_name_is_none(world: World, name: str) -> None:
    answer = world.chat(name)
    assert (answer.status_code, error_of(answer)["code"]) == (404, "model_not_found")


def test_status_shows_names_as_they_are(world: World) -> None:
    said = say("status", "-c", world.site.config, "-o", "json")
    document: dict[str, Any] = json.loads(said.stdout)
    shown = {one["name"] for region in document["regions"] for one in region["targets"]}
    assert shown >= {f"first/only/{name}" for name in NAMES}


def test_a_target_that_fails_is_named_as_it_is(world: World) -> None:
    # At a provider of its own: one that failed in another test may still be coming back, and be asked by few.
    world.sims["third"].control.fault(status=404, model="x (preview)")
    for name, served_by in (("well", "third/only/a b"), ("ill", "second/only/x (preview)")):
        answer = world.chat(name)
        assert (answer.status_code, unquote(answer.headers["x-fairlead-target"])) == (200, served_by)
    world.up.wait_for("failing", "third/only/x (preview): answers 404: no model `x (preview)` at ")
