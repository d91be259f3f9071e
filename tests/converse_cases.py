"""What becomes of each member of a request to Messages at Bedrock's Converse; the documentation has it."""

from typing import Any

import messages_cases
from messages_cases import LINKED, PICTURE, TEXT, USE, Case, assistant, result, user

MARK, HOUR = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
POINT, POINT_1H = {"cachePoint": {"type": "default"}}, {"cachePoint": {"type": "default", "ttl": "1h"}}
SAID_TEXT = {"text": "a"}
ASKED = {"role": "user", "content": [{"text": "q"}]}
SHOWN = {"image": {"format": "png", "source": {"bytes": "aGk="}}}
CALLED = {"toolUse": {"toolUseId": "t", "name": "look", "input": USE["input"]}}
DEFINED = {"toolSpec": {"name": "look", "description": "Looks", "inputSchema": {"json": {"type": "object"}}}}
CONFIG = {"toolConfig": {"tools": [DEFINED]}}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
THINKING = {"type": "enabled", "budget_tokens": 1024}
THOUGHT = {"type": "thinking", "thinking": "h", "signature": "s"}
TOOLS = {"tools": [messages_cases.TOOL]}
OTHERS = {"claude": False}
"""The terms of rungs that are not Claude's alone."""


def said(role: str, *blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": list(blocks)}]}


def resulted(*content: Any, **fields: Any) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": "t", "content": list(content), **fields}}


def chosen(**choice: Any) -> dict[str, Any]:
    return {"toolConfig": {"tools": [DEFINED], "toolChoice": choice}}


def formatted(**more: Any) -> dict[str, Any]:
    schema = '{"type": "object", "properties": {"city": {"type": "string"}}}'
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": schema, **more}}}}


def more(**fields: Any) -> dict[str, Any]:
    return {"additionalModelRequestFields": fields}


CASES = (
    Case(
        what="`system`, a text or blocks of text",
        members={"system": [TEXT, {**TEXT, "cache_control": MARK}], **user(TEXT)},
        said={"system": [SAID_TEXT, SAID_TEXT, POINT], **said("user", SAID_TEXT)},
        becomes="blocks of `system`",
    ),
    Case(
        what="messages of one role behind each other; texts that are blank",
        members={
            "messages": [*user(TEXT)["messages"], {"role": "user", "content": "b"}, {"role": "user", "content": ""}]
        },
        said=said("user", SAID_TEXT, {"text": "b"}),
        becomes="one message; nothing",
    ),
    Case(
        what="images by base64: PNG, JPEG, GIF, WebP",
        members=user(PICTURE),
        said=said("user", SHOWN),
        becomes="`image` with its `bytes`",
    ),
    Case(
        what="`tool_use`, several of one answer too",
        members={**TOOLS, **assistant(TEXT, USE, {**USE, "id": "u", "caller": {"type": "direct"}})},
        said={
            **CONFIG,
            **said("assistant", SAID_TEXT, CALLED, {"toolUse": {**CALLED["toolUse"], "toolUseId": "u"}}),
        },
        becomes="`toolUse`",
    ),
    Case(
        what="`tool_result` with texts and images, `is_error`",
        members={**TOOLS, **result(content=[TEXT, PICTURE], is_error=True)},
        said={**CONFIG, **said("user", resulted(SAID_TEXT, SHOWN, status="error"))},
        becomes="`toolResult`, its `status` `error`",
    ),
    Case(
        what="`tools` with an `input_schema`, `strict` too",
        members={"tools": [{**messages_cases.TOOL, "strict": True, "type": "custom", "eager_input_streaming": None}]},
        said={"toolConfig": {"tools": [{"toolSpec": {**DEFINED["toolSpec"], "strict": True}}]}},
        becomes="`toolSpec`",
    ),
    Case(
        what="`tool_choice` `auto`, `any`",
        members={**TOOLS, "tool_choice": {"type": "any"}},
        said=chosen(any={}),
        becomes="the same words",
    ),
    Case(
        what="`tool_choice` `tool`",
        members={**TOOLS, "tool_choice": {"type": "tool", "name": "look"}},
        said=chosen(tool={"name": "look"}),
        becomes="the `tool` of that name",
    ),
    Case(
        what="`max_tokens`, `temperature`, `top_p`",
        members={"max_tokens": 7, "temperature": 0.25, "top_p": 1},
        said={"inferenceConfig": {"maxTokens": 7, "temperature": 0.25, "topP": 1}},
        becomes="`inferenceConfig`",
    ),
    Case(
        what="`stop_sequences`",
        members={"stop_sequences": ["a", "b"]},
        said={
            "inferenceConfig": {"stopSequences": ["a", "b"]},
            "additionalModelResponseFieldPaths": ["/stop_sequence"],
        },
        becomes="`stopSequences`; Claude tells which it was",
    ),
    Case(what="`stream`", members={"stream": True}, becomes="the path `converse-stream`"),
    Case(
        what="`output_format`, `output_config.format`",
        members={"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        said={"outputConfig": formatted()},
        becomes="`outputConfig.textFormat`",
    ),
    Case(
        what="`output_config.effort` for Claude",
        members={"output_config": {"effort": "max"}},
        said={"outputConfig": {"effort": "max"}},
        becomes="`outputConfig.effort`",
    ),
    Case(
        what="`cache_control` for Claude, of five minutes or an hour: of blocks, of tools, of the request",
        members={
            **TOOLS,
            "tools": [{**messages_cases.TOOL, "cache_control": HOUR}],
            **result(content=[{**TEXT, "cache_control": MARK}]),
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        },
        said={
            "toolConfig": {"tools": [DEFINED, POINT_1H]},
            **said("user", resulted(SAID_TEXT), POINT, POINT_1H),
        },
        becomes="`cachePoint` behind it",
    ),
    Case(
        what="`thinking` for Claude",
        members={"thinking": THINKING},
        said=more(thinking=THINKING),
        becomes="the same, in `additionalModelRequestFields`",
    ),
    Case(
        what="thoughts of earlier turns for Claude, `redacted_thinking` too",
        members=assistant(THOUGHT, {"type": "redacted_thinking", "data": "aGk="}, TEXT),
        said=said(
            "assistant",
            {"reasoningContent": {"reasoningText": {"text": "h", "signature": "s"}}},
            {"reasoningContent": {"redactedContent": "aGk="}},
            SAID_TEXT,
        ),
        becomes="`reasoningContent` with its `signature`",
    ),
    Case(
        what="`top_k` for Claude",
        members={"top_k": 5},
        said=more(top_k=5),
        becomes="the same, in `additionalModelRequestFields`",
    ),
    Case(
        what="`cache_control` elsewhere",
        members=user({"type": "text", "text": "a", "cache_control": MARK}),
        said=said("user", SAID_TEXT),
        left_out="cache_control",
        terms=OTHERS,
    ),
    Case(
        what="`thinking`, `output_config.effort` elsewhere, where models say `reasoning: Effort`",
        members={"thinking": THINKING, "max_tokens": 2048},
        said={"inferenceConfig": {"maxTokens": 2048}, "outputConfig": {"effort": "medium"}},
        becomes="`outputConfig.effort`",
        terms={**OTHERS, "reasoning": "Effort"},
    ),
    Case(what="`thinking` elsewhere", members={"thinking": THINKING}, left_out="thinking", terms=OTHERS),
    Case(
        what="thoughts of earlier turns elsewhere",
        members=assistant(THOUGHT, TEXT),
        said=said("assistant", SAID_TEXT),
        left_out="thinking",
        terms=OTHERS,
    ),
    Case(
        what="`output_config.effort` elsewhere",
        members={"output_config": {"effort": "low"}},
        left_out="output_config.effort",
        terms=OTHERS,
    ),
    Case(what="`metadata`", members={"metadata": {"user_id": "u"}}, left_out="metadata"),
    Case(what="`service_tier`", members={"service_tier": "auto"}, left_out="service_tier"),
    Case(
        what="`eager_input_streaming` of a tool",
        members={"tools": [{**messages_cases.TOOL, "eager_input_streaming": True}]},
        said=CONFIG,
        left_out="eager_input_streaming",
    ),
    Case(what="`top_k` elsewhere", members={"top_k": 5}, refused="top_k", terms=OTHERS),
    Case(what="images by URL", members=user(LINKED), refused="images by URL"),
    Case(
        what="images of another type",
        members=user({"type": "image", "source": {**PICTURE["source"], "media_type": "image/tiff"}}),
        refused="images of type image/tiff",
    ),
    Case(
        what="`tool_choice` `none`",
        members={**TOOLS, "tool_choice": {"type": "none"}},
        refused="tool_choice of type none",
    ),
    Case(
        what="`disable_parallel_tool_use`",
        members={**TOOLS, "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        refused="disable_parallel_tool_use",
    ),
    Case(what="`tool_choice` without `tools`", members={"tool_choice": {"type": "auto"}}, refused="tool_choice"),
    Case(what="calls and results without `tools`", members=result(content="a"), refused="calls of tools without tools"),
    Case(
        what="a tool whose name has more than 64 characters",
        members={"tools": [{**messages_cases.TOOL, "name": "n" * 65}]},
        refused="names of tools above 64 characters",
    ),
    Case(
        what="documents, search results, blocks of tools that Anthropic runs",
        members=user({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}),
        refused="content of type document",
    ),
    Case(
        what="tools that Anthropic defines or runs",
        members={"tools": [{"type": "bash_20250124", "name": "bash"}]},
        refused="tools of type bash_20250124",
    ),
    Case(
        what="calls by programs of the model",
        members=assistant({**USE, "caller": {"type": "code_execution_20250825", "tool_id": "x"}}),
        refused="tool_use.caller",
    ),
    Case(
        what="`mcp_servers`, `context_management`, and all that is not named here",
        members={"mcp_servers": []},
        refused="mcp_servers",
    ),
)
