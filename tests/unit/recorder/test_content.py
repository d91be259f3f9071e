"""What was said, whichever API said it; streams are put together before anything is looked at."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.recorder import content
from fairlead.recorder.redaction import redacted_values

KEY = "sk-proj-4f9aB27cD61eF80aB93c"


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


def events(*values: Any) -> bytes:
    return b"".join(b"data: " + body(value) + b"\n\n" for value in values) + b"data: [DONE]\n\n"


def chat(**delta: Any) -> Any:
    return {"id": "x", "choices": [{"index": 0, "delta": delta}]}


def test_a_chat_answer() -> None:
    document = {
        "id": "chatcmpl-1",
        "choices": [
            {
                "finish_reason": "tool_calls",
                "message": {
                    "content": "Hello",
                    "tool_calls": [{"function": {"name": "look", "arguments": '{"a": 1}'}}],
                },
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "odd": "x"},
    }
    assert content.answer(body(document), "application/json") == {
        "text": "Hello",
        "toolCalls": [{"name": "look", "arguments": '{"a": 1}'}],
        "finishReason": "tool_calls",
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        pytest.param(
            events(
                chat(role="assistant", content=""),
                *(chat(content=letter) for letter in KEY),
                {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
                {"choices": [], "usage": {"completion_tokens": 4}},
            ),
            {"text": KEY, "finishReason": "stop", "usage": {"completion_tokens": 4}},
            id="chat",
        ),
        pytest.param(
            events(
                chat(tool_calls=[{"index": 0, "function": {"name": "send", "arguments": ""}}]),
                *(chat(tool_calls=[{"index": 0, "function": {"arguments": letter}}]) for letter in KEY),
            ),
            {"toolCalls": [{"name": "send", "arguments": KEY}]},
            id="tool call",
        ),
        pytest.param(
            events(*({"choices": [{"index": 0, "text": letter}]} for letter in KEY)), {"text": KEY}, id="completion"
        ),
        pytest.param(
            events(
                *({"type": "response.output_text.delta", "output_index": 0, "delta": letter} for letter in KEY),
                {"type": "response.completed", "response": {"usage": {"output_tokens": 4}, "output": []}},
            ),
            {"text": KEY, "usage": {"output_tokens": 4}},
            id="responses",
        ),
        pytest.param(
            events(
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
                *({"type": "content_block_delta", "index": 0, "delta": {"text": letter}} for letter in KEY),
                {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "name": "send"}},
                *({"type": "content_block_delta", "index": 1, "delta": {"partial_json": letter}} for letter in KEY),
                {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
            ),
            {
                "text": KEY,
                "toolCalls": [{"name": "send", "arguments": KEY}],
                "finishReason": "end_turn",
                "usage": {"output_tokens": 4},
            },
            id="messages",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["text/event-stream; charset=utf-8", "text/plain", ""])
def test_a_stream_is_put_together(stream: bytes, said: Any, kind: str) -> None:
    assert content.answer(stream, kind) == said
    assert content.answer(stream.replace(b"\n", b"\r\n"), kind) == said


def test_lines_of_json_are_a_stream_too() -> None:
    lines = b"\n".join(body(chat(content=letter)) for letter in KEY)
    assert content.answer(lines, "application/x-ndjson") == {"text": KEY}


def test_an_error_and_what_is_no_json() -> None:
    assert content.answer(body({"error": {"message": "no", "code": 5}}), "") == {"error": "no"}
    assert content.answer(b"<html>bad gateway</html>", "text/html") == {"text": "<html>bad gateway</html>"}
    assert content.answer(b"", "") == {"text": ""}


def test_a_question() -> None:
    asked = {
        "model": "chat",
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": [{"type": "text", "text": "sk-proj-"}, {"type": "text", "text": KEY[8:]}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
        ],
        "metadata": {"secret": KEY},
    }
    assert content.question(body(asked)) == {
        "messages": [
            {"role": "system", "text": "Be kind."},
            {"role": "user", "text": KEY},
            {"role": "user", "text": "[image_url]"},
        ]
    }
    assert content.question(body({"input": "hi", "instructions": "Be kind."})) == {
        "messages": [{"role": "system", "text": "Be kind."}, {"role": "user", "text": "hi"}]
    }
    assert content.question(b'{"messages": [{"ro') == {"unread": '{"messages": [{"ro'}


def test_a_body_that_was_cut_holds_no_secret_either() -> None:
    whole = body({"choices": [{"message": {"content": f"take \u00e9 {KEY} and alice@mail.example"}}]})
    for end in range(len(whole)):
        clean = json.dumps(redacted_values(content.answer(whole[:end], "application/json")))
        assert KEY not in clean
        assert "alice@mail" not in clean or "example" not in clean


MEMBERS = (
    *("choices", "delta", "message", "content", "text", "tool_calls", "function", "arguments", "usage", "error"),
    *("index", "output", "item", "content_block", "response", "messages", "input", "type", "name", "system"),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(MEMBERS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(ANYTHING, st.binary(max_size=100))
def test_whatever_comes_is_no_error(value: Any, raw: bytes) -> None:
    for one in (body(value), raw, events(value), b"data: " + raw):
        json.dumps(content.answer(one, ""))
        json.dumps(content.answer(one, "text/event-stream"))
        json.dumps(content.question(one))
