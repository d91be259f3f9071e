"""What the judge of a cascade holds against answers, by the gateway's own Lua in LuaJIT, beside reference parsers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from lupa import luajit21

from examples import times
from fairlead.envoy import judge
from fairlead.ir import Accept

RUNTIME = luajit21.LuaRuntime(encoding=None)
_NAMES = ("fault", "asked_by", "decoded", "is_as_schema")
LUA = RUNTIME.execute((judge.source() + f"\nreturn {{{', '.join(f'{name}={name}' for name in _NAMES)}}}").encode())
CHAT, COMPLETIONS, RESPONSES, MESSAGES = (
    f"/v1/{path}" for path in ("chat/completions", "completions", "responses", "messages")
)
LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "kind": {"enum": ["a", "b"]}, "n": {"type": ["integer", "null"]}},
    "required": ["city", "kind"],
    "additionalProperties": False,
}


def wanted(**fields: Any) -> Accept:
    """Make what is accepted, all defaults of the resource unless said otherwise."""
    given = {
        "finish_reasons": ("stop", "tool_calls"),
        "json": True,
        "tool_calls": True,
        "refusal": True,
        "min_characters": 1,
        **fields,
    }
    return Accept(**given)


def fault(answer: Any, request: Any = None, path: str = CHAT, **accept: Any) -> str | None:
    text = judge.accept(wanted(**accept)).encode()
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    asked = LUA[b"asked_by"](path.encode(), json.dumps({"model": "m", **(request or {})}).encode(), text)
    found = LUA[b"fault"](path.encode(), body, text, asked)
    return None if found is None else found.decode()


def says(content: Any, finish: str | None = "stop", **message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": content, **message}
    return {"id": "x", "choices": [{"index": 0, "message": said, "finish_reason": finish}]}


def calls(name: Any, arguments: Any, content: Any = None) -> dict[str, Any]:
    call = {"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}}
    return says(content, "tool_calls", tool_calls=[call])


def asks(schema: Any, **fields: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, **fields}}}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (says("Yes."), None),
        (says([{"type": "text", "text": "Yes."}]), None),
        (says("Yes", "length"), "finishReason"),
        (says("Yes", "content_filter"), "finishReason"),
        (says("Yes", None), "finishReason"),
        (says("Yes", "eos"), None),
        (says(""), "minCharacters"),
        (says(" \n\t"), "minCharacters"),
        (says(None), "minCharacters"),
        (says(12), "minCharacters"),
        (b'{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],}', "unreadable"),
        (b'{"choices":[]}', "unreadable"),
        (b'{"choices":{}}', "unreadable"),
        (b"[]", "unreadable"),
        (b"12", "unreadable"),
        (b"", "unreadable"),
        ({"choices": [1, "a", None]}, "finishReason"),
    ],
)
def test_an_answer_has_a_text_and_ended_as_it_may(answer: Any, found: str | None) -> None:
    assert fault(answer) == found


def test_why_an_answer_may_end_is_the_routes_to_say() -> None:
    assert fault(says("Yes", "length"), finish_reasons=("length", "stop")) is None
    assert fault(says("Yes"), finish_reasons=("length",)) == "finishReason"


def test_of_several_choices_all_must_hold() -> None:
    both = [*says("Yes.")["choices"], *says("I can't help with that.")["choices"]]
    assert fault({"choices": both}) == "refusal"
    assert fault({"choices": both[:1] * 2}) is None


def test_characters_are_counted_and_not_bytes() -> None:
    assert fault(says("日本語"), min_characters=3) is None
    assert fault(says(" 日本語 "), min_characters=4) == "minCharacters"
    assert fault(says(""), min_characters=0) is None


def test_a_long_row_of_blanks_is_no_work() -> None:
    row = " \n" * 500_000
    assert fault(says(f"a{row}b")) is None
    assert fault(says(row)) == "minCharacters"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"city": "Oslo", "kind": "a"}', None),
        ('{"city": "Oslo", "kind": "a", "n": 3}', None),
        ('{"city": "Oslo", "kind": "a", "n": 3.0}', None),
        ('{"city": "Oslo", "kind": "a", "n": null}', None),
        ('{"city": "Oslo", "kind": "a", "n": 3.5}', "json"),
        ('{"city": "Oslo", "kind": "c"}', "json"),
        ('{"city": "Oslo"}', "json"),
        ('{"city": 1, "kind": "a"}', "json"),
        ('{"city": "Oslo", "kind": "a", "more": 1}', "json"),
        ('```json\n{"city": "Oslo", "kind": "a"}\n```', "json"),
        ('{"city": "Oslo", "kind": "a"', "json"),
        ("{'city': 'Oslo', 'kind': 'a'}", "json"),
        ('{"city": "Oslo", "kind": "a",}', "json"),
        ("[]", "json"),
    ],
)
def test_json_is_as_the_request_asks(text: str, found: str | None) -> None:
    assert fault(says(text), asks(SCHEMA)) == found
    assert fault(says(text), asks(SCHEMA), json=False) is None
    assert fault(says(text)) is None, "nobody asked for JSON"


def test_an_object_is_wanted_where_no_schema_is_given() -> None:
    any_object = {"response_format": {"type": "json_object"}}
    assert fault(says('{"a": 1}'), any_object) is None
    assert fault(says("[1]"), any_object) == "json"
    assert fault(says("word"), {"response_format": {"type": "text"}}) is None
    assert fault(says("word"), {"response_format": {"type": "json_schema"}}) == "json"


def test_a_request_is_read_wherever_it_has_its_schema() -> None:
    before = {"messages": [{"role": "user", "content": 'a "response_format": {"type": "json_object"} \\" }'}], "n": 1}
    assert fault(says("word"), before) is None
    assert fault(says("word"), {**before, **asks(SCHEMA), "top_p": 0.5}) == "json"


def test_calls_name_a_tool_of_the_request_and_have_arguments() -> None:
    tools = {"tools": [{"type": "function", "function": {"name": "other"}}, LOOK]}
    assert fault(calls("look", "{}"), tools) is None
    assert fault(calls("look", '{"a": 1}', "I look."), tools) is None
    assert fault(calls("Look", "{}"), tools) == "toolCalls"
    assert fault(calls("look", '{"a": 1'), tools) == "toolCalls"
    assert fault(calls("look", "[]"), tools) == "toolCalls"
    assert fault(calls("look", None), tools) == "toolCalls"
    assert fault(calls(None, "{}"), tools) == "toolCalls"
    assert fault(calls("look", "{}")) == "toolCalls"
    assert fault(calls("Look", "{"), tools, tool_calls=False) is None


def test_calls_of_tools_that_are_no_functions_need_no_text() -> None:
    call = {"id": "c", "type": "custom", "custom": {"name": "code", "input": "print(1)"}}
    assert fault(says(None, "tool_calls", tool_calls=[call])) is None
    assert fault({"status": "completed", "output": [{"type": "custom_tool_call", "name": "a"}]}, path=RESPONSES) is None


def test_long_lists_of_a_request_are_read_in_bounds() -> None:
    tools = {"tools": [LOOK, *({**LOOK, "function": {"name": f"t{n}"}} for n in range(3_000))]}
    assert fault({"choices": calls("look", "{}")["choices"] * 5_000}, tools) is None
    words = {"items": {"enum": [f"w{n}" for n in range(30_000)]}}
    assert fault(says(json.dumps(["w29999"] * 30_000)), asks(words)) is None
    assert fault(says(json.dumps(["w29999", "x"])), asks(words)) == "json"


def test_the_oldest_form_of_tools_is_read_too() -> None:
    old = {"functions": [{"name": "look"}]}
    answer = says(None, "function_call", function_call={"name": "look", "arguments": "{}"})
    assert fault(answer, old) is None
    assert fault(answer, {"functions": [{"name": "see"}]}) == "toolCalls"
    assert fault(answer, {"tools": [LOOK], "functions": [{"name": "see"}]}) is None


def test_tools_of_a_body_with_newlines_are_found() -> None:
    text = judge.accept(wanted()).encode()
    body = json.dumps({"model": "m", "tools": [LOOK]}, indent=2).encode()
    asked = LUA[b"asked_by"](CHAT.encode(), body, text)
    assert LUA[b"fault"](CHAT.encode(), json.dumps(calls("look", "{}")).encode(), text, asked) is None


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I\u2019m sorry, but I can\u2019t assist with that request.",
        "**I cannot provide** instructions.",
        "As an AI language model, I have no opinion.",
        "Es tut mir leid, aber ich kann dabei nicht helfen.",
        "Désolé, mais je ne peux pas répondre à cela.",
        "LO SIENTO, pero no puedo ayudarte.",
        "К сожалению, я не могу помочь с этим.",  # noqa: RUF001
        "ΛΥΠΆΜΑΙ, αλλά δεν μπορώ να βοηθήσω.",  # noqa: RUF001
        "抱歉，我无法回答这个问题。",  # noqa: RUF001
        "申し訳ありませんが、その質問にはお答えできません。",
        "죄송하지만 도와드릴 수 없습니다.",
        "عذرًا، لا أستطيع مساعدتك في ذلك.",
    ],
)
def test_refusals_are_known_in_many_languages(text: str) -> None:
    assert fault(says(text)) == "refusal"
    assert fault(says(text), refusal=False) is None


@pytest.mark.parametrize(
    "text",
    [
        "You can help with that.",
        "Sorry is a word of five letters.",
        "The cat sat on the mat. " * 20 + "I can't help with that.",
        "Es tut ihm leid.",
    ],
)
def test_an_answer_that_talks_of_something_else_is_no_refusal(text: str) -> None:
    assert fault(says(text)) is None


def test_what_the_provider_calls_a_refusal_is_one() -> None:
    assert fault(says(None, refusal="No.")) == "refusal"
    assert fault(says("Yes.", refusal=None)) is None


def test_literals_are_found_in_either_case() -> None:
    assert fault(says("Die GRÖSSE ist ÄRGERLICH."), contains=("ärgerlich", "größe")) == "contains"
    assert fault(says("Die GRÖSSE ist ÄRGERLICH."), contains=("ärgerlich", "grösse")) is None
    assert fault(says("All is lost; TODO"), not_contains=("none", "todo")) == "notContains"
    assert fault(says("All is done"), not_contains=("todo",)) is None
    assert fault(says("50% (a.b)"), contains=("% (a.b",)) is None
    assert fault(calls("look", "{}"), {"tools": [LOOK]}, contains=("a",)) is None, "there is no text"


def test_the_mean_of_log_probabilities_counts_where_they_are() -> None:
    sure, unsure = says("Yes."), says("Yes.")
    sure["choices"][0]["logprobs"] = {"content": [{"token": "Yes", "logprob": -0.5}, {"token": ".", "logprob": -1.5}]}
    unsure["choices"][0]["logprobs"] = {"content": [{"token": "Yes", "logprob": -3.1}]}
    assert fault(sure, min_mean_logprob="-1.0") is None
    assert fault(sure, min_mean_logprob="-0.9") == "minMeanLogprob"
    assert fault(unsure, min_mean_logprob="-3.0") == "minMeanLogprob"
    assert fault(says("Yes."), min_mean_logprob="-0.1") is None
    assert fault(unsure) is None


def test_completions_are_judged() -> None:
    choice = {"text": "Yes.", "finish_reason": "stop", "logprobs": {"token_logprobs": [None, -2, -2]}}
    assert fault({"choices": [choice]}, path=COMPLETIONS) is None
    assert fault({"choices": [choice]}, path=COMPLETIONS, min_mean_logprob="-1.5") == "minMeanLogprob"
    assert fault({"choices": [{**choice, "finish_reason": "length"}]}, path=COMPLETIONS) == "finishReason"


def test_responses_are_judged() -> None:
    def made(*output: Any, **fields: Any) -> dict[str, Any]:
        return {"object": "response", "status": "completed", "output": list(output), **fields}

    text = {"type": "message", "content": [{"type": "output_text", "text": '{"city": "Oslo", "kind": "a"}'}]}
    call = {"type": "function_call", "name": "look", "arguments": "{}", "call_id": "c"}
    form = {"text": {"format": {"type": "json_schema", "name": "x", "schema": SCHEMA}}}
    tools = {"tools": [{"type": "function", "name": "look", "parameters": {}}]}
    assert fault(made({"type": "reasoning"}, text), form, RESPONSES) is None
    other = {"text": {"format": {"type": "json_schema", "schema": {**SCHEMA, "required": ["n"]}}}}
    assert fault(made(text), other, RESPONSES) == "json"
    assert fault(made(call), tools, RESPONSES) is None
    assert fault(made(call), tools, RESPONSES, finish_reasons=("stop",)) == "finishReason"
    assert fault(made(call), {}, RESPONSES) == "toolCalls"
    cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert fault(made(text, **cut), {}, RESPONSES) == "finishReason"
    assert fault(made(text, **cut), {}, RESPONSES, finish_reasons=("length",)) is None
    refused = {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}
    assert fault(made(refused), {}, RESPONSES) == "refusal"


def test_messages_are_judged() -> None:
    def made(*content: Any, reason: str = "end_turn") -> dict[str, Any]:
        return {"type": "message", "role": "assistant", "content": list(content), "stop_reason": reason}

    text, use = {"type": "text", "text": "Yes."}, {"type": "tool_use", "id": "t", "name": "look", "input": {}}
    tools = {"tools": [{"name": "look", "input_schema": {}}]}
    assert fault(made(text), path=MESSAGES) is None
    assert fault(made(text, reason="max_tokens"), path=MESSAGES) == "finishReason"
    assert fault(made(text, reason="refusal"), path=MESSAGES, finish_reasons=("content_filter",)) == "refusal"
    assert fault(made(text, use, reason="tool_use"), tools, MESSAGES) is None
    assert fault(made({**use, "name": "see"}, reason="tool_use"), tools, MESSAGES) == "toolCalls"
    assert fault(made(), path=MESSAGES) == "minCharacters"
    form = {"type": "json_schema", "schema": SCHEMA}
    for asked in ({"output_format": form}, {"output_config": {"effort": "low", "format": form}}):
        assert fault(made(text), asked, MESSAGES) == "json"
        assert fault(made({"type": "text", "text": '{"city": "Oslo", "kind": "a"}'}), asked, MESSAGES) is None


def decoded(text: bytes) -> bool:
    return LUA[b"decoded"](text) is not None


def is_json(text: bytes) -> bool:
    def refuse(word: str) -> None:
        raise ValueError(word)

    try:
        json.loads(text.decode(), parse_constant=refuse)
    except ValueError:
        return False
    return True


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
PIECES = st.sampled_from(
    [
        *(bytes([one]) for one in b"{}[],:\"\\01-.e+ \n\x00\x7fa'\xff\xc3"),
        *(b"true", b"null", b"NaN", b"//", b"\\u12", b"\\ud800", b"\xc3\xa4"),
    ]
)


@given(value=VALUES, at=st.integers(0, 200), piece=PIECES, cut=st.integers(0, 2))
@times(6)
def test_json_is_what_a_reference_parser_takes_for_it(value: Any, at: int, piece: bytes, cut: int) -> None:
    text = json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
    assert decoded(text) == is_json(text)
    place = at % (len(text) + 1)
    changed = text[:place] + piece + text[place + cut :]
    assert decoded(changed) == is_json(changed)


def test_json_has_bounds() -> None:
    assert decoded(b"[" * 128 + b"]" * 128)
    assert not decoded(b"[" * 129 + b"]" * 129)
    assert not decoded(b"[" + b"0," * 200_000 + b"0]")


SMALL = st.sampled_from(
    ["a", "b", 1, 1.5, 0, None, True, [], {}, {"a": 1}, {"a": "b", "b": [1]}, [1, "a"], ["a", None]]
)
TYPES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
SCHEMAS = st.recursive(
    st.booleans()
    | st.fixed_dictionaries({"type": TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True)})
    | st.fixed_dictionaries({"enum": st.lists(SMALL, min_size=1, max_size=3)})
    | st.fixed_dictionaries({"const": SMALL})
    | st.just({"$ref": "#/$defs/one~0~1 two"}),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "required": st.lists(st.sampled_from(["a", "b"]), max_size=2, unique=True),
            "properties": st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
        },
    ),
    max_leaves=6,
)


@given(schema=SCHEMAS, value=SMALL)
@times(6)
def test_schemas_hold_where_a_reference_says_so(schema: Any, value: Any) -> None:
    whole = {"allOf": [schema], "$defs": {"one~/ two": {"type": ["string", "object"]}}}
    found = LUA[b"is_as_schema"](*(LUA[b"decoded"](json.dumps(one).encode()) for one in (value, whole)))
    assert found == Draft202012Validator(whole).is_valid(value)


def test_a_schema_that_never_ends_holds() -> None:
    endless = {"$ref": "#"}
    assert fault(says("{}"), asks(endless)) is None
    doubling = {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}
    assert fault(says("{}"), asks(doubling)) is None
    nested = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["v"]}
    assert fault(says('{"v": 1, "next": {"v": 2, "next": {"v": 3}}}'), asks(nested)) is None
    assert fault(says('{"v": 1, "next": {"v": 2, "next": {}}}'), asks(nested)) == "json"


@given(answer=VALUES, request=VALUES, path=st.sampled_from([CHAT, COMPLETIONS, RESPONSES, MESSAGES]))
@times(6)
def test_no_answer_and_no_request_breaks_the_judge(answer: Any, request: Any, path: str) -> None:
    parts = {"choices": [answer, {"message": answer, "text": answer, "logprobs": answer}], "output": [answer]}
    asked = {"response_format": request, "text": {"format": request}, "tools": request, "functions": [request]}
    strict = {"contains": ("a",), "not_contains": ("b",), "min_mean_logprob": "-1", "min_characters": 2}
    assert fault(answer, asked, path, **strict) in {None, *judge.CHECKS}
    assert fault({**parts, "content": answer}, asked, path, **strict) in {None, *judge.CHECKS}
