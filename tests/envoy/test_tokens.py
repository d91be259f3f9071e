"""Usage is read from every kind of answer, whatever its length and its pieces; nobody gets a chunk unasked."""

import http.client
import json
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from dialects import CHAT, EMBEDDINGS, STREAMS, WHOLE, Right
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running import KEY, Answer, Gateway, gateway, plan, route, target
from scripted import JSON, Script, ScriptedProvider

from fairlead import ir

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]
TARGET, HOP = "a/eu/m", "a/eu/hop"
UNASKED = b'{"id":"c","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":22,"total_tokens":33}}'


def token_gateway(provider: ScriptedProvider) -> ir.Gateway:
    """Routes `chat`, `vectors`, and `hop` behind a bulkhead, all to one provider."""
    upstream = ir.Upstream(host="127.0.0.1", port=provider.port, tls=False, base_path="/v1")
    direct = target(TARGET, provider, upstream=upstream)  # type: ignore[arg-type]  # only its upstream is read
    limited = target(HOP, provider, upstream=upstream, max_in_flight=50)  # type: ignore[arg-type]
    vectors = target("a/eu/v", provider, upstream=upstream)  # type: ignore[arg-type]
    return gateway(
        {
            "chat": route("team/chat", plan("team/chat/0", last=direct)),
            "hop": route("team/hop", plan("team/hop/0", last=limited)),
            "vectors": route("team/vectors", plan("team/vectors/0", last=vectors, kind=ir.ModelKind.EMBEDDING)),
        },
        {"team/chat/0": (direct,), "team/hop/0": (limited,), "team/vectors/0": (vectors,)},
    )


@pytest.fixture(scope="module")
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as started:
        yield started


@pytest.fixture(scope="module")
def running(provider: ScriptedProvider) -> Iterator[Gateway]:
    with Gateway(token_gateway(provider)) as started:
        yield started


def ask(running: Gateway, path: str = CHAT, model: str = "", **members: Any) -> Answer:
    return running.ask(model or ("vectors" if path == EMBEDDINGS else "chat"), path=path, **members)


def counted(running: Gateway, answer: Answer, wait_until: Wait) -> Right | None:
    """What the request's line says of its tokens."""
    (line,) = wait_until(lambda: running.line(answer))
    if line["usage_status"] is None:
        return None
    return Right(
        input=line["prompt_tokens"],
        output=line["completion_tokens"],
        cached=line["cached_tokens"],
        status=line["usage_status"],
    )


LISTS = {"/v1/responses": "output", "/v1/messages": "content", "/v1/embeddings": "data"}


def frame(events: Sequence[dict[str, Any] | bytes], end: bytes = b"\n") -> list[bytes]:
    texts = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
    return [b"data: " + text + end + end for text in texts]


@pytest.mark.parametrize(("path", "members", "right"), [case[1:] for case in WHOLE], ids=[case[0] for case in WHOLE])
def test_answers_in_one_piece(
    running: Gateway, provider: ScriptedProvider, wait_until: Wait, *, path: str, members: dict[str, Any], right: Right
) -> None:
    body = json.dumps({"model": "m", LISTS.get(path, "choices"): [], **members}).encode()
    provider.script = Script(pieces=[body], content_type=JSON, chunked=False)
    answer = ask(running, path)
    assert answer.body == body
    assert counted(running, answer, wait_until) == right


@pytest.mark.parametrize(("path", "events", "right"), [case[1:] for case in STREAMS], ids=[case[0] for case in STREAMS])
def test_streams(
    running: Gateway, provider: ScriptedProvider, wait_until: Wait, *, path: str, events: list[Any], right: Right
) -> None:
    provider.script = Script(pieces=frame([*events, b"[DONE]"]))
    answer = ask(running, path, stream=True, stream_options={"include_usage": True})
    assert answer.body == b"".join(provider.script.pieces)
    assert counted(running, answer, wait_until) == right


@pytest.mark.parametrize("content_type", ["text/plain; charset=utf-8", None])
def test_a_stream_is_one_whatever_type_its_provider_names(
    running: Gateway, provider: ScriptedProvider, wait_until: Wait, content_type: str | None
) -> None:
    said = frame([b'{"choices":[{"delta":{"content":"x"}}]}'])
    provider.script = Script(pieces=[*said, *frame([UNASKED, b"[DONE]"])], content_type=content_type)
    answer = ask(running, stream=True)
    assert answer.body == b"".join([*said, *frame([b"[DONE]"])])
    assert counted(running, answer, wait_until) == Right(input=11, output=22)


BIG = b"QUJD" * (5 << 20)
LONG = [
    pytest.param(b'{"data":"' + BIG + b'","usage":{"prompt_tokens":3,"completion_tokens":4}}', id="20 MB before it"),
    pytest.param(b'{"usage":{"prompt_tokens":3,"completion_tokens":4},"data":"' + BIG + b'"}', id="20 MB after it"),
    pytest.param(
        b'{"data":[' + b"0.25," * (2 << 20) + b'1],"usage":{"prompt_tokens":3,"completion_tokens":4}}',
        id="10 MB of numbers",
    ),
]


@pytest.mark.parametrize("body", LONG)
def test_the_length_of_an_answer_changes_nothing(
    running: Gateway, provider: ScriptedProvider, wait_until: Wait, body: bytes
) -> None:
    provider.script = Script(pieces=[body], content_type=JSON, chunked=False)
    answer = ask(running)
    assert answer.body == body
    assert counted(running, answer, wait_until) == Right(input=3, output=4)


def test_a_line_above_a_megabyte_and_any_number_of_events(
    running: Gateway, provider: ScriptedProvider, wait_until: Wait
) -> None:
    picture = (
        b'{"choices":[{"delta":{"image":"' + BIG[: 3 << 20] + b'"}}],"usage":{"prompt_tokens":5,"completion_tokens":1}}'
    )
    events = frame([picture, *[b'{"choices":[{"delta":{"content":"x"}}]}'] * 120_000])
    provider.script = Script(pieces=[b"".join(events), *frame([UNASKED, b"[DONE]"])])
    answer = ask(running, stream=True)
    assert answer.body == b"".join([*events, *frame([b"[DONE]"])])
    assert counted(running, answer, wait_until) == Right(input=11, output=22)


@pytest.mark.parametrize("model", ["chat", "hop"])
@pytest.mark.parametrize("chunked", [True, False])
def test_the_chunk_that_nobody_asked_for_is_taken_out(
    running: Gateway, provider: ScriptedProvider, wait_until: Wait, model: str, *, chunked: bool
) -> None:
    said = frame([b'{"choices":[{"delta":{"content":"x"}}]}'])
    provider.script = Script(pieces=[*said, *frame([UNASKED]), *frame([b"[DONE]"])], chunked=chunked)
    for options in ({}, {"stream_options": None}, {"stream_options": {"include_usage": False}}, {"stream_options": {}}):
        answer = ask(running, model=model, stream=True, **options)
        assert answer.body == b"".join([*said, *frame([b"[DONE]"])])
        assert counted(running, answer, wait_until) == Right(input=11, output=22)
    answer = ask(running, model=model, stream=True, stream_options={"include_usage": True})
    assert answer.body == b"".join(provider.script.pieces)
    assert counted(running, answer, wait_until) == Right(input=11, output=22)


STAYS = [
    pytest.param(b'{"choices":[],"prompt_filter_results":[{"index":0}]}', id="no usage"),
    pytest.param(b'{"choices":[],"usage":null}', id="usage is null"),
    pytest.param(b'{"choices":[{"delta":{}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}', id="a choice"),
    pytest.param(b'{"error":{"code":1},"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}', id="an error"),
    pytest.param(b'{"choices":[],"usage":{"prompt_tokens":1', id="broken"),
    pytest.param(b'{"choices":[],"x":{"usage":{"prompt_tokens":1}}}', id="not its own"),
]


@pytest.mark.parametrize("event", STAYS)
@pytest.mark.parametrize("last", [b"\n\n", b"\n", b""], ids=["ended", "half ended", "open"])
def test_everything_else_passes(running: Gateway, provider: ScriptedProvider, event: bytes, last: bytes) -> None:
    provider.script = Script(pieces=[*frame([b'{"choices":[{}]}']), b"data: " + event + last])
    assert ask(running, stream=True).body == b"".join(provider.script.pieces)


@pytest.mark.parametrize("model", ["chat", "hop"])
def test_what_waited_for_its_end_is_not_lost_before_trailers(
    running: Gateway, provider: ScriptedProvider, model: str
) -> None:
    provider.script = Script(pieces=[b"data: [DONE]"], trailers=b"x-checksum: 1\r\n")
    assert ask(running, model=model, stream=True).body == b"data: [DONE]"


def test_an_answer_without_a_body(running: Gateway, provider: ScriptedProvider) -> None:
    provider.script = Script(pieces=[], chunked=False, status=400)
    answer = ask(running, stream=True)
    assert (answer.status, answer.body) == (400, b"")


def test_a_client_that_leaves_early_has_read_the_input_that_was_told(
    running: Gateway, provider: ScriptedProvider, wait_until: Wait
) -> None:
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 300, "output_tokens": 1}}}
    early = {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 1}}
    running_counts = {"choices": [{}], "usage": {"prompt_tokens": 300, "completion_tokens": 9}}
    for path, events in (("/v1/messages", [start] * 3), ("/v1/messages", [start, early]), (CHAT, [running_counts] * 3)):
        provider.script = Script(pieces=frame(events), cut=True)
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
        connection.request("POST", path, json.dumps({"model": "chat", "stream": True, "messages": []}), headers)
        response = connection.getresponse()
        with pytest.raises(http.client.IncompleteRead):
            response.read()
        connection.close()
        request = str(response.headers["x-request-id"])
        (line,) = wait_until(
            lambda request=request: [one for one in running.lines("request") if one["request_id"] == request]
        )
        assert (line["prompt_tokens"], line["completion_tokens"], line["usage_status"]) == (300, None, 2)


FIELDS = st.sampled_from([b"", b"event: chunk\n", b"id: 7\n", b": comment\n"])
EVENTS = st.sampled_from(
    [
        (b'data: {"choices":[{"delta":{"content":"\\"usage\\":{\\n"}}]}', False),
        (b'data:{"choices":[{"delta":{"content":"x"}}],"usage":null}', False),
        (b"data: " + UNASKED, True),
        (b'data: {"choices":[],\ndata: "usage":{"prompt_tokens":11,\ndata:"completion_tokens":22}}', True),
        (b'data: {"choices":[],"usage":\ndata: {"prompt_tokens":11,\ndata:"completion_tokens":22\ndata:}}', True),
        (b'data: {"usage":{"completion_tokens":22,"prompt_tokens":11}}', True),
        (b'data: {"choices":null,"usage":{"completion_tokens":22,"prompt_tokens":11},"id":"c"}', True),
        (b'data: { "usage" : {"completion_tokens":22,"prompt_tokens":11} , "choices" : [ ] }', True),
        (b": waiting", False),
        (b'data: {"choices":[{"delta":{"audio":"' + b"QUJD" * 9000 + b'"}}]}', False),
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    said=st.lists(st.tuples(FIELDS, EVENTS), min_size=1, max_size=8),
    end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    last=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_no_split_changes_what_is_counted_or_what_the_client_gets(
    running: Gateway,
    provider: ScriptedProvider,
    wait_until: Wait,
    *,
    said: list[Any],
    end: bytes,
    last: bool,
    seed: int,
) -> None:
    texts = [((field + event).replace(b"\n", end) + end + end, gone) for field, (event, gone) in said]
    texts.append((b"data: [DONE]" + (end + end if last else b""), False))
    body = b"".join(text for text, _ in texts)
    chance = random.Random(seed)
    places = sorted({0, len(body), *(chance.randrange(len(body)) for _ in range(chance.randrange(25)))})
    provider.script = Script(pieces=[body[first:stop] for first, stop in pairwise(places)])
    before = has_read(running)
    provider.read = lambda sent: wait_until(lambda: has_read(running) >= before + sent)
    try:
        answer = ask(running, stream=True)
    finally:
        provider.read = None
    assert answer.body == b"".join(text for text, gone in texts if not gone)
    right = Right(input=11, output=22) if any(gone for _, gone in texts) else None
    assert counted(running, answer, wait_until) == right


def has_read(running: Gateway) -> int:
    """How many bytes of answers the gateway has read so far."""
    return sum(running.envoy.counters(f"^cluster.{TARGET}.upstream_cx_rx_bytes_total$").values())
