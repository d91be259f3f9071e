"""Who may use what: look-up of names, lists of models, expiry, wildcard routes, on a real Envoy."""

import json
from urllib.parse import quote

import pytest
from filter_gateway import MAPPED, ODD, Client

pytestmark = pytest.mark.envoy


@pytest.mark.parametrize(
    ("key", "model", "route"),
    [
        ("sk-alice", "chat", "team/chat"),  # the own namespace shadows the shared route
        ("sk-gold", "chat", "team/gold"),  # a matching selector beats none
        ("sk-other", "chat", "shared/chat"),
        ("sk-alice", "everyone", "shared/chat"),
        ("sk-gold", "capped", "team/capped"),
        ("sk-alice", "qwen/q3.5", "shared/all"),
        ("sk-other", "capped", None),  # another namespace's
        ("sk-alice", "eu-only", None),  # refused in the own namespace: the shared route must not capture it
        ("sk-other", "eu-only", "shared/chat"),
        ("sk-alice", "Chat", None),  # case matters
        ("sk-alice", "chat/", None),
        ("sk-alice", "*", None),
        ("sk-lonely", "chat", None),
        ("sk-picky", "chat", "team/chat"),
        ("sk-picky", "qwen/q3.5", "shared/all"),
        ("sk-picky", "qwen/", None),
        ("sk-picky", "everyone", None),
        ("sk-picky", "capped", None),
        ("sk-nothing", "chat", None),
        ("sk-expiring", "chat", "team/chat"),
    ],
)
def test_look_up(filter_port: int, key: str, model: str, route: str | None) -> None:
    with Client(filter_port, key=key) as client:
        answer = client.post(json.dumps({"model": model}))
        listed = client.get(f"/v1/models/{model}")
    if model != "*":
        assert listed.status == (200 if route else 404)
    if route:
        assert answer.headers["x-route"] == route
    else:
        assert answer.error["code"] == "model_not_found"


@pytest.mark.parametrize(("key", "code"), [("sk-expired", "expired_api_key"), ("sk-removed", "invalid_api_key")])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/nothing"])
def test_keys_that_are_not_good_any_more(filter_port: int, key: str, code: str, path: str) -> None:
    with Client(filter_port, key=key) as client:
        answer = client.post('{"model":"chat"}', path)
    assert (answer.status, answer.error["code"]) == (401, code)


def test_an_unknown_key_is_not_the_filters_to_answer(filter_port: int) -> None:
    with Client(filter_port, key="sk-nobody") as client:
        answer = client.post('{"model":"chat"}')
    assert (answer.status, answer.body.decode()) == (401, MAPPED)


def test_what_a_client_forges_is_gone(client: Client) -> None:
    forged = {
        "x-fl-consumer": "team/gold",
        "x-fl-route": "team/gold",
        "x-fl-l0": "@shared/all/qwen/q4/0",
        "X-FL-Arms": "1-1",
    }
    answer = client.post('{"model":"chat"}', headers=forged)
    assert answer.headers["x-route"] == "team/chat"
    assert answer.metadata["consumer"] == "team/alice"
    assert {name: value for name, value in answer.head.items() if name.startswith("x-fl-")} == {
        "x-fl-consumer": "team/alice",
        "x-fl-route": "team/chat",
    }


def test_metadata_for_log_and_attempts(client: Client) -> None:
    assert client.post('{"model":"chat","stream":true}', "/v1/responses").metadata == {
        "consumer": "team/alice",
        "model": "chat",
        "stream": "true",
        "way": "flash-us flash-last api/us/flash 34 /v1/responses",
    }
    assert client.post('{"model":"chat"}').metadata["stream"] == "false"


def test_a_wildcard_plan_with_one_arm_names_its_ladder(client: Client) -> None:
    head = client.post('{"model":"qwen/q3.5"}').head
    assert head["x-fl-l0"] == "@shared/all/qwen/q3~5/0"
    assert "x-fl-l1" not in head
    assert "x-fl-arms" not in head


def test_a_wildcard_plan_with_several_arms_says_its_shape(client: Client) -> None:
    head = client.post('{"model":"spread"}').head
    assert [head[f"x-fl-l{arm}"] for arm in range(3)] == [f"@shared/all/spread/{arm}" for arm in range(3)]
    assert "x-fl-l3" not in head
    assert head["x-fl-arms"] == "3334-3333-3333"


@pytest.mark.parametrize(
    ("key", "models"),
    [
        ("sk-alice", ["capped", "chat", "everyone", "qwen/q3.5", "qwen/q4", "spread", "vectors", ODD]),
        ("sk-gold", ["capped", "chat", "everyone", "qwen/q3.5", "qwen/q4", "spread", "vectors", ODD]),
        ("sk-other", ["chat", "eu-only", "everyone", "qwen/q3.5", "qwen/q4", "spread"]),
        ("sk-picky", ["chat", "qwen/q3.5", "qwen/q4"]),
        ("sk-nothing", []),
        ("sk-lonely", []),
    ],
)
def test_list_of_models(filter_port: int, key: str, models: list[str]) -> None:
    with Client(filter_port, key=key) as client:
        answer = client.get("/v1/models?limit=1")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.body) == {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 0, "owned_by": "fairlead"} for name in models],
    }


@pytest.mark.parametrize("path", ["qwen/q3.5", "qwen%2Fq3.5", "qwen%2fq3%2E5", "%71wen/q3.5"])
def test_one_model(client: Client, path: str) -> None:
    answer = client.get(f"/v1/models/{path}")
    assert answer.status == 200
    assert json.loads(answer.body) == {"id": "qwen/q3.5", "object": "model", "created": 0, "owned_by": "fairlead"}


def test_one_model_with_an_odd_name(client: Client) -> None:
    answer = client.get("/v1/models/" + quote(ODD, safe=""))
    assert (answer.status, json.loads(answer.body)["id"]) == (200, ODD)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("chat%20", "chat "),
        ("%E6%97%A5%2520", "日%20"),
        ("%E6%97", "\u00e6\u0097"),  # no UTF-8: byte by byte
        ("%F0%9F%90%88" * 200, "\U0001f408" * 127),
        ("chat%00", "chat\0"),  # Envoy's metadata would end the name at the zero byte
        ("%22", '"'),
        ("a%0Ab", "a\nb"),
        ("*%7Cchat", "*|chat"),
        ("%zz", "%zz"),
    ],
)
def test_one_model_that_nobody_has(client: Client, path: str, model: str) -> None:
    answer = client.get(f"/v1/models/{path}")
    assert answer.status == 404
    assert answer.error["code"] == "model_not_found"
    assert f"`{model}`" in answer.error["message"]


@pytest.mark.parametrize("body", ['{"model":"chat"}', "not JSON", "x" * 50_000])
def test_who_is_stopped_is_told_so_by_the_key_alone(filter_port: int, body: str) -> None:
    with Client(filter_port, key="sk-stopped") as client:
        answer = client.post(body)
    assert (answer.status, answer.error["code"]) == (429, "insufficient_quota")
    assert answer.error["type"] == "insufficient_quota", (
        "clients of OpenAI's libraries tell it from a rate limit by this"
    )
    assert "`team/stopped`" in answer.error["message"]
    assert (answer.headers["x-should-retry"], answer.headers["x-fairlead-budget-remaining"]) == ("false", "0")
