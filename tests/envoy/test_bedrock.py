"""Bedrock behind a gateway: signatures by Envoy's own filter, credentials by file and by the pod's identity."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic import Anthropic, RateLimitError
from app_gateway import KEY, anew, for_app
from openai import OpenAI
from running import Answer, Gateway
from running_up import until
from scripted import JSON, Script, ScriptedProvider

from builders import endpoint, model, provider, route, target
from fairlead.demo.provider import SimulatedProvider
from fairlead.demo.provider.converse import WRITTEN

pytestmark = pytest.mark.envoy

CLAUDE = "us.anthropic.claude-sonnet-4-20250514-v1:0"
ARN = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{CLAUDE}"
QUESTION: Any = [{"role": "user", "content": "Where?"}]
SECRETS = {"AKIDONE": "one/+", "AKIDTWO": "two"}
TOKEN = "token/+="
BLOCK, AWS = "credentials", "aws"


def file(key: str, secret: str, token: str = "") -> bytes:
    """Write a credentials file of AWS."""
    said = f"# by hand\n[other]\naws_access_key_id = X\n\n[default]\naws_access_key_id={key}\n"
    said += f"aws_secret_access_key = {secret}\n"
    return (said + (f"aws_session_token = {token}\n" if token else "")).encode()


HELD = {
    f"aws/{BLOCK}": file("AKIDONE", SECRETS["AKIDONE"]),
    f"timed/{BLOCK}": file("ASIA", "for a time".replace(" ", "-"), TOKEN),
    f"wrong/{BLOCK}": file("AKIDONE", "another"),
    f"absent/{BLOCK}": None,
    f"plain/{BLOCK}": b"sk-no-such-file\n",
}


@pytest.fixture(scope="module")
def bedrock() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(
        models=(CLAUDE, ARN),
        keys=(*(":".join(pair) for pair in SECRETS.items()), f"ASIA:for-a-time:{TOKEN}"),
        base="",
        bedrock=True,
        region="us-east-1",
    ) as running:
        yield running


@pytest.fixture(scope="module")
def west() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=(CLAUDE,), keys=("AKIDONE:one/+",), base="", bedrock=True, region="us-west-2") as one:
        yield one


@pytest.fixture(scope="module")
def odd() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


@pytest.fixture(scope="module")
def gpt() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("gpt",), keys=("gpt-key",), region="gpt") as running:
        yield running


def at(
    sim: SimulatedProvider | ScriptedProvider, secret: str | None = AWS, region: str = "us-east-1"
) -> dict[str, Any]:
    credential = {"credential": {"secretName": secret, "key": BLOCK}} if secret else {}
    return endpoint("api", "us", baseURL=f"http://127.0.0.1:{sim.port}", awsRegion=region, **credential)


def speaking(name: str, *endpoints: dict[str, Any], **fields: Any) -> dict[str, Any]:
    catalogue = [model("claude", id=CLAUDE), model("profile", id=ARN)]
    return provider(name, protocol="Bedrock", endpoints=list(endpoints), models=catalogue, **fields)


@pytest.fixture(scope="module")
def running(
    bedrock: SimulatedProvider, west: SimulatedProvider, odd: ScriptedProvider, gpt: SimulatedProvider
) -> Iterator[Gateway]:
    gpts = [endpoint("api", "us", baseURL=gpt.base_url, credential={"secretName": "gpt", "key": "key"})]
    patient = {"consecutiveFailures": 100}
    then = {"fallbacks": [target("gpt", "gpt")]}
    with for_app(
        speaking("bedrock", at(bedrock), circuitBreaker=patient),
        speaking("timed", at(bedrock, "timed")),
        speaking("wrong", at(bedrock, "wrong"), circuitBreaker=patient),
        speaking("absent", at(bedrock, "absent"), circuitBreaker=patient),
        speaking("plain", at(bedrock, "plain"), circuitBreaker=patient),
        speaking("west", at(west, region="us-west-2"), circuitBreaker=patient),
        speaking("odd", at(odd), circuitBreaker=patient),
        speaking("held", at(bedrock), circuitBreaker={"maxInFlight": 5, **patient}),
        provider("gpt", endpoints=gpts, models=[model("gpt")], circuitBreaker=patient),
        *(
            route(name, target(name, "claude"))
            for name in ("bedrock", "timed", "wrong", "absent", "plain", "held", "odd")
        ),
        route("profile", target("bedrock", "profile")),
        *(route(f"{name}-first", target(name, "claude"), **then) for name in ("bedrock", "wrong", "absent", "plain")),
        route("gpt-first", target("gpt", "gpt"), fallbacks=[target("bedrock", "claude")]),
        route("west-first", target("west", "claude"), fallbacks=[target("bedrock", "claude")]),
        held=HELD,
    ) as started:
        yield started


@pytest.fixture(autouse=True)
def well(bedrock: SimulatedProvider, west: SimulatedProvider, gpt: SimulatedProvider) -> None:
    anew(bedrock, west, gpt)


def ask(running: Gateway, name: str, path: str = "/v1/chat/completions", **members: Any) -> Answer:
    return running.ask(name, path=path, key=KEY, **members)


def sent(sim: SimulatedProvider) -> Any:
    (record,) = sim.control.requests()
    assert record.problem is None, record
    return record


def line(running: Gateway, answer: Answer) -> dict[str, Any]:
    until(lambda: bool(running.line(answer)))
    (found,) = running.line(answer)
    return found


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("name", ["bedrock", "profile", "held"])
def test_what_leaves_is_signed(
    running: Gateway, bedrock: SimulatedProvider, name: str, path: str, stream: bool
) -> None:
    answer = ask(running, name, path, max_tokens=9, stream=stream)
    assert answer.status == 200, answer
    assert b"us-east-1/" in answer.body
    record = sent(bedrock)
    operation = "converse-stream" if stream else "converse"
    id_ = ARN if name == "profile" else CLAUDE
    assert record.target == f"/model/{id_.replace(':', '%3A').replace('/', '%2F')}/{operation}"
    headers = {key.lower(): value for key, value in record.headers}
    assert "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date," in headers["authorization"]
    assert "model" not in json.loads(record.body)


def test_a_credential_for_a_time_brings_its_token(running: Gateway, bedrock: SimulatedProvider) -> None:
    assert ask(running, "timed").status == 200
    assert sent(bedrock).header("x-amz-security-token") == TOKEN


def test_a_large_body_is_signed_as_a_whole(running: Gateway, bedrock: SimulatedProvider) -> None:
    said: Any = [{"role": "user", "content": "Where? " * 100_000}]
    assert ask(running, "bedrock", messages=said).status == 200
    assert len(sent(bedrock).body) > 700_000


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_a_body_in_gzip_goes_to_others_or_is_refused(
    running: Gateway, bedrock: SimulatedProvider, gpt: SimulatedProvider, path: str
) -> None:
    def packed(name: str) -> Answer:
        body = gzip.compress(json.dumps({"model": name, "messages": QUESTION, "max_tokens": 9}).encode())
        return running.send(path, body, key=KEY, headers={"content-encoding": "gzip"})

    refused = packed("bedrock")
    assert (refused.status, "The content-encoding parameter" in refused.message) == (400, True)
    if path == "/v1/chat/completions":
        assert (packed("bedrock-first").status, packed("bedrock-first").target) == (200, "gpt/api/gpt")
        assert len(gpt.control.requests()) == 2
    assert not bedrock.control.requests(), "nothing that cannot be signed is tried"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize(
    ("stream", "answers"),
    [
        (False, {"pieces": [b"any"]}),
        (True, {"pieces": [b"any"], "content_type": JSON}),
        (True, {"pieces": [], "chunked": False}),
    ],
)
def test_a_stream_that_nobody_asked_for_or_that_has_nothing_fails_the_attempt(
    running: Gateway, odd: ScriptedProvider, path: str, stream: bool, answers: dict[str, Any]
) -> None:
    odd.script = Script(**{"content_type": "application/vnd.amazon.eventstream", **answers})
    answer = ask(running, "odd", path, stream=stream, max_tokens=9)
    assert (answer.status, "no answer that can be understood" in answer.message) == (502, True)


def test_the_official_packages_are_answered(running: Gateway) -> None:
    with OpenAI(base_url=f"http://127.0.0.1:{running.port}/v1", api_key=KEY, max_retries=0) as client:
        answer = client.chat.completions.create(model="bedrock", messages=QUESTION, max_tokens=9)
        assert (answer.model, answer.choices[0].finish_reason) == (CLAUDE, "length")
    with Anthropic(base_url=f"http://127.0.0.1:{running.port}", api_key=KEY, max_retries=0) as other:
        with other.messages.stream(model="bedrock", messages=QUESTION, max_tokens=9) as events:
            said = events.get_final_message()
        assert (said.model, said.stop_reason) == (CLAUDE, "max_tokens")


@pytest.mark.parametrize("name", ["wrong", "absent", "plain"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_signed_goes_to_the_next_rung(
    running: Gateway, bedrock: SimulatedProvider, gpt: SimulatedProvider, name: str, stream: bool
) -> None:
    answer = ask(running, f"{name}-first", stream=stream)
    assert (answer.status, answer.target) == (200, "gpt/api/gpt")
    (record,) = bedrock.control.requests()
    if name == "wrong":
        assert record.problem == "bad_signature"
    else:
        assert (record.body, record.target, record.header("authorization")) == (b"{}", "/", None), "no prompt leaves"
    headers = {key.lower(): value for key, value in sent(gpt).headers}
    assert headers["authorization"] == "Bearer gpt-key"
    assert not [key for key in headers if key.startswith("x-amz")], "what the attempt before was signed with"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("name", ["wrong", "absent"])
def test_on_the_last_rung_it_is_the_gateways_refused_credential(running: Gateway, name: str, path: str) -> None:
    answer = ask(running, name, path, max_tokens=9)
    assert answer.status == 502
    assert ("type" in json.loads(answer.body)) == (path == "/v1/messages"), "each client in its own API's shape"
    assert "refused the gateway's credential" in answer.message


def test_another_attempt_is_signed_anew_for_its_own_region(
    running: Gateway, bedrock: SimulatedProvider, west: SimulatedProvider
) -> None:
    west.control.fault(status=503)
    answer = ask(running, "west-first")
    assert (answer.status, answer.target) == (200, "bedrock/api/claude")
    for sim, region in ((west, "us-west-2"), (bedrock, "us-east-1")):
        assert f"/{region}/bedrock/aws4_request" in (sent(sim).header("authorization") or "")


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("first", ["bedrock", "gpt"])
def test_a_ladder_leads_from_one_to_the_other(
    running: Gateway, bedrock: SimulatedProvider, gpt: SimulatedProvider, first: str, status: int
) -> None:
    (bedrock if first == "bedrock" else gpt).control.fault(status=status)
    answer = ask(running, f"{first}-first")
    other = "gpt/api/gpt" if first == "bedrock" else "bedrock/api/claude"
    assert (answer.status, answer.target) == (200, other)
    assert (sent(bedrock).body.startswith(b'{"messages"'), sent(gpt).body.startswith(b'{"model"')) == (True, True)


def test_the_last_ones_own_error_is_said_in_the_clients_words(running: Gateway, bedrock: SimulatedProvider) -> None:
    bedrock.control.fault(status=429, retry_after=7)
    answer = ask(running, "bedrock")
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    assert "a fault that somebody asked for" in answer.message
    with (
        Anthropic(base_url=f"http://127.0.0.1:{running.port}", api_key=KEY, max_retries=0) as client,
        pytest.raises(RateLimitError, match="a fault that somebody asked for"),
    ):
        client.messages.create(model="bedrock", messages=QUESTION, max_tokens=9)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_tokens_are_counted_with_what_went_through_the_cache(running: Gateway, path: str, stream: bool) -> None:
    mark = {"type": "text", "text": "Where? " * 20, "cache_control": {"type": "ephemeral"}}
    answer = ask(running, "bedrock", path, messages=[{"role": "user", "content": [mark]}], stream=stream, max_tokens=9)
    assert answer.status == 200, answer
    found = line(running, answer)
    assert (found["prompt_tokens"], found["cached_tokens"], found["completion_tokens"], found["usage_status"]) == (
        *(35, 8, 9),
        1,
    )
    assert WRITTEN


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/responses", "/v1/messages/count_tokens"])
def test_all_else_passes_over_it(running: Gateway, bedrock: SimulatedProvider, path: str) -> None:
    asked: Any = {"/v1/completions": {"prompt": "a"}, "/v1/responses": {"input": "a"}}.get(path, {})
    if path != "/v1/messages/count_tokens":
        answer = ask(running, "bedrock-first", path, **asked)
        assert (answer.status, answer.target) == (200, "gpt/api/gpt")
    refused = ask(running, "bedrock", path, **asked)
    assert refused.status == 404
    assert "is not supported at" in refused.message
    assert not bedrock.control.requests()


def test_an_error_in_a_stream_reaches_the_client(running: Gateway, bedrock: SimulatedProvider) -> None:
    bedrock.control.fault(error_after_chunks=3)
    body = ask(running, "bedrock", stream=True).body
    assert b'"error":{"message":"us-east-1: a fault that somebody asked for"' in body
    assert b"[DONE]" not in body


def test_a_secret_that_changes_signs_what_comes_then(running: Gateway, bedrock: SimulatedProvider) -> None:
    def key() -> str:
        anew(bedrock)
        assert ask(running, "bedrock").status == 200
        return (sent(bedrock).header("authorization") or "").partition("Credential=")[2].partition("/")[0]

    assert key() == "AKIDONE"
    running.write({f"credentials/aws/{BLOCK}": file("AKIDTWO", SECRETS["AKIDTWO"])})
    until(lambda: key() == "AKIDTWO")
    running.write({f"credentials/aws/{BLOCK}": HELD[f"aws/{BLOCK}"] or b""})
    until(lambda: key() == "AKIDONE")


def test_without_a_file_it_is_the_pods_identity(bedrock: SimulatedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "AccessKeyId": "ASIA",
        "SecretAccessKey": "for-a-time",
        "Token": TOKEN,
        "Expiration": "2099-01-01T00:00:00Z",
    }
    with ScriptedProvider() as agent:
        agent.script = Script(pieces=[json.dumps(said).encode()], content_type=JSON, chunked=False)
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{agent.port}/v1/credentials")
        with for_app(speaking("bedrock", at(bedrock, None)), route("bedrock", target("bedrock", "claude"))) as one:
            until(lambda: ask(one, "bedrock").status == 200)
    assert bedrock.control.requests()[-1].header("x-amz-security-token") == TOKEN
