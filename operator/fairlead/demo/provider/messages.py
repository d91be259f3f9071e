"""`POST /messages`, in the shape of Anthropic's Messages API."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fairlead.demo.provider import blocks, check, thinking
from fairlead.demo.provider.chat import IMAGE_TOKENS, grouped
from fairlead.demo.provider.reply import Finish, Question, Reply, Tool, tokens_of
from fairlead.demo.provider.sse import event

_message = blocks.exactly({"role": check.one_of("user", "assistant"), "content": blocks.content}, "role", "content")
_tool = blocks.exactly(
    {
        "type": check.one_of("custom"),
        "name": check.matching(blocks.TOOL_NAME),
        "description": check.string,
        "input_schema": check.shape({"type": check.one_of("object")}, "type"),
        "strict": check.boolean,
        "eager_input_streaming": check.boolean,
        "cache_control": blocks.cached,
    },
    "name",
    "input_schema",
)
_alone: Mapping[str, check.Check] = {"type": check.string, "disable_parallel_tool_use": check.boolean}
_tool_choice = blocks.by_type(
    {
        "auto": blocks.exactly(_alone),
        "any": blocks.exactly(_alone),
        "tool": blocks.exactly({**_alone, "name": check.name}, "name"),
        "none": blocks.exactly({"type": check.string}),
    }
)
_format = blocks.exactly({"type": check.one_of("json_schema"), "schema": check.mapping}, "type", "schema")
FIELDS: Mapping[str, check.Check] = {
    "model": check.name,
    "messages": check.sequence(_message, least=1),
    "max_tokens": check.integer(1),
    "system": check.either("a string or an array", {str: check.string, list: check.sequence(blocks.text)}),
    "stream": check.boolean,
    "temperature": check.number(0, 1),
    "top_p": check.number(0, 1),
    "top_k": check.integer(0),
    "stop_sequences": check.sequence(blocks.spoken),
    "tools": check.sequence(_tool),
    "tool_choice": _tool_choice,
    "metadata": blocks.exactly({"user_id": check.string}),
    "thinking": thinking.mode,
    "service_tier": check.one_of("auto", "standard_only"),
    "cache_control": blocks.cached,
    "output_config": blocks.exactly({"format": _format, "effort": check.one_of(*thinking.EFFORTS)}),
}
COUNT_FIELDS: Mapping[str, check.Check] = {
    name: FIELDS[name] for name in ("model", "messages", "system", "tools", "tool_choice")
}
STOP_REASONS = {Finish.STOP: "end_turn", Finish.LENGTH: "max_tokens", Finish.TOOL_CALLS: "tool_use"}


def read(body: Mapping[str, Any]) -> Question:
    """Check the body of a request and take from it what the answer depends on."""
    check.fields(body, FIELDS, required=("model", "messages", "max_tokens"))
    blocks.refuse_others(body, FIELDS)
    blocks.check_turns(body["messages"])
    blocks.check_marks(body)
    thinking.check(body)
    spoken = [message["content"] for message in body["messages"]]
    if body.get("system"):
        spoken.append(body["system"])
    first, *others = _called(body) or (None,)
    return Question(
        model=body["model"],
        stream=body.get("stream") or False,
        prompt_tokens=sum(map(_prompt_tokens, spoken)),
        limit=body["max_tokens"],
        tool=first,
        also=tuple(one for one in others if one is not None),
        stops=tuple(body.get("stop_sequences") or ()),
        thinks=(body.get("thinking") or {}).get("type") in {"enabled", "adaptive"},
        schema=((body.get("output_config") or {}).get("format") or {}).get("schema"),
    )


def read_count(body: Mapping[str, Any]) -> Question:
    """Check the body of a request for a count of tokens: that of a message, without what bounds its answer."""
    check.fields(body, COUNT_FIELDS, required=("model", "messages"))
    return read({**body, "max_tokens": 1})


def _prompt_tokens(content: str | list[Mapping[str, Any]]) -> int:
    if isinstance(content, str):
        return tokens_of(content)
    return sum(tokens_of(block["text"]) if "text" in block else IMAGE_TOKENS for block in content)


def _called(body: Mapping[str, Any]) -> tuple[Tool, ...]:
    """Return the tools to call: the one that is named, one alone where that is asked for, else all at once."""
    choice = body.get("tool_choice") or {"type": "auto"}
    last = body["messages"][-1]["content"]
    answered = isinstance(last, list) and any(block["type"] == "tool_result" for block in last)
    if not body.get("tools") or choice["type"] == "none" or answered:
        return ()
    tools = {tool["name"]: Tool(name=tool["name"], parameters=tool["input_schema"]) for tool in body["tools"]}
    if choice.get("name", next(iter(tools))) not in tools:
        where = "tool_choice.name"
        raise check.Malformed(f"{where}: tool '{choice['name']}' not found in provided tools", where)
    if "name" in choice:
        return (tools[choice["name"]],)
    return tuple(tools.values())[: 1 if choice.get("disable_parallel_tool_use") else None]


def whole(reply: Reply) -> dict[str, Any]:
    """Shape an answer that does not stream."""
    said = [_block_of(reply, reply.text), *_others(reply)]
    if reply.thought:
        said.insert(0, {"type": "thinking", "thinking": reply.thought, "signature": thinking.signature(reply.thought)})
    body = _message_of(reply, said, _reason(reply))
    body["stop_sequence"] = reply.stopped_by
    if reply.usage is not None:
        body["usage"] = _input(reply) | {"output_tokens": reply.usage.completion}
    return body


def stream(reply: Reply, *, tokens_per_chunk: int) -> Iterator[bytes]:
    """Shape the events of a streamed answer, one delta per token unless told otherwise."""
    begun = _message_of(reply, [], None)
    if reply.usage is not None:
        begun["usage"] = _input(reply) | {"output_tokens": 1}
    yield event({"type": "message_start", "message": begun})
    if reply.thought:
        yield from _thoughts(reply.thought)
    at = 1 if reply.thought else 0
    yield event({"type": "content_block_start", "index": at, "content_block": _block_of(reply, "")})
    yield event({"type": "ping"})
    kind, field = ("text_delta", "text") if reply.tool is None else ("input_json_delta", "partial_json")
    for text in grouped(reply.pieces, tokens_per_chunk):
        yield event({"type": "content_block_delta", "index": at, "delta": {"type": kind, field: text}})
    yield event({"type": "content_block_stop", "index": at})
    for index, block in enumerate(_others(reply), at + 1):
        said = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield event({"type": "content_block_start", "index": index, "content_block": {**block, "input": {}}})
        yield event({"type": "content_block_delta", "index": index, "delta": said})
        yield event({"type": "content_block_stop", "index": index})
    end: dict[str, Any] = {"stop_reason": _reason(reply), "stop_sequence": reply.stopped_by}
    usage = {} if reply.usage is None else {"usage": {"output_tokens": reply.usage.completion}}
    yield event({"type": "message_delta", "delta": end, **usage})
    yield event({"type": "message_stop"})


def _thoughts(thought: str) -> Iterator[bytes]:
    empty = {"type": "thinking", "thinking": "", "signature": ""}
    yield event({"type": "content_block_start", "index": 0, "content_block": empty})
    for delta in (
        {"type": "thinking_delta", "thinking": thought},
        {"type": "signature_delta", "signature": thinking.signature(thought)},
    ):
        yield event({"type": "content_block_delta", "index": 0, "delta": delta})
    yield event({"type": "content_block_stop", "index": 0})


def _reason(reply: Reply) -> str:
    return STOP_REASONS[reply.finish] if reply.stopped_by is None else "stop_sequence"


def _message_of(reply: Reply, content: list[Any], stop_reason: str | None) -> dict[str, Any]:
    head: dict[str, Any] = {"id": f"msg_{reply.id}", "type": "message", "role": "assistant", "model": reply.model}
    return {**head, "content": content, "stop_reason": stop_reason, "stop_sequence": None}


def _block_of(reply: Reply, text: str) -> dict[str, Any]:
    if reply.tool is None:
        return {"type": "text", "text": text}
    arguments = json.loads(text) if text else {}
    return {"type": "tool_use", "id": f"toolu_{reply.id}", "name": reply.tool.name, "input": arguments}


def _others(reply: Reply) -> list[dict[str, Any]]:
    return [
        {"type": "tool_use", "id": f"toolu_{reply.id}_{number}", "name": name, "input": json.loads(arguments)}
        for number, (name, arguments) in enumerate(reply.also.items())
    ]


def _input(reply: Reply) -> dict[str, int]:
    """Anthropic counts what was read from the cache apart from `input_tokens`."""
    if reply.usage is None:
        return {}
    return {
        "input_tokens": reply.usage.prompt - reply.usage.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": reply.usage.cached,
    }
