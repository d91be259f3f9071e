"""The simulated Bedrock, held against AWS's own package: its signatures, its shapes, its reading of streams."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from fairlead.demo.provider import SimulatedProvider

botocore: Any = pytest.importorskip("botocore.session")
exceptions: Any = pytest.importorskip("botocore.exceptions")
REGION = "eu-west-1"
SECRET = "secret/+"
MODEL = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-20250514-v1:0"
HELLO: Any = [{"role": "user", "content": [{"text": "hello there"}]}]
TOOLS: Any = {
    "tools": [
        {
            "toolSpec": {
                "name": name,
                "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"}}}},
            }
        }
        for name in ("weather", "time")
    ]
}
MARK: Any = {"cachePoint": {"type": "default"}}


@pytest.fixture(name="bedrock", scope="module")
def running_bedrock() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(
        models=("amazon.nova-lite-v1:0", MODEL),
        keys=(f"AKID:{SECRET}", "ASIA:other:token/+="),
        base="",
        bedrock=True,
        region=REGION,
    ) as provider:
        yield provider


@pytest.fixture(autouse=True)
def well(bedrock: SimulatedProvider) -> None:
    bedrock.control.reset()
    bedrock.control.clear()


@cache
def session() -> Any:
    """Load AWS's model of its API once."""
    return botocore.get_session()


def client(bedrock: SimulatedProvider, key: str = "AKID", secret: str = SECRET, **fields: Any) -> Any:
    config: Any = pytest.importorskip("botocore.config").Config(retries={"max_attempts": 0}, read_timeout=10)
    return session().create_client(
        "bedrock-runtime",
        endpoint_url=bedrock.base_url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=config,
        **{"region_name": REGION, **fields},
    )


def refusal(call: Any, **body: Any) -> tuple[str, str]:
    with pytest.raises(exceptions.ClientError) as refused:
        call(**body)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize("model", [MODEL, "amazon.nova-lite-v1:0"])
def test_what_awss_package_signs_is_answered(bedrock: SimulatedProvider, model: str) -> None:
    answer = client(bedrock).converse(modelId=model, messages=HELLO)
    assert answer["output"]["message"]["content"][0]["text"].startswith(f"{REGION}/{model}")
    assert answer["usage"]["cacheReadInputTokens"] == 0
    (record,) = bedrock.control.requests()
    assert (record.problem, record.model) == (None, model)


def test_a_key_for_a_time_has_a_token(bedrock: SimulatedProvider) -> None:
    assert client(bedrock, "ASIA", "other", aws_session_token="token/+=").converse(modelId=MODEL, messages=HELLO)
    code, _ = refusal(client(bedrock, "ASIA", "other").converse, modelId=MODEL, messages=HELLO)
    assert code == "ExpiredTokenException"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"secret": "wrong"}, "InvalidSignatureException"),
        ({"key": "AKIDX"}, "UnrecognizedClientException"),
        ({"region_name": "us-east-1"}, "InvalidSignatureException"),
        ({"aws_session_token": "token"}, "UnrecognizedClientException"),
    ],
)
def test_who_did_not_sign_is_refused(bedrock: SimulatedProvider, fields: dict[str, str], code: str) -> None:
    assert refusal(client(bedrock, **fields).converse, modelId=MODEL, messages=HELLO)[0] == code


def test_what_was_changed_on_the_way_is_refused(bedrock: SimulatedProvider) -> None:
    one = client(bedrock)

    def changed(request: Any, **_: Any) -> None:
        request.headers["Content-Type"] = "application/json; charset=utf-8"

    one.meta.events.register("before-send.bedrock-runtime.Converse", changed)
    assert refusal(one.converse, modelId=MODEL, messages=HELLO)[0] == "InvalidSignatureException"


def test_a_stream_is_read_by_awss_package(bedrock: SimulatedProvider) -> None:
    asked: Any = {"messages": [{"role": "user", "content": [{"text": "hello " * 20}, MARK]}]}
    said = list(client(bedrock).converse_stream(modelId=MODEL, **asked)["stream"])
    texts = [one["contentBlockDelta"]["delta"]["text"] for one in said if "contentBlockDelta" in one]
    assert "".join(texts).startswith(REGION)
    assert said[-1]["metadata"]["usage"] == client(bedrock).converse(modelId=MODEL, **asked)["usage"]
    usage = said[-1]["metadata"]["usage"]
    assert (usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"]) == (7, 3)
    assert usage["totalTokens"] == sum(
        usage[name] for name in ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    )


@pytest.mark.parametrize("streams", [True, False])
def test_tools_are_called_at_once_and_answered(bedrock: SimulatedProvider, streams: bool) -> None:
    one = client(bedrock)
    if streams:
        said = list(one.converse_stream(modelId=MODEL, messages=HELLO, toolConfig=TOOLS)["stream"])
        names = [
            event["contentBlockStart"]["start"]["toolUse"]["name"] for event in said if "contentBlockStart" in event
        ]
        assert names == ["weather", "time"]
        return
    answer = one.converse(modelId=MODEL, messages=HELLO, toolConfig=TOOLS)
    assert answer["stopReason"] == "tool_use"
    calls = answer["output"]["message"]
    ids = [block["toolUse"]["toolUseId"] for block in calls["content"]]
    results: Any = [{"toolResult": {"toolUseId": id_, "content": [{"text": "fine"}]}} for id_ in ids]
    then: Any = [*HELLO, calls, {"role": "user", "content": results}]
    assert one.converse(modelId=MODEL, messages=then, toolConfig=TOOLS)["stopReason"] == "end_turn"
    for wrong in (then[:-1], [*then[:-1], {"role": "user", "content": results[:1]}]):
        code, said_of_it = refusal(one.converse, modelId=MODEL, messages=wrong, toolConfig=TOOLS)
        assert (code, "Expected toolResult blocks" in said_of_it) == ("ValidationException", True)
    assert "toolConfig field must be defined" in refusal(one.converse, modelId=MODEL, messages=then)[1]


def test_an_error_in_a_stream_is_an_exception(bedrock: SimulatedProvider) -> None:
    bedrock.control.fault(error_after_chunks=2)
    with pytest.raises(exceptions.EventStreamError) as broken:
        list(client(bedrock).converse_stream(modelId=MODEL, messages=HELLO)["stream"])
    assert broken.value.response["Error"]["Code"] == "modelStreamErrorException"


@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "ThrottlingException"), (503, "ServiceUnavailableException"), (500, "InternalServerException")],
)
def test_errors_have_names(bedrock: SimulatedProvider, status: int, code: str) -> None:
    bedrock.control.fault(status=status)
    assert refusal(client(bedrock).converse, modelId=MODEL, messages=HELLO) == (
        code,
        f"{REGION}: a fault that somebody asked for",
    )


@pytest.mark.parametrize(
    "body",
    [
        {"messages": []},
        {"messages": [{"role": "assistant", "content": [{"text": "a"}]}]},
        {"messages": [*HELLO, *HELLO]},
        {"messages": [{"role": "user", "content": [{"text": " "}]}]},
        {"messages": [{"role": "user", "content": [{"text": "a", "cachePoint": {"type": "default"}}]}]},
        {"messages": HELLO, "stream": True},
        {"messages": HELLO, "modelId": MODEL},
        {"messages": HELLO, "system": [{"text": ""}]},
        {"messages": HELLO, "system": None},
        {"messages": HELLO, "inferenceConfig": {"maxTokens": 0}},
        {"messages": HELLO, "inferenceConfig": {"temperature": 1.5}},
        {"messages": HELLO, "toolConfig": {"tools": []}},
        {"messages": HELLO, "toolConfig": {"tools": [{"toolSpec": {"name": "a b", "inputSchema": {"json": {}}}}]}},
    ],
)
def test_it_is_strict(bedrock: SimulatedProvider, body: dict[str, Any]) -> None:
    signed = pytest.importorskip("botocore.auth")
    credentials: Any = pytest.importorskip("botocore.credentials").Credentials("AKID", SECRET)
    aws: Any = pytest.importorskip("botocore.awsrequest")
    http: Any = pytest.importorskip("botocore.httpsession")
    url = f"{bedrock.base_url}/model/amazon.nova-lite-v1%3A0/converse"
    request = aws.AWSRequest("POST", url, headers={"content-type": "application/json"}, data=json.dumps(body))
    signed.SigV4Auth(credentials, "bedrock", REGION).add_auth(request)
    answer = http.URLLib3Session().send(request.prepare())
    assert (answer.status_code, answer.headers["x-amzn-ErrorType"].partition(":")[0]) == (400, "ValidationException")


def test_an_unknown_model_and_a_path_of_no_operation(bedrock: SimulatedProvider) -> None:
    one = client(bedrock)
    assert refusal(one.converse, modelId="amazon.titan-v9:0", messages=HELLO)[1] == (
        "The provided model identifier is invalid."
    )
    assert refusal(one.invoke_model, modelId=MODEL, body=b"{}")[0] == "UnknownOperationException"
