"""Bodies that a real API refuses; each row says why."""

import json

import pytest

from fairlead.demo.provider import chat, check, embeddings, messages, responses

USER = {"role": "user", "content": "hi"}


REFUSED_BYTES: list[tuple[bytes, str]] = [
    (b"", "no body"),
    (b"{", "not closed"),
    (b"[]", "an array is no request"),
    (b'"model"', "a string is no request"),
    (b'{"model": "a"} x', "something after the object"),
    (b"\xef\xbb\xbf{}", "byte order mark"),
    (b'{"model": "\xff"}', "not UTF-8"),
    (b'{"temperature": NaN}', "NaN is not JSON"),
    (b'{"temperature": Infinity}', "Infinity is not JSON"),
    (b'{"model": "a", "model": "b"}', "a key twice: which one counts?"),
    (b'{"messages": [{"role": "user", "role": "system"}]}', "a key twice, deeper"),
    (b"{'model': 'a'}", "single quotes"),
    (b'{"model": "a",}', "trailing comma"),
    (b"[" * 100_000, "deeper than the parser"),
]


@pytest.mark.parametrize("raw", [pytest.param(raw, id=why) for raw, why in REFUSED_BYTES])
def test_parse_refuses(raw: bytes) -> None:
    with pytest.raises(check.Malformed):
        check.parse(raw)


def test_parse_takes_what_json_allows() -> None:
    big = "123456789012345678901234567890"
    assert check.parse(b' {"a": ' + big.encode() + b', "b": "\\ud83d\\ude00"} ') == {"a": int(big), "b": "\U0001f600"}


REFUSED_CHATS: list[tuple[dict[str, object], str | None, str]] = [
    ({"model": None}, "model", "null is absent"),
    ({"model": 5}, "model", "a number is no name"),
    ({"model": ""}, "model", "empty name"),
    ({"messages": None}, "messages", "required"),
    ({"messages": []}, "messages", "at least one"),
    ({"messages": "hi"}, "messages", "not an array"),
    ({"messages": ["hi"]}, "messages[0]", "items are objects"),
    ({"messages": [{"content": "hi"}]}, "messages[0].role", "role is required"),
    ({"messages": [{"role": "robot", "content": "hi"}]}, "messages[0].role", "unknown role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "content is required"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "content is text or parts"),
    ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type", "part's type"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text", "no text"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
        "messages[0].content[0].image_url",
        "the url stands in an object",
    ),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id", "answers which call?"),
    ({"stream": "true"}, "stream", "a string is no boolean"),
    ({"stream": 1}, "stream", "a number is no boolean"),
    ({"stream_options": {"include_usage": True}}, "stream_options", "only with stream"),
    ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage", "boolean"),
    ({"max_tokens": 1.5}, "max_tokens", "integer"),
    ({"max_tokens": "5"}, "max_tokens", "integer"),
    ({"max_tokens": True}, "max_tokens", "true is not 1"),
    ({"max_tokens": 0}, "max_tokens", "at least one"),
    ({"max_tokens": 5, "max_completion_tokens": 5}, None, "one limit only"),
    ({"n": 0}, "n", "at least one answer"),
    ({"n": 129}, "n", "at most 128"),
    ({"temperature": 3}, "temperature", "at most 2"),
    ({"temperature": "hot"}, "temperature", "a number"),
    ({"stop": ["a"] * 5}, "stop", "at most four"),
    ({"metadata": {"a": 1}}, "metadata.a", "values are strings"),
    ({"tools": {}}, "tools", "an array"),
    ({"tools": [{"type": "function"}]}, "tools[0].function", "which function?"),
    ({"tools": [{"type": "function", "function": {"name": "no spaces"}}]}, "tools[0].function.name", "pattern"),
    ({"tool_choice": "auto"}, "tool_choice", "without tools"),
    (
        {
            "tools": [{"type": "function", "function": {"name": "a"}}],
            "tool_choice": {"type": "function", "function": {"name": "b"}},
        },
        "tool_choice",
        "not among the tools",
    ),
    ({"response_format": {"type": "xml"}}, "response_format.type", "unknown format"),
]


@pytest.mark.parametrize(
    ("change", "param"), [pytest.param(change, param, id=f"{param}: {why}") for change, param, why in REFUSED_CHATS]
)
def test_chat_refuses(change: dict[str, object], param: str | None) -> None:
    with pytest.raises(check.Malformed) as caught:
        chat.read_chat({"model": "a", "messages": [USER], **change})
    assert caught.value.param == param


def test_chat_takes_unknown_fields_and_null() -> None:
    question = chat.read_chat({"model": "a", "messages": [USER], "stream": None, "n": None, "reasoning": {"x": [1]}})
    assert (question.stream, question.choices) == (False, 1)


@pytest.mark.parametrize(
    ("read", "body", "param"),
    [
        (chat.read_completion, {"model": "a"}, "prompt"),
        (chat.read_completion, {"model": "a", "prompt": [1.5]}, "prompt[0]"),
        (responses.read, {"model": "a"}, "input"),
        (responses.read, {"model": "a", "input": []}, "input"),
        (responses.read, {"model": "a", "input": [{"role": "user"}]}, "input"),
        (responses.read, {"model": "a", "input": "x", "tools": [{"type": "function"}]}, "tools[0].name"),
        (responses.read, {"model": "a", "input": "x", "max_output_tokens": "5"}, "max_output_tokens"),
        (messages.read, {"model": "a", "messages": [USER]}, "max_tokens"),
        (messages.read, {"model": "a", "max_tokens": 5, "messages": [{"role": "system", "content": "x"}]}, None),
        (messages.read, {"model": "a", "max_tokens": 5, "messages": [USER], "temperature": 1.5}, "temperature"),
        (embeddings.read, {"model": "a"}, "input"),
        (embeddings.read, {"model": "a", "input": ""}, "input"),
        (embeddings.read, {"model": "a", "input": []}, "input"),
        (embeddings.read, {"model": "a", "input": [True]}, "input[0]"),
        (embeddings.read, {"model": "a", "input": "x", "encoding_format": "hex"}, None),
    ],
)
def test_other_endpoints_refuse(read: object, body: dict[str, object], param: str | None) -> None:
    assert callable(read)
    with pytest.raises(check.Malformed) as caught:
        read(json.loads(json.dumps(body)))
    assert param is None or caught.value.param == param
