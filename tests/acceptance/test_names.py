"""Who may ask what, and which route a name leads to: namespaces, sharing, selectors, wildcards, keys."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from running_up import until
from world import HOME, World, consumer, credential, endpoint, error_of, namespace, provider, route, secret

pytestmark = pytest.mark.envoy

MODELS = ("base", "better", "qwen/small", "qwen/large", "other", "late", "mine")
EXPIRES_IN_S = 4


@pytest.fixture(scope="module")
def world(make_world: Callable[..., World]) -> World:
    world = make_world()
    sim = world.simulate("sim", models=MODELS, keys=("cred",))
    at = endpoint("only", sim.base_url, credential=credential("sim"))
    soon = datetime.fromtimestamp(time.time() + EXPIRES_IN_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: TID251 - the gateway's clock is meant
    everyone = {"namespaces": {"from": "All"}}
    professionals = {"selector": {"matchLabels": {"tier": "pro"}}}
    labelled = {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"plan": "gold"}}}}
    world.write(
        "world",
        provider("sim", [at], MODELS),
        secret("sim", apiKey="cred"),
        namespace("web", plan="gold"),
        namespace("lab"),
        # Two teams own `chat`; the installation shares one as well, for those who have none.
        route("chat", "sim/base", namespace="web"),
        route("chat", "sim/better", namespace="lab"),
        route("chat", "sim/other", consumers=everyone),
        # In a namespace: with a matching selector beats without.
        route("pro", "sim/better", namespace="web", modelNames=["chat"], consumers=professionals),
        # Exact beats prefix beats `*`.
        route("exact", "sim/mine", namespace="lab", modelNames=["qwen/small", "alias-1", "alias-2"]),
        route("prefix", "sim", namespace="lab", modelNames=["qwen/*"]),
        route("rest", "sim", namespace="lab", modelNames=["*"]),
        # Shared with gold namespaces only.
        route("gold", "sim/late", consumers=labelled),
        # Of two equals the lower name wins; the other keeps its second name.
        route("z-late-chat", "sim/late", namespace="web", modelNames=["chat", "late"]),
        *consumer("plain", "sk-web", namespace="web"),
        *consumer("pro", "sk-web-pro", namespace="web", labels={"tier": "pro"}),
        *consumer("two-keys", "sk-old", "sk-new", namespace="web"),
        *consumer("picky", "sk-picky", namespace="lab", allowedModelNames=["chat", "qwen/*"]),
        *consumer("lab", "sk-lab", namespace="lab"),
        *consumer("nobody", "sk-alone", namespace="alone"),
        *consumer("soon", "sk-soon", namespace="web", expiresAt=soon),
        *consumer("past", "sk-past", namespace="web", expiresAt="2020-01-01T00:00:00Z"),
        *consumer("twin-a", "sk-twin", namespace="web"),
        *consumer("twin-b", "sk-twin", namespace="lab"),
    )  # fmt: skip
    return world.start()


@pytest.mark.parametrize(
    ("key", "name", "answered_by", "model"),
    [
        ("sk-web", "chat", "web/chat", "base"),
        ("sk-lab", "chat", "lab/chat", "better"),
        ("sk-alone", "chat", f"{HOME}/chat", "other"),
        ("sk-web-pro", "chat", "web/pro", "better"),
        ("sk-web", "late", "web/z-late-chat", "late"),
        ("sk-web", "gold", f"{HOME}/gold", "late"),
        ("sk-lab", "qwen/small", "lab/exact", "mine"),
        ("sk-lab", "alias-2", "lab/exact", "mine"),
        ("sk-lab", "qwen/large", "lab/prefix", "qwen/large"),
        ("sk-lab", "other", "lab/rest", "other"),
        ("sk-picky", "qwen/large", "lab/prefix", "qwen/large"),
        ("sk-old", "chat", "web/chat", "base"),
        ("sk-new", "chat", "web/chat", "base"),
    ],
)
def test_names_lead_where_the_callers_rules_say(
    world: World, key: str, name: str, answered_by: str, model: str
) -> None:
    answer = world.chat(name, key=key)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-fairlead-route"] == answered_by
    assert answer.headers["x-fairlead-target"] == f"sim/only/{model}"
    assert world.sims["sim"].control.requests()[-1].model == model


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("sk-web", "exact"),
        ("sk-web", "qwen/small"),
        ("sk-web", "Chat"),
        ("sk-alone", "gold"),
        ("sk-lab", "gold"),
        ("sk-lab", "qwen/unheard"),
        ("sk-picky", "other"),
        ("sk-picky", "alias-1"),
    ],
)
def test_what_a_caller_may_not_use_does_not_exist(world: World, key: str, name: str) -> None:
    answer = world.chat(name, key=key)
    assert (answer.status_code, error_of(answer)["code"]) == (404, "model_not_found")
    assert name not in world.names(key)
    with world.http(key) as client:
        assert client.get(f"/v1/models/{name}").status_code == 404


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("sk-web", ["chat", "gold", "late"]),
        ("sk-web-pro", ["chat", "gold", "late"]),
        ("sk-alone", ["chat"]),
        ("sk-picky", ["chat", "qwen/large", "qwen/small"]),
        (
            "sk-lab",
            ["alias-1", "alias-2", "base", "better", "chat", "late", "mine", "other", "qwen/large", "qwen/small"],
        ),
    ],
)
def test_each_caller_has_a_list_of_its_own(world: World, key: str, names: list[str]) -> None:
    assert world.names(key) == names
    for name in names:
        assert world.chat(name, key=key).status_code == 200


@pytest.mark.parametrize(
    ("key", "code"),
    [("sk-past", "expired_api_key"), ("sk-twin", "invalid_api_key"), ("sk-OLD", "invalid_api_key")],
)
def test_keys_that_open_nothing(world: World, key: str, code: str) -> None:
    answer = world.chat("chat", key=key)
    assert (answer.status_code, error_of(answer)["code"]) == (401, code)


def test_a_consumer_expires_by_the_gateways_own_clock(world: World) -> None:
    # Either it is still good, or its time has come; in the end it has.
    until(lambda: world.chat("chat", key="sk-soon").status_code == 401, "it never expires")
    assert error_of(world.chat("chat", key="sk-soon"))["code"] == "expired_api_key"


def test_conditions_say_what_is_wrong(world: World) -> None:
    until(lambda: world.says("ModelConsumer", "twin-a", "web", Accepted=("False", "DuplicateKey")))
    until(lambda: world.says("ModelConsumer", "twin-b", "lab", Accepted=("False", "DuplicateKey")))
    assert world.conditions("ModelRoute", "chat", "web")["Accepted"][0] == "True"
    until(lambda: world.says("ModelRoute", "z-late-chat", "web", Accepted=("False", "NameConflict")))


def test_an_older_route_keeps_its_name(world: World) -> None:
    old = route(
        "first", "sim/base", namespace="race", modelNames=["n"], metadata={"creationTimestamp": "2026-01-01T00:00:00Z"}
    )
    new = route(
        "a-second",
        "sim/better",
        namespace="race",
        modelNames=["n"],
        metadata={"creationTimestamp": "2026-03-01T00:00:00Z"},
    )
    world.write("race", old, new, *consumer("racer", "sk-race", namespace="race"))
    world.up.wait_for("accepted", "ModelConsumer race/racer: added")
    until(lambda: world.chat("n", key="sk-race").status_code == 200)
    assert world.chat("n", key="sk-race").headers["x-fairlead-route"] == "race/first"
    until(lambda: world.says("ModelRoute", "a-second", "race", Accepted=("False", "NameConflict")))
    assert world.conditions("ModelRoute", "first", "race")["Accepted"][0] == "True"
