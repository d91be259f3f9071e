"""What becomes of each member of a request to Messages at a provider of chat/completions; the documentation has it."""

from dataclasses import dataclass, field
from typing import Any

PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
LINKED = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
TEXT = {"type": "text", "text": "a"}
USE = {"type": "tool_use", "id": "t", "name": "look", "input": {"city": 'a"\\\n'}}
ARGUMENTS = '{"city": "a\\"\\\\\\n"}'
TOOL = {"name": "look", "description": "Looks", "input_schema": {"type": "object"}}


ON = {"role": "user", "content": "q"}


def user(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "assistant", "content": list(blocks)}]}


def answered(*blocks: Any) -> dict[str, Any]:
    """Make a conversation in which the assistant said something, and the user goes on."""
    return {"messages": [*assistant(*blocks)["messages"], ON]}


def result(**fields: Any) -> dict[str, Any]:
    return user({"type": "tool_result", "tool_use_id": "t", **fields})


SAID, LEFT_OUT, REFUSED = "said otherwise", "left out", "refused"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One feature of a request."""

    what: str
    """As the table has it."""
    members: dict[str, Any]
    said: dict[str, Any] = field(default_factory=dict)
    """Members of the other request."""
    becomes: str = ""
    """Of what is said otherwise, in words."""
    left_out: str = ""
    refused: str = ""
    """What the refusal names."""
    terms: dict[str, Any] = field(default_factory=dict)
    """What the rungs have besides: `reasoning`, how their models are told to think; `leaves`."""

    @property
    def row(self) -> str:
        """The line of the table."""
        if self.refused:
            return f"| {self.what} | refused: 400, `{self.refused}` |"
        if self.left_out and not self.becomes:
            return f"| {self.what} | left out: `{self.left_out}` |"
        return f"| {self.what} | {self.becomes} |"


def said(*messages: Any) -> dict[str, Any]:
    return {"messages": list(messages)}


CALL = {"id": "t", "type": "function", "function": {"name": "look", "arguments": ARGUMENTS}}
FUNCTION = {"type": "function", "function": {"name": "look", "description": "Looks", "parameters": {"type": "object"}}}
SHOWN = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
CASES = (
    Case(
        what="`system`, a text or blocks of text",
        members={
            "system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            **user(TEXT),
        },
        said=said({"role": "system", "content": "a\nb"}, {"role": "user", "content": [TEXT]}),
        becomes="a message of `system`",
    ),
    Case(
        what="images by base64",
        members=user(PICTURE),
        said=said({"role": "user", "content": [SHOWN]}),
        becomes="`image_url` with a `data:` URL",
    ),
    Case(
        what="images by URL",
        members=user(LINKED),
        said=said(
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}
        ),
        becomes="`image_url`",
    ),
    Case(
        what="`tool_use`, several of one answer too",
        members=answered({"type": "text", "text": "a"}, USE, {**USE, "id": "u"}),
        said=said(
            {
                "role": "assistant",
                "content": "a",
                "tool_calls": [{**CALL, "id": name} for name in "tu"],
            },
            ON,
        ),
        becomes="`tool_calls`",
    ),
    Case(
        what="`null`, at any depth; `direct` as the `caller`, or alone in `allowed_callers`; `defer_loading` false;"
        " empty `citations` and `mcp_servers`",
        members={
            **answered(
                {**TEXT, "citations": None},
                {**TEXT, "citations": []},
                {**USE, "caller": {"type": "direct"}, "cache_control": None},
            ),
            "tools": [
                {**TOOL, "type": None, "strict": None, "eager_input_streaming": None},
                {**TOOL, "defer_loading": False, "allowed_callers": ["direct"]},
            ],
            "mcp_servers": [],
            "tool_choice": {"type": "auto", "name": None},
            "metadata": None,
        },
        said={
            **said({"role": "assistant", "content": "a\na", "tool_calls": [CALL]}, ON),
            "tools": [FUNCTION, FUNCTION],
            "tool_choice": "auto",
        },
        becomes="nothing: that is as if it were not there",
    ),
    Case(
        what="`tool_result`",
        members=result(content=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
        said=said({"role": "tool", "tool_call_id": "t", "content": "a\nb"}),
        becomes="a message of `tool`, before what else the user says",
    ),
    Case(
        what="an image in a `tool_result`",
        members=result(content=[PICTURE]),
        said=said({"role": "tool", "tool_call_id": "t", "content": ""}, {"role": "user", "content": [SHOWN]}),
        becomes="a part of the user's message behind it",
    ),
    Case(
        what="`tools` with an `input_schema`",
        members={"tools": [TOOL, {**TOOL, "type": "custom"}]},
        said={"tools": [FUNCTION, FUNCTION]},
        becomes="`tools` of type `function`",
    ),
    Case(
        what="`tool_choice` `auto`, `none`",
        members={"tools": [TOOL], "tool_choice": {"type": "none"}},
        said={"tools": [FUNCTION], "tool_choice": "none"},
        becomes="the same words",
    ),
    Case(
        what="`tool_choice` `any`",
        members={"tools": [TOOL], "tool_choice": {"type": "any"}},
        said={"tools": [FUNCTION], "tool_choice": "required"},
        becomes="`required`",
    ),
    Case(
        what="`tool_choice` `tool`",
        members={"tools": [TOOL], "tool_choice": {"type": "tool", "name": "look"}},
        said={"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "look"}}},
        becomes="the `function` of that name",
    ),
    Case(
        what="`disable_parallel_tool_use`",
        members={"tools": [TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        said={"tools": [FUNCTION], "tool_choice": "auto", "parallel_tool_calls": False},
        becomes="`parallel_tool_calls: false`",
    ),
    Case(
        what="`max_tokens`",
        members={"max_tokens": 7},
        said={"max_completion_tokens": 7},
        becomes="`max_completion_tokens`",
    ),
    Case(
        what="`stop_sequences`, up to four",
        members={"stop_sequences": ["a", "b"]},
        said={"stop": ["a", "b"]},
        becomes="`stop`; the answer does not say which it was",
    ),
    Case(
        what="`temperature`, `top_p`",
        members={"temperature": 0.25, "top_p": 1},
        said={"temperature": 0.25, "top_p": 1},
        becomes="the same",
    ),
    Case(
        what="`output_config.format`, or the older `output_format`",
        members={"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        said={
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": {"type": "object"}},
            }
        },
        becomes="`response_format` `json_schema`, `strict`",
    ),
    Case(
        what="`stream`",
        members={"stream": True},
        said={"stream": True, "stream_options": {"include_usage": True}},
        becomes="`stream`, with usage at its end",
    ),
    Case(
        what="`cache_control`",
        members={**user({"type": "text", "text": "q", "cache_control": {"type": "ephemeral"}})},
        said=said({"role": "user", "content": [{"type": "text", "text": "q"}]}),
        left_out="cache_control",
    ),
    Case(what="`metadata`", members={"metadata": {"user_id": "u"}}, left_out="metadata"),
    Case(what="`service_tier`", members={"service_tier": "auto"}, left_out="service_tier"),
    Case(
        what="`context_management`: all of the conversation is said",
        members={"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}},
        left_out="context_management",
    ),
    Case(
        what="`thinking`, and thoughts of earlier turns",
        members={
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            **answered({"type": "thinking", "thinking": "h", "signature": "s"}, {"type": "text", "text": "a"}),
        },
        said=said({"role": "assistant", "content": "a"}, ON),
        left_out="thinking",
    ),
    Case(
        what="`thinking` of type `enabled`, where models say `reasoning: Effort`",
        members={"max_tokens": 32000, "thinking": {"type": "enabled", "budget_tokens": 31999}},
        said={"max_completion_tokens": 32000, "reasoning_effort": "high"},
        becomes="`reasoning_effort`, by the budget's share of `max_tokens`",
        terms={"reasoning": "Effort"},
    ),
    Case(
        what="`thinking` of type `adaptive`, there",
        members={"thinking": {"type": "adaptive"}},
        becomes="nothing: the model thinks as much as it likes",
        terms={"reasoning": "Effort"},
    ),
    Case(
        what="`output_config.effort`, beside `thinking`, there",
        members={"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
        said={"reasoning_effort": "high"},
        becomes="`reasoning_effort` `low`, `medium` or `high`, which stands for all above it",
        terms={"reasoning": "Effort"},
    ),
    Case(
        what="`output_config.effort` elsewhere",
        members={"output_config": {"effort": "low"}},
        left_out="output_config.effort",
    ),
    Case(
        what="`is_error` of a `tool_result`",
        members=result(content="no", is_error=True),
        said=said({"role": "tool", "tool_call_id": "t", "content": "no"}),
        left_out="is_error",
    ),
    Case(
        what="`eager_input_streaming` of a tool",
        members={"tools": [{**TOOL, "eager_input_streaming": True}]},
        said={"tools": [FUNCTION]},
        left_out="eager_input_streaming",
    ),
    Case(what="`top_k`", members={"top_k": 5}, refused="top_k"),
    Case(
        what="the same, where providers say `unsupported: LeaveOut`",
        members={"top_k": 5},
        left_out="top_k",
        terms={"leaves": True},
    ),
    Case(what="more than four `stop_sequences`", members={"stop_sequences": list("abcde")}, refused="stop_sequences"),
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
        what="a last message of the assistant's, which Anthropic's API would go on with",
        members={"messages": [ON, {"role": "assistant", "content": "{"}]},
        refused="messages that end with the assistant's",
    ),
    Case(what="`tool_choice` without `tools`", members={"tool_choice": {"type": "auto"}}, refused="tool_choice"),
    Case(
        what="calls by programs of the model",
        members=assistant({**USE, "caller": {"type": "code_execution_20250825", "tool_id": "x"}}),
        refused="tool_use.caller",
    ),
    Case(
        what="`mcp_servers`, `container`, and all that is not named here",
        members={"mcp_servers": [{"type": "url", "url": "https://example.com", "name": "a"}]},
        refused="mcp_servers",
    ),
)
