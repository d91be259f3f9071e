"""What a route may declare beside a cascade: rules, a classifier, a cache, a budget that downgrades."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from judge import Judge, model, service
from running_up import PATIENCE_S, until
from speaking import Speaker, says
from world import HOME, KEY, World, consumer, credential, endpoint, provider, resource, route, secret

pytestmark = pytest.mark.envoy

SPENDER = "sk-spender"
MODELS = ("small", "large", "cheap", "other", "best")
CODE = [{"name": "code", "when": {"category": "code"}, "route": "clever"}]
CATEGORIES = {"code": "programs", "simple": "talk"}
CUT = says("Y", "length")
CLIENTS = 2


def answer_of(name: str) -> str:
    """What a model says: long enough to tell a whole answer from a piece of one."""
    return f"I am {name}. " * 200


def cascade(*models: str, **spec: Any) -> dict[str, Any]:
    return {"cascade": {}, "fallbacks": [{"provider": "sim", "model": name} for name in models], **spec}


@pytest.fixture(scope="module")
def speaker() -> Iterator[Speaker]:
    with Speaker() as one:
        yield one


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(lambda text: service("code" if "sql" in text else "simple")) as one:
        yield one


@pytest.fixture(scope="module")
def tiny() -> Iterator[Judge]:
    with Judge(lambda text: model("code" if "sql" in text else "simple")) as one:
        yield one


@pytest.fixture(scope="module")
def world(make_world: Callable[..., World], speaker: Speaker, judge: Judge, tiny: Judge) -> World:
    world = make_world()

    def at(name: str, port: int, models: tuple[str, ...]) -> dict[str, Any]:
        where = endpoint("one", f"http://127.0.0.1:{port}/v1", credential=credential("sim"))
        return provider(name, [where], models, healthCheck={"type": "None"})

    sorter = {"service": {"name": "localhost", "port": judge.port, "path": "/sort"}, "categories": CATEGORIES}
    by_route = {"categories": CATEGORIES, "timeout": "10s"}
    policy = {
        "consumers": {"names": ["spender"]},
        "limit": {"usd": "0.02"},
        "stages": [{"at": "1%", "action": "Downgrade"}],
    }
    world.write(
        "all",
        at("sim", speaker.port, MODELS),
        at("tiny", tiny.port, ("tiny", "tinier")),
        secret("sim", apiKey="k"),
        route("sorted", "sim/small", **cascade("large"), rules=CODE, classifier={**sorter, "timeout": "10s"}),
        route("clever", "sim/best"),
        route(
            "kept",
            "sim/small",
            **cascade("large", cache={"ttl": "1h"}),
            rules=[{"name": "pictures", "when": {"tools": True}, "route": "tools"}],
        ),
        route("tools", "sim/best", cache={"ttl": "1h"}),
        route("thrifty", "sim/small", **cascade("large"), downgradeTo="frugal"),
        route("frugal", "sim/cheap", **cascade("other")),
        route("asks-a-cascade", "sim/small", rules=CODE, classifier={**by_route, "route": "sorter"}),
        route(
            "sorter",
            "tiny/tiny",
            cascade={"accept": {"notContains": ["simple"]}},
            fallbacks=[{"provider": "tiny", "model": "tinier"}],
        ),
        route("asks-a-cache", "sim/small", rules=CODE, classifier={**by_route, "route": "kept-sorter"}),
        route("kept-sorter", "tiny/tiny", cache={"ttl": "1h"}),
        *consumer("agent", KEY),
        *consumer("spender", SPENDER),
        resource("BudgetPolicy", "spender", HOME, policy),
    )
    return world.start("--workers", "1")


@pytest.fixture(autouse=True)
def _anew(speaker: Speaker, judge: Judge, tiny: Judge) -> None:
    speaker.asked.clear()
    judge.questions.clear()
    tiny.questions.clear()
    speaker.said = {name: says(answer_of(name)) for name in MODELS}


def told(answer: httpx.Response, *names: str) -> tuple[str | None, ...]:
    assert answer.status_code == 200, answer.text
    target = answer.headers.get("x-fairlead-target", "").rpartition("/")[2]
    if target:
        assert answer.json()["choices"][0]["message"]["content"] in (answer_of(target), "Y")
    return tuple(answer.headers.get(f"x-fairlead-{name}") for name in names)


def user(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def test_a_category_decides_whether_the_cascade_is_met(world: World, speaker: Speaker, judge: Judge) -> None:
    names = ("category", "rule", "cascade")
    assert told(world.chat("sorted", **user("hi")), *names) == ("simple", "none", "sim/small=accepted")
    speaker.said["small"] = CUT
    escalated = world.chat("sorted", **user("hi again"))
    assert told(escalated, *names) == ("simple", "none", "sim/small=finishReason, sim/large=unjudged")
    assert told(world.chat("sorted", **user("some sql")), *names) == ("code", "code", None)
    assert speaker.models() == ["small", "small", "large", "best"]
    assert len(judge.questions) == 3, "once for each request, however many models are asked"


def test_a_cascade_of_a_route_that_keeps_answers_and_has_rules(world: World, speaker: Speaker) -> None:
    names = ("cache", "rule", "cascade")
    speaker.said["small"] = CUT
    escalated = "sim/small=finishReason, sim/large=unjudged"
    assert told(world.chat("kept", **user("hi")), *names) == ("miss", "none", escalated)
    speaker.said["small"] = says(answer_of("small"))
    hit = world.chat("kept", **user("hi"))
    assert told(hit, *names) == ("hit", "none", "bypass")
    assert hit.json()["choices"][0]["message"]["content"] == answer_of("large")
    assert told(world.chat("kept", **user("ho")), *names) == ("miss", "none", "sim/small=accepted")
    assert told(world.chat("kept", **user("ho")), *names) == ("hit", "none", "bypass")
    tools = {"tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]}
    first, second = (told(world.chat("kept", **user("hi"), **tools), *names) for _ in range(2))
    assert (first, second) == (("miss", "pictures", None), ("hit", "pictures", None))
    assert speaker.models() == ["small", "large", "small", "best"]


def test_a_budget_that_downgrades_leads_to_the_other_routes_cascade(world: World, speaker: Speaker) -> None:
    def asked() -> tuple[str | None, ...]:
        return told(world.chat("thrifty", key=SPENDER, **user("hi")), "route", "cascade")

    speaker.said |= {"small": CUT, "cheap": CUT}
    before = ("fairlead/thrifty", "sim/small=finishReason, sim/large=unjudged")
    after = ("fairlead/frugal", "sim/cheap=finishReason, sim/other=unjudged")
    seen = {asked()}
    until(lambda: seen.add(one := asked()) or one == after)
    assert seen <= {before, after}
    assert told(world.chat("thrifty", **user("hi")), "route", "cascade") == before, "others have no such policy"


def test_a_question_to_a_route_with_a_cascade_is_judged_there(world: World, tiny: Judge) -> None:
    names = ("category", "rule", "cascade")
    assert told(world.chat("asks-a-cascade", **user("some sql")), *names) == ("code", "code", None)
    assert [one.body["model"] for one in tiny.questions] == ["tiny"]
    assert told(world.chat("asks-a-cascade", **user("hi")), *names) == ("simple", "none", None)
    assert [one.body["model"] for one in tiny.questions] == ["tiny", "tiny", "tinier"], "it said what is not accepted"


def test_a_question_to_a_route_that_keeps_answers_is_asked_each_time(world: World, tiny: Judge) -> None:
    """What is remembered is the classifier's `remember`, which needs no caller."""
    names = ("category", "rule", "cache")
    for number in (1, 2):
        assert told(world.chat("asks-a-cache", **user("some sql")), *names) == ("code", "code", None)
        assert len(tiny.questions) == number


@contextmanager
def load(world: World) -> Iterator[list[tuple[int, str, str, str]]]:
    """Let clients ask one request after the other; collect status, target, cascade and text of what they get."""
    ended, got = threading.Event(), list[tuple[int, str, str, str]]()
    body = json.dumps({"model": "changing", **user("hi")})
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}

    def ask() -> None:
        client = http.client.HTTPConnection("127.0.0.1", world.port(), timeout=PATIENCE_S)
        while not ended.is_set():
            client.request("POST", "/v1/chat/completions", body, headers)
            answer = client.getresponse()
            text = answer.read().decode()
            told = (answer.headers.get(f"x-fairlead-{name}", "") for name in ("target", "cascade"))
            got.append((answer.status, *told, text))  # type: ignore[arg-type]
        client.close()

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield got
    finally:
        ended.set()
        for thread in threads:
            thread.join(PATIENCE_S)


def test_a_ladder_that_changes_under_load_fails_nobody_and_answers_stay_whole(world: World, speaker: Speaker) -> None:
    speaker.said["small"] = CUT
    ladders = (("small", "large"), ("cheap", "other"), ("small", "best"))

    def write(first: str, *more: str) -> None:
        world.write("changing", route("changing", f"sim/{first}", **cascade(*more)))

    write(*ladders[0])
    until(lambda: "changing" in world.names())
    until(lambda: world.chat("changing").status_code == 200)
    with load(world) as got:
        for first, *more in ladders * 3:
            write(first, *more)
            wanted = first if first == "cheap" else more[0]
            until(lambda wanted=wanted: got and got[-1][1] == f"sim/one/{wanted}")
            begun = len(got)
            until(lambda begun=begun: len(got) > begun + 10)
    assert Counter(status for status, *_ in got) == {200: len(got)}
    for _, target, verdicts, text in got:
        name = target.rpartition("/")[2]
        assert json.loads(text)["choices"][0]["message"]["content"] == answer_of(name)
        assert verdicts.rpartition(", ")[2] in (f"sim/{name}=accepted", f"sim/{name}=unjudged")
