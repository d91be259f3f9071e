"""`previous_response_id` at real Envoys: the official package in turns, two endpoints, two gateways, who may not."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from app_gateway import KEY, anew
from openai import BadRequestError, InternalServerError, NotFoundError, OpenAI
from running import Answer, Gateway
from speaking import Saying, Speaker

from builders import compiled, consumer, endpoint, installation, model, provider, route, secret, target
from fairlead import ir
from fairlead.demo.provider import SimulatedProvider
from fairlead.translate.effective import effective

pytestmark = pytest.mark.envoy

PATH = "/v1/responses"
BOB = "sk-team-web/bob"
SECRET = b"0123456789abcdef0123456789abcdef"
REGIONS = [
    {"name": "us", "geo": "us", "listen": "127.0.0.1:8101"},
    {"name": "eu", "geo": "eu", "listen": "127.0.0.1:8102"},
]
SIGNED = {"previousResponses": {"signedBy": [{"secretName": "ids"}]}}
NOT_FOUND = "previous_response_not_found"
ONCE = {"connection": "close"}
"""No thread of the speaker's is left with a connection at the end."""


@pytest.fixture(scope="module")
def us() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("gpt", "mini"), keys=("gpt-key",), region="us") as running:
        yield running


@pytest.fixture(scope="module")
def eu() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("gpt", "mini"), keys=("gpt-key",), region="eu") as running:
        yield running


@pytest.fixture(scope="module")
def azure() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(
        models=("deployed",), keys=("gpt-key",), header="api-key", base="/openai", azure=True
    ) as running:
        yield running


def at(name: str, sim: SimulatedProvider, region: str | None = None, **fields: Any) -> dict[str, Any]:
    return endpoint(name, region, baseURL=sim.base_url, credential={"secretName": "gpt", "key": "key"}, **fields)


@pytest.fixture(scope="module")
def speaker() -> Iterator[Speaker]:
    with Speaker() as speaking:
        yield speaking


@pytest.fixture(scope="module")
def gateways(
    us: SimulatedProvider, eu: SimulatedProvider, azure: SimulatedProvider, speaker: Speaker
) -> dict[str, ir.Gateway]:
    both = [at("us", us, "us"), at("eu", eu, "eu")]
    wide = {"contextWindow": 1000}
    made = compiled(
        provider("gpt", endpoints=both, models=[model("gpt", **wide), model("mini", **wide)], **SIGNED),
        provider("plain", endpoints=both, models=[model("gpt")]),
        provider(
            "azure",
            protocol="AzureOpenAI",
            endpoints=[at("api", azure, apiVersion="2025-03-01-preview")],
            models=[model("deployed", **wide)],
            **SIGNED,
        ),
        provider(
            "proxy",
            endpoints=[endpoint("own", baseURL=f"http://127.0.0.1:{speaker.port}/v1")],
            models=[model("own", **wide)],
            **SIGNED,
        ),
        route("own", target("proxy", "own")),
        route("chat", target("gpt", "gpt"), fallbacks=[target("plain", "gpt")]),
        route("mini", target("gpt", "mini")),
        route("plain", target("plain", "gpt")),
        route("azure", target("azure", "deployed")),
        route("copied", target("gpt", "gpt"), shadow=target("plain", "gpt", sample="100%")),
        route("kept", target("gpt", "gpt"), cache={"ttl": "10m"}),
        route("shared", target("gpt", "gpt"), cache={"ttl": "10m", "scope": "Namespace"}),
        route("ruled", target("plain", "gpt"), rules=[{"name": "long", "when": {"tools": False}, "route": "mini"}]),
        route("pressed", target("plain", "gpt"), downgradeTo="mini"),
        route(
            "led", target("azure", "deployed"), rules=[{"name": "long", "when": {"tools": False}, "route": "pressed"}]
        ),
        route("all", target("gpt"), modelNames=["*"]),
        consumer("app"),
        consumer("bob"),
        secrets={secret("app"): "sk-app", secret("bob"): "sk-bob"},
        installed=installation(regions=REGIONS),
    )
    return {region: made.gateways[region].ir for region in ("us", "eu")}


@pytest.fixture(scope="module")
def running(gateways: dict[str, ir.Gateway]) -> Iterator[dict[str, Gateway]]:
    with Gateway(gateways["us"]) as us, Gateway(gateways["eu"]) as eu:
        for one in (us, eu):
            one.write({"credentials/ids/key": SECRET})
        yield {"us": us, "eu": eu}


@pytest.fixture(autouse=True)
def well(us: SimulatedProvider, eu: SimulatedProvider, azure: SimulatedProvider) -> None:
    anew(us, eu, azure)


@pytest.fixture
def clients(running: dict[str, Gateway]) -> Iterator[dict[str, OpenAI]]:
    made = {
        region: OpenAI(base_url=f"http://127.0.0.1:{one.port}/v1", api_key=KEY, max_retries=0)
        for region, one in running.items()
    }
    yield made
    for client in made.values():
        client.close()


def ask(gateway: Gateway, name: str = "chat", *, key: str = KEY, **members: Any) -> Answer:
    return gateway.send(PATH, json.dumps({"model": name, "input": "hello", **members}), key=key)


def begun(gateway: Gateway, name: str = "chat", **members: Any) -> str:
    """Return the id of a first answer."""
    answer = ask(gateway, name, **members)
    assert answer.status == 200, answer
    found: str = json.loads(answer.body)["id"]
    return found


def sent(sim: SimulatedProvider) -> list[Any]:
    found = sim.control.requests()
    assert not [one for one in found if one.problem], found
    return [json.loads(one.body).get("previous_response_id") for one in found]


def test_turns_meet_the_endpoint_that_keeps_them_whichever_gateway_is_asked(
    clients: dict[str, OpenAI], us: SimulatedProvider, eu: SimulatedProvider
) -> None:
    first = clients["us"].responses.create(model="chat", input="One")
    assert first.id.startswith("resp_fl1_")
    second = clients["eu"].responses.create(model="chat", input="Two", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    with clients["eu"].responses.stream(model="chat", input="Three", previous_response_id=second.id) as events:
        ids = {event.response.id for event in events if hasattr(event, "response")}
        third = events.get_final_response()
    assert ids == {third.id}
    assert third.previous_response_id == second.id
    fourth = clients["us"].responses.create(model="chat", input="Four", previous_response_id=third.id)
    tokens = [one.usage.input_tokens if one.usage else 0 for one in (first, second, third, fourth)]
    assert tokens == sorted(set(tokens))
    assert not eu.control.requests()
    assert sent(us)[0] is None
    assert len(set(sent(us))) == 4
    assert all(not one.startswith("resp_fl1_") for one in sent(us)[1:])


def test_a_stream_begins_a_conversation_too(clients: dict[str, OpenAI], eu: SimulatedProvider) -> None:
    with clients["eu"].responses.stream(model="chat", input="One") as events:
        first = events.get_final_response()
    second = clients["us"].responses.create(model="chat", input="Two", previous_response_id=first.id)
    assert second.output_text
    assert len(sent(eu)) == 2


def test_a_caller_gets_no_further_from_the_answers_of_another(
    running: dict[str, Gateway], us: SimulatedProvider
) -> None:
    mine = begun(running["us"])
    raw = f"resp_{'0' * 8}{'0' * 16}"
    for key, id_ in ((BOB, mine), (KEY, f"{mine[:-2]}AA"), (KEY, mine.replace("fl1", "fl2")), (KEY, raw), (KEY, "")):
        answer = ask(running["us"], key=key, previous_response_id=id_)
        assert (answer.status, answer.code) == (404, NOT_FOUND)
        assert json.loads(answer.body)["error"]["param"] == "previous_response_id"
    for odd in (7, True, ["a"], {"id": mine}, f"{mine}\\u0041"):
        assert ask(running["us"], previous_response_id=odd).status == 404
    assert len(us.control.requests()) == 1
    assert ask(running["us"], previous_response_id=None).status == 200


def test_the_errors_are_what_the_package_raises(clients: dict[str, OpenAI], running: dict[str, Gateway]) -> None:
    with pytest.raises(NotFoundError) as raised:
        clients["us"].responses.create(model="chat", input="x", previous_response_id="resp_1")
    assert (raised.value.code, raised.value.param) == (NOT_FOUND, "previous_response_id")
    with pytest.raises(BadRequestError, match="`gpt/us`, which does not answer for the model `plain`"):
        clients["us"].responses.create(model="plain", input="x", previous_response_id=begun(running["us"]))


def test_another_model_of_the_same_endpoint_may_go_on(running: dict[str, Gateway], us: SimulatedProvider) -> None:
    for name in ("mini", "all", "gpt"):
        answer = ask(running["us"], "mini" if name == "all" else name, previous_response_id=begun(running["us"]))
        assert answer.status == 200, answer
    assert [one.model for one in us.control.requests()] == ["gpt", "mini", "gpt", "mini", "gpt", "gpt"]


def test_nobody_else_is_asked_while_the_endpoint_is_away(
    running: dict[str, Gateway], clients: dict[str, OpenAI], us: SimulatedProvider, eu: SimulatedProvider
) -> None:
    first = begun(running["us"])
    us.control.die()
    try:
        with pytest.raises(InternalServerError) as raised:
            clients["us"].responses.create(model="chat", input="x", previous_response_id=first)
        assert raised.value.status_code == 503
        assert "previous_response_id" in raised.value.message
    finally:
        us.control.revive()
    us.control.fault(status=500)
    answer = ask(running["us"], previous_response_id=first)
    assert (answer.status, answer.headers["x-fairlead-attempts"]) == (500, "1")
    assert answer.target == "gpt/us/gpt"
    us.control.clear()
    assert ask(running["us"], previous_response_id=first).status == 200
    assert not eu.control.requests()


def test_an_endpoint_that_is_drained_or_gone_says_so(
    running: dict[str, Gateway], gateways: dict[str, ir.Gateway], us: SimulatedProvider
) -> None:
    first = begun(running["us"])
    drained = effective(gateways["us"], {"gpt/us": 0})
    with Gateway(drained) as other:
        other.write({"credentials/ids/key": SECRET})
        answer = ask(other, previous_response_id=first)
        assert (answer.status, answer.code) == (503, "previous_response_unavailable")
        assert "down or drained" in answer.message
        assert ask(other, "mini", previous_response_id=first).status == 503
        us.control.reset()
        assert json.loads(ask(other).body)["id"].startswith("resp_fl1_")
        assert not us.control.requests()
    with Gateway(effective(gateways["us"], {"gpt/us": 25})) as other:
        other.write({"credentials/ids/key": SECRET})
        assert ask(other, previous_response_id=first).status == 200
    with Gateway(gateways["us"]) as other:
        other.write({"credentials/ids/key": b"x" * 32})
        answer = ask(other, previous_response_id=first)
        assert (answer.status, answer.code) == (404, NOT_FOUND)


def test_a_shadow_gets_no_copies_of_what_goes_on(running: dict[str, Gateway], us: SimulatedProvider) -> None:
    first = begun(running["us"])
    us.control.reset()
    assert ask(running["us"], "copied", previous_response_id=first).status == 200
    assert ask(running["us"], "copied").status == 200
    assert sum(one is not None for one in sent(us)) == 1


@pytest.mark.parametrize("name", ["kept", "shared"])
def test_no_kept_answer_is_given_to_what_goes_on(running: dict[str, Gateway], name: str) -> None:
    first = begun(running["us"])
    outcomes = [ask(running["us"], name, previous_response_id=first).headers["x-fairlead-cache"] for _ in range(2)]
    assert outcomes == ["bypass", "bypass"]
    outcomes = [ask(running["us"], name, input=name).headers["x-fairlead-cache"] for _ in range(2)]
    assert outcomes == (["miss", "hit"] if name == "kept" else ["bypass", "bypass"])


def test_a_kept_answer_can_be_gone_on_from(running: dict[str, Gateway]) -> None:
    ids = {begun(running["us"], "kept", input="once more") for _ in range(2)}
    assert len(ids) == 1
    assert ask(running["us"], "kept", previous_response_id=ids.pop()).status == 200


def test_rules_lead_nobody_away_from_the_endpoint(running: dict[str, Gateway], us: SimulatedProvider) -> None:
    answer = ask(running["us"], "ruled")
    assert answer.headers["x-fairlead-rule"] == "long"
    first = json.loads(answer.body)["id"]
    tool = {"type": "function", "name": "look", "parameters": {"type": "object"}}
    answer = ask(running["us"], "ruled", previous_response_id=first, tools=[tool], tool_choice="none")
    assert (answer.status, answer.target, answer.headers["x-fairlead-route"]) == (200, "gpt/us/mini", "team-web/mini")
    assert len(sent(us)) == 2


@pytest.mark.parametrize(("name", "rule"), [("pressed", None), ("led", "long")])
def test_what_began_under_a_budgets_pressure_goes_on_where_it_began(
    running: dict[str, Gateway], us: SimulatedProvider, name: str, rule: str | None
) -> None:
    first = begun(running["us"], "mini")  # as it would begin, had a budget led there
    answer = ask(running["us"], name, previous_response_id=first)
    assert (answer.status, answer.target, answer.headers["x-fairlead-route"]) == (200, "gpt/us/mini", "team-web/mini")
    assert answer.headers.get("x-fairlead-rule") == rule
    assert len(sent(us)) == 2


def test_what_is_not_kept_or_not_signed_keeps_its_id(running: dict[str, Gateway]) -> None:
    for name, members in (("chat", {"store": False}), ("plain", {})):
        id_ = begun(running["us"], name, **members)
        assert not id_.startswith("resp_fl1_")
        assert ask(running["us"], name, previous_response_id=id_).code == NOT_FOUND


def test_what_is_not_kept_names_the_answer_before_as_its_client_does(running: dict[str, Gateway]) -> None:
    first = begun(running["us"])
    answer = json.loads(ask(running["us"], store=False, previous_response_id=first).body)
    assert answer["previous_response_id"] == first
    assert not answer["id"].startswith("resp_fl1_")


@pytest.mark.parametrize(("status", "given"), [(400, 400), (404, 400), (429, 429)])
def test_an_endpoint_that_lost_the_answer_names_it_as_its_client_does(
    running: dict[str, Gateway], speaker: Speaker, status: int, given: int
) -> None:
    raw = "resp_bGl0ZWxsbTpv/b3V0+ZQ=="  # of a proxy that writes base64
    speaker.said["own"] = Saying(
        body=json.dumps({"id": raw, "object": "response", "output": []}).encode(), headers=ONCE
    )
    first = begun(running["us"], "own")
    lost = {"error": {"message": f"Response with id '{raw}' not found.", "type": "invalid_request_error"}}
    speaker.said["own"] = Saying(body=json.dumps(lost).encode(), status=status, headers=ONCE)
    answer = ask(running["us"], "own", previous_response_id=first)
    assert speaker.asked[-1].body["previous_response_id"] == raw
    assert (answer.status, answer.message) == (given, f"Response with id '{first}' not found.")
    speaker.said["own"] = Saying(body=b'{"error":{"message":"The model does not exist."}}', status=404, headers=ONCE)
    assert ask(running["us"], "own", previous_response_id=first).code == "provider_refused"


def test_a_secret_that_is_not_mounted_yet_ends_no_conversation(gateways: dict[str, ir.Gateway]) -> None:
    (signer,) = (one for one in gateways["us"].signers or () if one.provider == "gpt")
    others = tuple(one for one in gateways["us"].signers or () if one is not signer)
    with Gateway(
        replace(gateways["us"], signers=(replace(signer, files=("new/key", *signer.files)), *others))
    ) as other:
        other.write({"credentials/ids/key": SECRET})
        second = json.loads(ask(other, previous_response_id=begun(other)).body)["id"]
        assert ask(other, previous_response_id=second).status == 200
        other.write({"credentials/new/key": SECRET[::-1]})
        assert ask(other, previous_response_id=second).status == 200


def test_azures_paths_by_deployments(running: dict[str, Gateway], azure: SimulatedProvider) -> None:
    first = begun(running["eu"], "azure")
    assert ask(running["us"], "azure", previous_response_id=first).status == 200
    assert [one.target for one in azure.control.requests()] == ["/openai/responses?api-version=2025-03-01-preview"] * 2
    assert sent(azure)[1]


@pytest.mark.parametrize(
    ("method", "rest"), [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")]
)
def test_answers_are_not_fetched(
    clients: dict[str, OpenAI], running: dict[str, Gateway], method: str, rest: str
) -> None:
    id_ = begun(running["us"])
    asked = {
        ("GET", ""): clients["us"].responses.retrieve,
        ("DELETE", ""): clients["us"].responses.delete,
        ("POST", "/cancel"): clients["us"].responses.cancel,
        ("GET", "/input_items"): clients["us"].responses.input_items.list,
    }
    with pytest.raises(NotFoundError, match="are not fetched, deleted or cancelled here"):
        asked[method, rest](id_)
    with pytest.raises(BadRequestError, match="background"):
        clients["us"].responses.create(model="chat", input="x", background=True)
