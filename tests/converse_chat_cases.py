"""What becomes of each member of a request to chat/completions at Bedrock's Converse; the documentation has it."""

from dataclasses import replace

import chat_cases
from chat_cases import CALL, QUESTION
from converse_cases import (
    ASKED,
    CALLED,
    CONFIG,
    DEFINED,
    HOUR,
    MARK,
    OTHERS,
    POINT,
    POINT_1H,
    SAID_TEXT,
    SCHEMA,
    SHOWN,
    chosen,
    formatted,
    more,
    resulted,
    said,
)
from messages_cases import TEXT, Case

FUNCTIONS = {"tools": [chat_cases.TOOL]}
_SAME = (
    *("`n` above 1", "`logprobs`", "`logit_bias`", "`presence_penalty`", "`frequency_penalty`", "`seed`"),
    *("`response_format` `json_object`", "parts of audio", "`modalities` with", "tools of another type"),
    *("`tool_choice` of allowed tools", "`tool_choice` without", "calls whose arguments", "a last message of"),
    *("`thinking`: later", "`functions`, `audio`", "`temperature` above 1", "a `stop` that is blank"),
    *("`metadata`", "`service_tier`", "`store`", "`prompt_cache_key`", "`prompt_cache_retention`"),
    *("`safety_identifier`", "`verbosity`", "`prediction`"),
)
"""How cases of chat/completions at Messages begin that are the same here: what is left out, or refused."""


def _same(start: str) -> Case:
    found = next(case for case in chat_cases.CASES if case.what.startswith(start) and not case.terms)
    return replace(found, what=found.what.replace("Anthropic's API would", "the model would"), said={})


CASES = (
    Case(
        what="messages of `system` and `developer`, texts or parts of text",
        members=chat_cases.messages(
            {"role": "system", "content": "a"}, {"role": "developer", "content": [TEXT]}, QUESTION
        ),
        said={"system": [SAID_TEXT, SAID_TEXT], "messages": [ASKED]},
        becomes="blocks of `system`",
    ),
    Case(
        what="the same behind others' messages",
        members=chat_cases.messages(QUESTION, {"role": "system", "content": "a"}),
        said={"system": [SAID_TEXT], "messages": [ASKED]},
        left_out="order of system",
    ),
    Case(
        what="images as a `data:` URL: PNG, JPEG, GIF, WebP",
        members=chat_cases.messages(chat_cases.user(chat_cases.PICTURE)),
        said=said("user", SHOWN),
        becomes="`image` with its `bytes`",
    ),
    Case(
        what="`tool_calls`, several of one answer too",
        members={
            **FUNCTIONS,
            **chat_cases.messages(
                QUESTION, {"role": "assistant", "content": "a", "tool_calls": [CALL, {**CALL, "id": "u"}]}, QUESTION
            ),
        },
        said={
            **CONFIG,
            "messages": [
                ASKED,
                *said("assistant", SAID_TEXT, CALLED, {"toolUse": {**CALLED["toolUse"], "toolUseId": "u"}})["messages"],
                ASKED,
            ],
        },
        becomes="`toolUse`, behind the text",
    ),
    Case(
        what="messages of `tool`, and what the user says behind them",
        members={
            **FUNCTIONS,
            **chat_cases.messages(
                {"role": "tool", "tool_call_id": "t", "content": "a"},
                {"role": "tool", "tool_call_id": "t", "content": [TEXT, chat_cases.PICTURE]},
                {"role": "tool", "tool_call_id": "t", "content": ""},
                QUESTION,
            ),
        },
        said={
            **CONFIG,
            **said("user", resulted(SAID_TEXT), resulted(SAID_TEXT, SHOWN), resulted(), {"text": "q"}),
        },
        becomes="one message of `user`, `toolResult` first, in their order",
    ),
    Case(
        what="ids of calls with characters that Converse has not",
        members={**FUNCTIONS, **chat_cases.messages({"role": "tool", "tool_call_id": "look/0", "content": "a"})},
        said={
            **CONFIG,
            **said("user", {"toolResult": {"toolUseId": "look_2f0", "content": [SAID_TEXT]}}),
        },
        becomes="the same ids with these in hexadecimal, there and in results",
    ),
    Case(
        what="`cache_control` for Claude: of parts, of messages that are a text, of tools, of the request",
        members={
            **chat_cases.messages(
                {"role": "system", "content": "a", "cache_control": HOUR},
                chat_cases.user({**TEXT, "cache_control": MARK}, chat_cases.PICTURE),
                {"role": "tool", "tool_call_id": "t", "content": [{**TEXT, "cache_control": MARK}]},
            ),
            "tools": [{**chat_cases.TOOL, "cache_control": MARK}],
            "cache_control": MARK,
        },
        said={
            "system": [SAID_TEXT, POINT_1H],
            **said("user", resulted(SAID_TEXT), POINT, SAID_TEXT, POINT, SHOWN, POINT),
            "toolConfig": {"tools": [DEFINED, POINT]},
        },
        becomes="`cachePoint` behind it",
    ),
    Case(
        what="`null`, `n` 1, penalties 0, `logprobs` false, and what else says nothing",
        members={**next(case.members for case in chat_cases.CASES if case.what.startswith("`null`"))},
        said=said("user", {"text": "q"}, SHOWN),
        becomes="nothing: that is as if it were not there",
    ),
    Case(
        what="`tools` of type `function`, `strict` too",
        members={"tools": [chat_cases.TOOL, {"type": "function", "function": {"name": "f", "strict": True}}]},
        said={
            "toolConfig": {
                "tools": [
                    DEFINED,
                    {"toolSpec": {"name": "f", "strict": True, "inputSchema": {"json": {"type": "object"}}}},
                ]
            }
        },
        becomes="`toolSpec`",
    ),
    Case(
        what="`tool_choice` `auto`",
        members={**FUNCTIONS, "tool_choice": "auto"},
        said=chosen(auto={}),
        becomes="the same word",
    ),
    Case(
        what="`tool_choice` `required`",
        members={**FUNCTIONS, "tool_choice": "required"},
        said=chosen(any={}),
        becomes="`any`",
    ),
    Case(
        what="`tool_choice` of a `function`",
        members={**FUNCTIONS, "tool_choice": {"type": "function", "function": {"name": "look"}}},
        said=chosen(tool={"name": "look"}),
        becomes="the `tool` of that name",
    ),
    Case(
        what="`max_completion_tokens`, `max_tokens`, `temperature` up to 1, `top_p`",
        members={"max_completion_tokens": 7, "max_tokens": 9, "temperature": 0.25, "top_p": 1},
        said={"inferenceConfig": {"maxTokens": 7, "temperature": 0.25, "topP": 1}},
        becomes="`inferenceConfig`",
    ),
    Case(
        what="`stop`, a text or several",
        members={"stop": "a"},
        said={"inferenceConfig": {"stopSequences": ["a"]}},
        becomes="`stopSequences`",
    ),
    Case(
        what="`top_k` for Claude",
        members={"top_k": 5},
        said=more(top_k=5),
        becomes="the same, in `additionalModelRequestFields`",
    ),
    Case(
        what="`response_format` `json_schema`",
        members={
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "x", "description": "d", "strict": True, "schema": SCHEMA},
            }
        },
        said={"outputConfig": formatted(name="x", description="d")},
        becomes="`outputConfig.textFormat`, which binds the answer whatever `strict` says",
    ),
    Case(
        what="`stream`, `stream_options`",
        members={"stream": True, "stream_options": {"include_usage": True}},
        becomes="the path `converse-stream`; the chunk of usage comes where the client asks for it",
    ),
    Case(
        what="`reasoning_effort`, where models say `reasoning: Effort`",
        members={"reasoning_effort": "high"},
        said={**more(thinking={"type": "adaptive"}), "outputConfig": {"effort": "high"}},
        becomes="`outputConfig.effort`, for Claude `thinking` of type `adaptive`, too",
        terms={"reasoning": "Effort"},
    ),
    Case(
        what="the same for Claude, where models say `reasoning: Budget`",
        members={"reasoning_effort": "medium", "max_tokens": 4096},
        said={
            "inferenceConfig": {"maxTokens": 4096},
            **more(thinking={"type": "enabled", "budget_tokens": 2048}),
        },
        becomes="`thinking` with so many tokens, as [at Messages](chat-completions.md#what-is-said-how)",
        terms={"reasoning": "Budget"},
    ),
    Case(what="the same elsewhere", members={"reasoning_effort": "high"}, left_out="reasoning_effort"),
    Case(
        what="`cache_control` elsewhere",
        members=chat_cases.messages({**QUESTION, "cache_control": MARK}),
        left_out="cache_control",
        terms=OTHERS,
    ),
    Case(
        what="thoughts of earlier turns, as clients send them back",
        members=chat_cases.messages({"role": "assistant", "content": "a", "reasoning_content": "h"}, QUESTION),
        said={"messages": [*said("assistant", SAID_TEXT)["messages"], ASKED]},
        left_out="reasoning_content",
    ),
    Case(what="`name` of a message", members=chat_cases.messages({**QUESTION, "name": "Ann"}), left_out="name"),
    Case(
        what="`detail` of an image",
        members=chat_cases.messages(
            chat_cases.user({**chat_cases.PICTURE, "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}})
        ),
        said=said("user", SHOWN),
        left_out="detail",
    ),
    Case(what="`user`", members={"user": "u"}, left_out="user"),
    *map(_same, (one for one in _SAME if one.startswith("`") and _same(one).left_out)),
    Case(what="`top_k` elsewhere", members={"top_k": 5}, refused="top_k", terms=OTHERS),
    Case(
        what="images by `https:` and `http:`",
        members=chat_cases.messages(chat_cases.user(chat_cases.LINKED)),
        refused="images by URL",
    ),
    Case(
        what="`tool_choice` `none`",
        members={**FUNCTIONS, "tool_choice": "none"},
        refused="tool_choice of type none",
    ),
    Case(
        what="`parallel_tool_calls: false`",
        members={**FUNCTIONS, "parallel_tool_calls": False},
        refused="parallel_tool_calls",
    ),
    Case(
        what="calls and results without `tools`",
        members=chat_cases.messages({"role": "tool", "tool_call_id": "t", "content": "a"}),
        refused="calls of tools without tools",
    ),
    Case(
        what="a tool whose name has more than 64 characters",
        members={"tools": [{"type": "function", "function": {"name": "n" * 65}}]},
        refused="names of tools above 64 characters",
    ),
    *map(_same, (one for one in _SAME if not _same(one).left_out)),
)
