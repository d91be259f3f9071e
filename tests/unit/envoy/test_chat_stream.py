"""A stream of Messages as one of chat/completions, cut anywhere, whatever the provider does with it."""

import json
from typing import Any

import pytest

from chat_lua import begun, block, chunks, ended, event, streamed, text, use

PING = event("ping")
THOUGHT = block(
    0,
    {"type": "thinking", "thinking": "", "signature": ""},
    {"type": "thinking_delta", "thinking": "I look it up."},
    {"type": "signature_delta", "signature": "EqQBCgIYAhIM"},
)
CALLS = (
    use(2, "toolu_1", '{"location":', ' "San Fra', "ncisco", ', CA"}'),
    use(3, "toolu_2", ""),
    use(4, "toolu_3", given={"at": 1}),
)
STREAM = b"".join(
    (
        begun(input_tokens=472, cache_read_input_tokens=100, cache_creation_input_tokens=20, output_tokens=2),
        PING,
        THOUGHT,
        text(1, "Ok", ', let\'s "see"', "é\u2028"),
        *CALLS,
        ended("tool_use", output_tokens=89),
    )
)
"""As the reference of streaming shows one: a thought, a text, calls whose input comes in parts, as nothing, at once."""


def test_a_stream_is_said_event_by_event() -> None:
    found = chunks(streamed(STREAM))
    assert found[-1] == "[DONE]"
    *said, last = found[:-1]
    assert {(one["id"], one["object"], one["model"]) for one in said} == {("msg_1", "chat.completion.chunk", "claude")}
    deltas = [one["choices"][0]["delta"] for one in said]
    assert deltas[0] == {"role": "assistant", "content": "", "refusal": None}
    assert "".join(one.get("content", "") for one in deltas) == 'Ok, let\'s "see"é\u2028'
    called: dict[int, dict[str, Any]] = {}
    for one in (part for delta in deltas for part in delta.get("tool_calls", ())):
        if "id" in one:
            assert one["function"] == {"name": "look", "arguments": ""}
            called[one["index"]] = {"id": one["id"], "arguments": ""}
        called[one["index"]]["arguments"] += one["function"]["arguments"]
    assert [(one["id"], json.loads(one["arguments"])) for one in called.values()] == [
        ("toolu_1", {"location": "San Francisco, CA"}),
        ("toolu_2", {}),
        ("toolu_3", {"at": 1}),
    ]
    assert list(called) == [0, 1, 2]
    assert {one["choices"][0]["finish_reason"] for one in said} == {None}
    assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "tool_calls")


def test_usage_comes_where_it_was_asked_for_with_what_went_through_the_cache() -> None:
    *_, usage, done = chunks(streamed(STREAM, asked=True))
    assert (usage["choices"], done) == ([], "[DONE]")
    assert usage["usage"] == {
        "prompt_tokens": 592,
        "completion_tokens": 89,
        "total_tokens": 681,
        "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 20},
    }
    assert all("usage" not in one for one in chunks(streamed(STREAM))[:-1])


def test_counts_at_the_end_replace_those_of_the_beginning() -> None:
    said = begun(input_tokens=3, output_tokens=1) + ended(input_tokens=9, cache_read_input_tokens=4, output_tokens=2)
    assert chunks(streamed(said, asked=True))[-2]["usage"]["prompt_tokens"] == 13


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("asked", [False, True])
def test_a_stream_may_be_cut_at_every_byte(newline: bytes, *, asked: bool) -> None:
    whole = STREAM.replace(b"\n", newline)
    wanted = [without_time(one) for one in chunks(streamed(STREAM, asked=asked))]
    for at in range(len(whole)):
        cut = streamed(whole[:at], whole[at:], asked=asked)
        assert [without_time(one) for one in chunks(cut)] == wanted
    bytes_ = streamed(*(whole[at : at + 1] for at in range(len(whole))), asked=asked)
    assert [without_time(one) for one in chunks(bytes_)] == wanted


def without_time(one: Any) -> Any:
    return one if isinstance(one, str) else {name: value for name, value in one.items() if name != "created"}


def test_a_stream_without_its_last_word_ends_where_its_reason_was() -> None:
    cut = STREAM.removesuffix(event("message_stop"))
    assert chunks(streamed(cut, ends=False))[-1] != "[DONE]"
    assert chunks(streamed(cut))[-1] == "[DONE]"


@pytest.mark.parametrize("length", range(0, len(STREAM) - 400, 97))
def test_a_stream_that_breaks_has_no_end(length: int) -> None:
    found = chunks(streamed(begun() + STREAM[len(begun()) :][:length]))
    assert "[DONE]" not in found
    assert {one["choices"][0]["finish_reason"] for one in found if "choices" in one} <= {None}


@pytest.mark.parametrize(
    "broken",
    [
        b"data: {\n\n",
        b'data: {"id": "x"}\n\n',
        begun(),
        event("content_block_start", index=0, content_block={"type": "server_tool_use", "id": "s", "name": "n"}),
        event("content_block_start", index=0, content_block={"type": "tool_use", "id": "s", "input": {}}),
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": "a"}),
        event("content_block_stop", index=0),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}) * 2,
        event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        + event("content_block_delta", index=1, delta={"type": "text_delta", "text": "b"}),
        text(0).replace(b'"index": 0', b'"index": 1', 1) + text(1),
        block(0, {"type": "text", "text": ""}, {"type": "input_json_delta", "partial_json": "{"}),
        block(0, {"type": "text", "text": ""}, {"type": "new_delta"}),
        event("message_stop"),
        b"".join(use(number, f"t{number}") for number in range(1001)),
    ],
    ids=[
        *("no JSON", "no event", "two beginnings", "a block of another kind", "a call without a name", "a lone delta"),
        *(
            "a lone end",
            "a block in a block",
            "another block's delta",
            "another block's end",
            "input of a text",
            "a delta of another kind",
        ),
        *("an end without a reason", "too many calls"),
    ],
)
def test_a_stream_that_cannot_be_said_ends_with_an_error(broken: bytes) -> None:
    found = chunks(streamed(begun(), text(0, "a"), broken, text(1, "b"), ended()))
    assert found[-1] == {
        "error": {
            "message": "The provider's stream cannot be understood.",
            "type": "server_error",
            "param": None,
            "code": "bad_gateway",
        }
    }
    assert "b" not in [one["choices"][0]["delta"].get("content") for one in found if "choices" in one]


def test_an_error_in_the_middle_ends_it_in_the_clients_words() -> None:
    failed = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    found = chunks(streamed(begun(), text(0, "a"), failed, text(1, "b"), ended()))
    assert found[-1] == {
        "error": {"message": "Overloaded", "type": "server_error", "param": None, "code": "overloaded"}
    }


@pytest.mark.parametrize("said", [b"", b'{"type":"message"}', b"a page\n\nof text\n\n", b": a comment\n\n", PING])
def test_what_says_no_message_ends_by_an_error(said: bytes) -> None:
    (found,) = chunks(streamed(said))
    assert found["error"]["code"] == "bad_gateway"


def test_memory_of_a_stream_is_bounded_and_a_long_event_costs_as_much_as_its_bytes() -> None:
    pieces = [b"data: ", *([b"a" * 1000] * 9000)]
    assert b'"code":"bad_gateway"' in streamed(*pieces, ends=False)
