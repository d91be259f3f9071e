"""Answers of Bedrock's Converse in the words of Messages; its streams, cut anywhere, whatever the provider does."""

import binascii
import json
import os
from typing import Any

import anthropic
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

import chat_lua
from converse_lua import (
    ID,
    LUA,
    MODEL,
    USAGE,
    begun,
    block,
    ended,
    event,
    frame,
    message,
    problem,
    streamed,
    text,
    thrown,
    use,
)
from converse_model import frames
from messages_lua import events

THOUGHT = block(
    0,
    {"reasoningContent": {"text": "I look"}},
    {"reasoningContent": {"text": " it up."}},
    {"reasoningContent": {"signature": "EqQBCgIYAhIM"}},
)
DETAILS = [{"ttl": "1h", "inputTokens": 12}, {"ttl": "5m", "inputTokens": 8}]
STREAM = b"".join(
    (
        begun(),
        THOUGHT,
        block(1, {"reasoningContent": {"redactedContent": "aGk="}}),
        text(2, "Ok", ', let\'s "see"', "é\u2028"),
        use(3, "tooluse_1", '{"location":', ' "San Fra', "ncisco", ', CA"}'),
        use(4, "tooluse_2", ""),
        ended("tool_use", cacheReadInputTokens=100, cacheWriteInputTokens=20, cacheDetails=DETAILS, totalTokens=132),
    )
)
"""As the reference shows one: thoughts, a text, calls whose input comes in parts, and as nothing."""
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def accumulated(said: bytes) -> anthropic.types.Message:
    """Read a stream as Anthropic's own client does."""
    found: Any = None
    inputs: dict[int, bytes] = {}
    for one in events(said):
        found = accumulate_event(event=EVENT.validate_python(one), current_snapshot=found, json_bufs=inputs)
    return found  # type: ignore[no-any-return]  # of the client's own, which is generic


def test_a_stream_is_said_event_by_event() -> None:
    kinds = ("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata")
    assert {one.headers[":event-type"] for one in frames(STREAM)} == set(kinds)
    found = accumulated(streamed(STREAM))
    assert (found.id, found.model, found.role) == (ID, MODEL, "assistant")
    assert [one.to_dict() for one in found.content] == [
        {"type": "thinking", "thinking": "I look it up.", "signature": "EqQBCgIYAhIM"},
        {"type": "redacted_thinking", "data": "aGk="},
        {"type": "text", "text": 'Ok, let\'s "see"é\u2028'},
        {"type": "tool_use", "id": "tooluse_1", "name": "look", "input": {"location": "San Francisco, CA"}},
        {"type": "tool_use", "id": "tooluse_2", "name": "look", "input": {}},
    ]
    assert (found.stop_reason, found.stop_sequence) == ("tool_use", None)
    usage = found.usage
    assert (usage.input_tokens, usage.output_tokens) == (5, 7)
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (100, 20)


def test_what_was_written_for_an_hour_is_told_apart() -> None:
    (end,) = (one for one in events(streamed(STREAM)) if one["type"] == "message_delta")
    assert end["usage"]["cache_creation"] == {"ephemeral_5m_input_tokens": 8, "ephemeral_1h_input_tokens": 12}


def test_a_client_of_chat_reads_it_through_the_words_of_messages() -> None:
    found = chat_lua.chunks(chat_lua.streamed(streamed(STREAM), asked=True))
    *said, last, usage, done = found
    deltas = [one["choices"][0]["delta"] for one in said]
    assert "".join(one.get("content", "") for one in deltas) == 'Ok, let\'s "see"é\u2028'
    parts = [part for delta in deltas for part in delta.get("tool_calls", ())]
    assert [(one["index"], one["id"]) for one in parts if "id" in one] == [(0, "tooluse_1"), (1, "tooluse_2")]
    said_of_first = "".join(one["function"]["arguments"] for one in parts if one["index"] == 0)
    assert json.loads(said_of_first) == {"location": "San Francisco, CA"}
    assert last["choices"][0]["finish_reason"] == "tool_calls"
    assert (usage["usage"]["prompt_tokens"], usage["usage"]["total_tokens"], done) == (125, 132, "[DONE]")


def test_a_stream_may_be_cut_at_every_byte() -> None:
    wanted = streamed(STREAM)
    for at in range(len(STREAM)):
        assert streamed(STREAM[:at], STREAM[at:]) == wanted
    assert streamed(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == wanted


BROKEN = "The provider's stream cannot be understood."
UNENDED = "The provider's stream ended before its answer did."


def last_error(said: bytes) -> str:
    found = events(said)[-1]
    assert (found["type"], found["error"]["type"]) == ("error", "api_error")
    return str(found["error"]["message"])


@pytest.mark.parametrize("length", range(len(begun()), len(STREAM) - len(ended("tool_use")), 97))
def test_a_stream_that_ends_early_ends_by_an_error(length: int) -> None:
    found = streamed(STREAM[:length])
    assert last_error(found) == UNENDED
    assert b"message_stop" not in found


def test_a_stream_without_its_counts_ends_as_it_would_and_says_no_number_to_the_token_filter() -> None:
    said = streamed(begun() + text(0, "a") + event("messageStop", stopReason="end_turn"))
    assert b'usage":{' not in said.replace(b"\\u0075sage", b"")
    assert (accumulated(said).stop_reason, accumulated(said).usage.output_tokens) == ("end_turn", 0)


def test_the_beginning_of_a_stream_says_no_number_to_the_token_filter() -> None:
    assert b'usage":{' not in streamed(begun(), ends=False).replace(b"\\u0075sage", b"")


def damaged(stream: bytes, at: int) -> bytes:
    return stream[:at] + bytes([stream[at] ^ 1]) + stream[at + 1 :]


DELTA = event("contentBlockDelta", delta={"text": "b"}, contentBlockIndex=1)


@pytest.mark.parametrize("at", range(len(DELTA)))
def test_a_frame_with_a_damaged_byte_is_none(at: int) -> None:
    said = streamed(begun(), text(0, "a"), damaged(DELTA, at), text(2, "c"), ended())
    if at >= 4:  # before: it is longer than what follows, or than any can be
        assert last_error(said) == BROKEN
    assert '"text":"c"' not in said.decode()


@pytest.mark.parametrize(
    "broken",
    [
        frame(b"{", event_type="messageStop", message_type="event"),
        frame(b"{}", event_type="contentBlockDelta", message_type="event"),
        frame(b"{}", message_type="event"),
        frame(b"{}", event_type="messageStop", message_type="other"),
        begun(),
        event("contentBlockStart", start={"toolResult": {"toolUseId": "t"}}, contentBlockIndex=1),
        event("contentBlockStart", start={"toolUse": {"toolUseId": "t", "name": "n", "type": "server_tool_use"}}),
        event("contentBlockStart", start={"toolUse": {"toolUseId": "t"}}, contentBlockIndex=1),
        event("contentBlockDelta", delta={"toolUse": {"input": "{"}}, contentBlockIndex=1),
        event("contentBlockDelta", delta={"image": {}}, contentBlockIndex=1),
        event("contentBlockDelta", delta={"text": 5}, contentBlockIndex=1),
        event("contentBlockDelta", delta={"text": "a", "citation": {}}, contentBlockIndex=1),
        event("contentBlockDelta", delta={"text": "a"}),
        block(1, *[{"reasoningContent": {"redactedContent": "aGk="}}] * 2),
        event("messageStop"),
        ended()[: -len(event("metadata", usage=USAGE, metrics={"latencyMs": 5}))] * 2,
        b"\0\0\0\x0f" + b"\0" * 8,
        b"\x7f\xff\xff\xff" + b"\0" * 8,
    ],
    ids=[
        *("no JSON", "an empty event", "no name", "another type", "two beginnings", "a result", "a call of theirs"),
        *("a call without a name", "input of no call", "a picture", "a number", "two deltas", "a delta of no block"),
        *("half a thought", "an end without a reason", "two ends", "too short", "too long"),
    ],
)
def test_a_stream_that_cannot_be_said_ends_with_an_error(broken: bytes) -> None:
    said = streamed(begun(), text(0, "a"), broken, text(2, "c"), ended())
    assert last_error(said) == BROKEN
    assert '"text":"c"' not in said.decode()


@pytest.mark.parametrize(
    ("thrown_kind", "kind"),
    [
        ("throttlingException", "rate_limit_error"),
        ("validationException", "invalid_request_error"),
        ("modelStreamErrorException", "api_error"),
        ("serviceUnavailableException", "api_error"),
        ("internalServerException", "api_error"),
        ("somethingNew", "api_error"),
    ],
)
def test_what_is_thrown_ends_it_in_the_clients_words(thrown_kind: str, kind: str) -> None:
    found = events(streamed(begun(), text(0, "a"), thrown(thrown_kind, "Too many"), text(1, "b"), ended()))
    assert found[-1] == {"type": "error", "error": {"type": kind, "message": "Too many"}}


def test_an_error_without_a_message_is_named() -> None:
    said = streamed(begun(), frame(b"", error_code="Gone", error_message="x", message_type="error"))
    assert last_error(said) == "The provider ended the stream by Gone."


@pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use"])
def test_what_is_no_output_of_a_model_is_no_answer(reason: str) -> None:
    assert last_error(streamed(begun(), text(0, "a"), ended(reason))) == "The model wrote what is no answer."
    assert message(answered({"text": "a"}, reason=reason)) is None


def test_an_event_of_another_name_says_nothing() -> None:
    said = streamed(begun(), event("newEvent", a=1), text(0, "a"), ended())
    assert said == streamed(begun(), text(0, "a"), ended())


@pytest.mark.parametrize("said", [b"", b"{}", b'{"message": "no stream"}', b"<html>" * 9])
def test_what_is_no_stream_ends_by_an_error(said: bytes) -> None:
    assert last_error(streamed(said)) == BROKEN


def test_memory_of_a_stream_is_bounded() -> None:
    long = event("contentBlockDelta", delta={"text": "a" * 8_400_000}, contentBlockIndex=0)
    assert last_error(streamed(begun(), long[:100], ends=False)) == BROKEN


def test_a_block_may_begin_without_saying_so_and_change_its_kind() -> None:
    stream = begun() + block(0, {"reasoningContent": {"text": "h"}}, {"text": ""}, {"text": "a"}, start={}) + ended()
    assert [one.type for one in accumulated(streamed(stream)).content] == ["thinking", "text"]


pieces = st.one_of(
    st.text('a"\\\n{},:p\u00e9', min_size=0, max_size=6),
    st.sampled_from(['"},"p":"a"}', "text", "contentBlockIndex", '"}']),
)


def said_one_by_one(payloads: list[bytes]) -> list[str]:
    said = [frame(one, event_type="contentBlockDelta", message_type="event") for one in payloads]
    found = events(streamed(begun(), *said, ended()))
    return [one["delta"]["text"] for one in found if one["type"] == "content_block_delta"]


@given(st.lists(st.tuples(pieces, st.integers(0, 3), st.booleans()), max_size=6))
def test_events_that_are_like_the_one_before_are_said_as_all_others(said: list[tuple[str, int, bool]]) -> None:
    payloads = []
    for text_, noise, turned in said:
        members = [("contentBlockIndex", 0), ("delta", {"text": text_})]
        more = [("p", "abcd"[:noise])] if noise else []
        body = dict([*(reversed(members) if turned else members), *more])
        payloads.append(json.dumps(body, separators=(",", ":")).encode())
    assert said_one_by_one(payloads) == [text_ for text_, _, _ in said if text_]


def test_an_event_that_only_begins_like_the_one_before_is_read() -> None:
    like = event("contentBlockDelta", delta={"text": "a"}, contentBlockIndex=0)
    for other in ({"text": "b", "citation": {}}, {"text": 5}):
        assert (
            last_error(streamed(begun(), like, event("contentBlockDelta", delta=other, contentBlockIndex=0))) == BROKEN
        )
    elsewhere = event("contentBlockDelta", delta={"text": "b"}, contentBlockIndex=1)
    found = accumulated(streamed(begun(), like, like, elsewhere, ended()))
    assert [one.to_dict()["text"] for one in found.content] == ["aa", "b"]


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 7, 8, 64, 201])
def test_sums_are_those_of_zlib(length: int) -> None:
    data = os.urandom(length)
    assert LUA[b"crc_of"](b"x" + data, 2, length) % 2**32 == binascii.crc32(data)


def answered(*content: Any, reason: str = "end_turn", **members: Any) -> dict[str, Any]:
    body = {"output": {"message": {"role": "assistant", "content": list(content)}}, "stopReason": reason}
    return {**body, "usage": USAGE, "metrics": {"latencyMs": 5}, **members}


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
inputs = st.dictionaries(texts, st.none() | st.booleans() | st.integers(-9, 9) | texts | st.lists(texts), max_size=3)


@given(st.lists(texts, max_size=2), st.lists(inputs, max_size=3), st.integers(0, 9**9))
def test_a_whole_answer_keeps_all_that_it_says(said: list[str], given: list[Any], tokens: int) -> None:
    calls = [{"toolUse": {"toolUseId": f"t{at}", "name": "look", "input": one}} for at, one in enumerate(given)]
    thought = {"reasoningContent": {"reasoningText": {"text": "h", "signature": "s"}}}
    usage = {"inputTokens": tokens, "outputTokens": 5, "totalTokens": tokens + 5, "cacheReadInputTokens": 3}
    found = message(answered(thought, *({"text": one} for one in said), *calls, reason="tool_use", usage=usage))
    anthropic.types.Message.model_validate(found)
    assert found["content"] == [
        {"type": "thinking", "thinking": "h", "signature": "s"},
        *({"type": "text", "text": one} for one in said),
        *({"type": "tool_use", "id": f"t{at}", "name": "look", "input": one} for at, one in enumerate(given)),
    ]
    assert found["usage"] == {
        "input_tokens": tokens,
        "output_tokens": 5,
        "cache_read_input_tokens": 3,
        "cache_creation_input_tokens": 0,
    }
    assert chat_lua.completion(found)["usage"]["prompt_tokens"] == tokens + 3


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", "end_turn"),
        ("tool_use", "tool_use"),
        ("max_tokens", "max_tokens"),
        ("stop_sequence", "stop_sequence"),
        ("guardrail_intervened", "refusal"),
        ("content_filtered", "refusal"),
        ("model_context_window_exceeded", "model_context_window_exceeded"),
        ("something_new", "end_turn"),
    ],
)
def test_why_an_answer_ended(reason: str, stop: str) -> None:
    fields = {"additionalModelResponseFields": {"stop_sequence": "END"}}
    found = message(answered({"text": "a"}, reason=reason, **fields))
    assert (found["stop_reason"], found["stop_sequence"]) == (stop, "END")
    assert accumulated(streamed(begun(), text(0, "a"), ended(reason))).stop_reason == stop


def test_an_answer_that_calls_a_tool_ended_for_that() -> None:
    call = {"toolUse": {"toolUseId": "t", "name": "look", "input": {}}}
    assert message(answered(call))["stop_reason"] == "tool_use"
    assert accumulated(streamed(begun(), use(0, "t", "{}"), ended())).stop_reason == "tool_use"


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"inputTokens": 5},
        {**USAGE, "inputTokens": -5},
        {**USAGE, "outputTokens": 1.5},
        {**USAGE, "totalTokens": 3},
    ],
)
def test_counts_that_are_none_are_no_zeros_to_the_token_filter(usage: Any) -> None:
    said = LUA[b"message_of"](json.dumps(answered({"text": "a"}, usage=usage)).encode(), b"i", b"m")
    assert b'"usage"' not in said
    assert json.loads(said)["usage"] == {"input_tokens": 0, "output_tokens": 0}


def test_texts_with_citations_are_texts() -> None:
    cited = {"citationsContent": {"content": [{"text": "a"}, {"text": "b"}], "citations": []}}
    assert message(answered(cited))["content"] == [{"type": "text", "text": "ab"}]


@pytest.mark.parametrize(
    "answer",
    [
        answered({"image": {"format": "png", "source": {"bytes": "aGk="}}}),
        answered({"text": 1}),
        answered({"toolUse": {"toolUseId": "t", "name": "n", "input": "{}"}}),
        answered({"toolUse": {"toolUseId": "t", "name": "", "input": {}}}),
        answered({"toolUse": {"toolUseId": "t", "name": "n", "input": {}, "type": "server_tool_use"}}),
        answered("a"),
        {**answered(), "output": {}},
        {**answered(), "stopReason": None},
        {"message": "x"},
        {"choices": []},
        [],
    ],
)
def test_what_no_message_can_say_is_no_answer(answer: Any) -> None:
    assert message(answer) is None


@pytest.mark.parametrize(
    ("body", "status", "kind", "said"),
    [
        ({"message": 'a "b"'}, 400, "invalid_request_error", 'a "b"'),
        ({"Message": "denied"}, 403, "permission_error", "denied"),
        ({"message": "slow"}, 429, "rate_limit_error", "slow"),
        ({}, 503, "api_error", "The provider answered 503."),
        ([], 500, "api_error", "The provider answered 500."),
    ],
)
def test_an_error_keeps_its_message(body: Any, status: int, kind: str, said: str) -> None:
    assert problem(body, status) == {"type": "error", "error": {"type": kind, "message": said}}
