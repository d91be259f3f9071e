"""What becomes of each member of a request to chat/completions at a provider of Messages; the documentation has it."""

from typing import Any

from messages_cases import Case

MARK = {"type": "ephemeral"}
TEXT = {"type": "text", "text": "a"}
QUESTION = {"role": "user", "content": "q"}
ASKED = {"role": "user", "content": [{"type": "text", "text": "q"}]}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
LINKED = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
SHOWN = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
FUNCTION = {"name": "look", "description": "Looks", "parameters": {"type": "object"}}
TOOL = {"type": "function", "function": FUNCTION}
DEFINED = {"name": "look", "description": "Looks", "input_schema": {"type": "object"}}
CALL = {"id": "t", "type": "function", "function": {"name": "look", "arguments": '{"city": "a\\"\\\\\\n"}'}}
USE = {"type": "tool_use", "id": "t", "name": "look", "input": {"city": 'a"\\\n'}}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def messages(*some: Any) -> dict[str, Any]:
    return {"messages": list(some)}


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def choice(value: Any, said: Any, **more: Any) -> dict[str, Any]:
    return {
        "members": {"tools": [TOOL], "tool_choice": value, **more},
        "said": {"tools": [DEFINED], "tool_choice": said},
    }


def hint(name: str) -> Case:
    return Case(what=f"`{name}`", members={name: "x"}, left_out=name)


CASES = (
    Case(
        what="messages of `system` and `developer`, texts or parts of text",
        members=messages({"role": "system", "content": "a"}, {"role": "developer", "content": [TEXT]}, QUESTION),
        said={"system": [TEXT, TEXT], **messages(ASKED)},
        becomes="blocks of `system`",
    ),
    Case(
        what="the same behind others' messages",
        members=messages(QUESTION, {"role": "system", "content": "a"}),
        said={"system": [TEXT], **messages(ASKED)},
        left_out="order of system",
    ),
    Case(
        what="images as a `data:` URL",
        members=messages(user(PICTURE)),
        said=messages(user(SHOWN)),
        becomes="images by base64",
    ),
    Case(
        what="images by `https:` and `http:`",
        members=messages(user(LINKED)),
        said=messages(user({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}})),
        becomes="images by URL",
    ),
    Case(
        what="`tool_calls`, several of one answer too",
        members=messages(
            QUESTION,
            {"role": "assistant", "content": "a", "tool_calls": [CALL, {**CALL, "id": "u", "index": 1}]},
            QUESTION,
        ),
        said=messages(ASKED, {"role": "assistant", "content": [TEXT, USE, {**USE, "id": "u"}]}, ASKED),
        becomes="`tool_use`, behind the text",
    ),
    Case(
        what="what packages make of an answer and send back with it: `parsed`, `parsed_arguments`",
        members=messages(
            QUESTION,
            {
                "role": "assistant",
                "content": "a",
                "parsed": {"a": 1},
                "tool_calls": [{**CALL, "function": {**CALL["function"], "parsed_arguments": {"city": "x"}}}],
            },
            {"role": "tool", "tool_call_id": "t", "content": "a"},
        ),
        said=messages(
            ASKED,
            {"role": "assistant", "content": [TEXT, USE]},
            user({"type": "tool_result", "tool_use_id": "t", "content": "a"}),
        ),
        becomes="nothing: the answer says it",
    ),
    Case(
        what="messages of `tool`, and what the user says behind them",
        members=messages(
            {"role": "tool", "tool_call_id": "t", "content": "a"},
            {"role": "tool", "tool_call_id": "u", "content": [TEXT, PICTURE]},
            QUESTION,
        ),
        said=messages(
            user(
                {"type": "tool_result", "tool_use_id": "t", "content": "a"},
                {"type": "tool_result", "tool_use_id": "u", "content": [TEXT, SHOWN]},
                *ASKED["content"],
            )
        ),
        becomes="one message of `user`, `tool_result` first, in their order",
    ),
    Case(
        what="ids of calls with characters that Anthropic's have not",
        members=messages(
            {"role": "assistant", "tool_calls": [{**CALL, "id": "look:0"}]},
            {"role": "tool", "tool_call_id": "look:0", "content": "a"},
        ),
        said=messages(
            {"role": "assistant", "content": [{**USE, "id": "look_3a0"}]},
            user({"type": "tool_result", "tool_use_id": "look_3a0", "content": "a"}),
        ),
        becomes="the same ids with these in hexadecimal, there and in results",
    ),
    Case(
        what="`cache_control` of parts, of messages that are a text, of tools, of the request",
        members={
            **messages(
                {"role": "system", "content": "a", "cache_control": MARK},
                user({**TEXT, "cache_control": MARK}, {**PICTURE, "cache_control": MARK}),
                {"role": "tool", "tool_call_id": "t", "content": "a", "cache_control": MARK},
            ),
            "tools": [{**TOOL, "cache_control": MARK}],
            "cache_control": MARK,
        },
        said={
            "system": [{**TEXT, "cache_control": MARK}],
            **messages(
                user(
                    {"type": "tool_result", "tool_use_id": "t", "content": "a", "cache_control": MARK},
                    {**TEXT, "cache_control": MARK},
                    {**SHOWN, "cache_control": MARK},
                )
            ),
            "tools": [{**DEFINED, "cache_control": MARK}],
            "cache_control": MARK,
        },
        becomes="the same, there",
    ),
    Case(
        what="`null`, `n` 1, penalties 0, `logprobs` false, an empty `logit_bias`, `modalities` of text alone, `store`"
        " false, `reasoning_effort` none, `strict` false, `detail` auto, empty and blank texts",
        members={
            **messages(
                {"role": "system", "content": ""},
                user(
                    {**TEXT, "text": ""},
                    {**TEXT, "text": "q"},
                    {**PICTURE, "image_url": {"url": "data:image/png;base64,aGk=", "detail": "auto"}},
                ),
            ),
            **dict.fromkeys(("tools", "tool_choice", "stop", "user", "temperature", "max_tokens", "seed")),
            "n": 1,
            "presence_penalty": 0,
            "frequency_penalty": 0.0,
            "logprobs": False,
            "top_logprobs": 0,
            "logit_bias": {},
            "modalities": ["text"],
            "store": False,
            "reasoning_effort": "none",
            "response_format": {"type": "text"},
            "stream": False,
            "thinking": {"type": "disabled"},
        },
        said=messages(user({"type": "text", "text": "q"}, SHOWN)),
        becomes="nothing: that is as if it were not there",
    ),
    Case(
        what="`tools` of type `function`, `strict` too",
        members={"tools": [TOOL, {"type": "function", "function": {"name": "f", "strict": True, "parameters": {}}}]},
        said={"tools": [DEFINED, {"name": "f", "strict": True, "input_schema": {"type": "object"}}]},
        becomes="`tools` with an `input_schema`, which says that it is an object",
    ),
    Case(
        what="`tool_choice` `auto`, `none`",
        **choice("none", {"type": "none"}, parallel_tool_calls=False),
        becomes="the same words",
    ),
    Case(what="`tool_choice` `required`", **choice("required", {"type": "any"}), becomes="`any`"),
    Case(
        what="`tool_choice` of a `function`",
        **choice({"type": "function", "function": {"name": "look"}}, {"type": "tool", "name": "look"}),
        becomes="the `tool` of that name",
    ),
    Case(
        what="`parallel_tool_calls: false`",
        members={"tools": [TOOL], "parallel_tool_calls": False},
        said={"tools": [DEFINED], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        becomes="`disable_parallel_tool_use`",
    ),
    Case(
        what="`max_completion_tokens`, `max_tokens`",
        members={"max_completion_tokens": 7, "max_tokens": 9},
        said={"max_tokens": 7},
        becomes="`max_tokens`; without them the model's `maxOutputTokens`, else 4096",
    ),
    Case(
        what="`stop`, a text or several",
        members={"stop": "a"},
        said={"stop_sequences": ["a"]},
        becomes="`stop_sequences`",
    ),
    Case(
        what="`temperature` up to 1, `top_p`, `top_k`",
        members={"temperature": 0.25, "top_p": 1, "top_k": 5},
        said={"temperature": 0.25, "top_p": 1, "top_k": 5},
        becomes="the same",
    ),
    Case(what="`user`", members={"user": "u"}, said={"metadata": {"user_id": "u"}}, becomes="`metadata.user_id`"),
    Case(
        what="`response_format` `json_schema`",
        members={
            "response_format": {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}
        },
        said={"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        becomes="`output_config.format`, which binds the answer whatever `strict` says",
    ),
    Case(
        what="`stream`, `stream_options`",
        members={"stream": True, "stream_options": {"include_usage": True}},
        said={"stream": True},
        becomes="`stream`; the chunk of usage comes where the client asks for it",
    ),
    Case(what="`reasoning_effort`", members={"reasoning_effort": "high"}, left_out="reasoning_effort"),
    Case(
        what="the same, where models say `reasoning: Budget`",
        members={"reasoning_effort": "medium", "max_tokens": 16000},
        said={"thinking": {"type": "enabled", "budget_tokens": 8000}, "max_tokens": 16000},
        becomes="`thinking`, with a share of `max_tokens` as `budget_tokens`",
        terms={"reasoning": "Budget"},
    ),
    Case(
        what="the same, where models say `reasoning: Effort`",
        members={
            "reasoning_effort": "minimal",
            "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}},
        },
        said={
            "thinking": {"type": "adaptive"},
            "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "low"},
        },
        becomes="`thinking` of type `adaptive`, with `low`, `medium` or `high` as `output_config.effort`",
        terms={"reasoning": "Effort"},
    ),
    Case(
        what="the same beside a `temperature` that is not 1, `top_k`, a `top_p` below 0.95, or a tool that must be"
        " called, which thinking is not taken with",
        members={"reasoning_effort": "high", "temperature": 0.5},
        said={"temperature": 0.5},
        left_out="reasoning_effort",
        terms={"reasoning": "Effort"},
    ),
    Case(
        what="the same with a budget behind what a tool said: there the model's own thoughts would have to stand",
        members={
            **messages(QUESTION, {"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "t"}),
            "reasoning_effort": "high",
        },
        said=messages(
            ASKED,
            {"role": "assistant", "content": [USE]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]},
        ),
        left_out="reasoning_effort",
        terms={"reasoning": "Budget"},
    ),
    Case(
        what="thoughts of earlier turns, as clients send them back",
        members=messages({"role": "assistant", "content": "a", "reasoning_content": "h"}, QUESTION),
        said=messages({"role": "assistant", "content": [TEXT]}, ASKED),
        left_out="reasoning_content",
    ),
    Case(
        what="`name` of a message",
        members=messages({**QUESTION, "name": "Ann"}),
        said=messages(ASKED),
        left_out="name",
    ),
    Case(
        what="`detail` of an image",
        members=messages(user({**PICTURE, "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}})),
        said=messages(user(SHOWN)),
        left_out="detail",
    ),
    *map(
        hint,
        (
            *("metadata", "service_tier", "store", "prompt_cache_key", "prompt_cache_retention", "safety_identifier"),
            *("verbosity", "prediction"),
        ),
    ),
    Case(what="`temperature` above 1", members={"temperature": 1.5}, refused="temperature"),
    Case(what="a `stop` that is blank, as a newline alone", members={"stop": ["a", "\n"]}, refused="stop"),
    Case(what="`n` above 1", members={"n": 2}, refused="n"),
    Case(what="`logprobs`, `top_logprobs`", members={"logprobs": True}, refused="logprobs"),
    Case(what="`logit_bias`", members={"logit_bias": {"5": 1}}, refused="logit_bias"),
    Case(what="`presence_penalty`", members={"presence_penalty": 0.5}, refused="presence_penalty"),
    Case(what="`frequency_penalty`", members={"frequency_penalty": -1}, refused="frequency_penalty"),
    Case(what="`seed`", members={"seed": 7}, refused="seed"),
    Case(
        what="`temperature` above 1, `presence_penalty`, `frequency_penalty`, `seed` and `logit_bias`, where providers"
        " say `unsupported: LeaveOut`",
        members={
            "temperature": 1.5,
            "presence_penalty": 0.5,
            "frequency_penalty": -1,
            "seed": 7,
            "logit_bias": {"5": 1},
        },
        left_out="temperature, presence_penalty, frequency_penalty, seed, logit_bias",
        terms={"leaves": True},
    ),
    Case(
        what="`response_format` `json_object`",
        members={"response_format": {"type": "json_object"}},
        refused="response_format of type json_object",
    ),
    Case(
        what="parts of audio, and files",
        members=messages(user({"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}})),
        refused="content of type input_audio",
    ),
    Case(what="`modalities` with `audio`", members={"modalities": ["text", "audio"]}, refused="modalities"),
    Case(
        what="tools of another type than `function`",
        members={"tools": [{"type": "custom", "custom": {"name": "x"}}]},
        refused="tools of type custom",
    ),
    Case(
        what="`tool_choice` of allowed tools",
        members={"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}},
        refused="tool_choice of type allowed_tools",
    ),
    Case(what="`tool_choice` without `tools`", members={"tool_choice": "auto"}, refused="tool_choice"),
    Case(
        what="calls whose arguments are no JSON object",
        members=messages(
            {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "look", "arguments": "{"}}]}, QUESTION
        ),
        refused="arguments",
    ),
    Case(
        what="a last message of the assistant's, which Anthropic's API would go on with",
        members=messages(QUESTION, {"role": "assistant", "content": "a"}),
        refused="messages that end with the assistant's",
    ),
    Case(
        what="`thinking`: later turns would have to bring the thoughts back",
        members={"thinking": {"type": "enabled", "budget_tokens": 1024}},
        refused="thinking",
    ),
    Case(
        what="`functions`, `audio`, `web_search_options`, and all that is not named here",
        members={"web_search_options": {}},
        refused="web_search_options",
    ),
)
