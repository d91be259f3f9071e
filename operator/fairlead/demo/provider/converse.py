"""`POST /model/<id>/converse` and `/converse-stream`, in the shapes of Bedrock's runtime.

The tables follow AWS's service model; what it ignores (unknown members) is refused, so that nobody relies on it. The
rules for turns and tools are the real service's, in its words.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fairlead.demo.provider import check, event_stream
from fairlead.demo.provider.blocks import exactly
from fairlead.demo.provider.chat import IMAGE_TOKENS, grouped
from fairlead.demo.provider.reply import Finish, Question, Reply, Tool, tokens_of

WRITTEN = 3
"""Tokens of a prompt that are written into the cache, where it is marked what is to be kept."""
LATENCY_MS = 1
STOP_REASONS = {Finish.STOP: "end_turn", Finish.LENGTH: "max_tokens", Finish.TOOL_CALLS: "tool_use"}


def _one_of(table: Mapping[str, check.Check]) -> check.Check:
    """Make a check for a union: an object with one member."""
    shaped = exactly(table)

    def checked(value: Any, path: str) -> None:
        shaped(value, path)
        if len(value) != 1:
            raise check.Malformed(f"{path}: exactly one of {', '.join(table)} must be set", path)

    return checked


def _text(value: Any, path: str) -> None:
    check.string(value, path)
    if not value.strip():
        raise check.Malformed(
            f"The text field in the ContentBlock object at {path} is blank. Add text to the text field, and try again.",
            path,
        )


def _anything(_value: Any, _path: str) -> None:
    pass


_name = check.matching("[a-zA-Z0-9_-]{1,64}")
_call_id = check.matching("[a-zA-Z0-9_.:-]{1,64}")
_bytes = check.matching("([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)")
_place = exactly({"uri": check.matching("s3://.+"), "bucketOwner": check.matching("[0-9]{12}")}, "uri")
_cache_point = exactly({"type": check.one_of("default"), "ttl": check.one_of("5m", "1h")}, "type")
_image = exactly(
    {
        "format": check.one_of("png", "jpeg", "gif", "webp"),
        "source": _one_of({"bytes": _bytes, "s3Location": _place}),
    },
    "format",
    "source",
)
_document = exactly(
    {
        "format": check.one_of("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"),
        "name": check.matching(r"[A-Za-z0-9()\[\]-]+( [A-Za-z0-9()\[\]-]+)*"),
        "source": _one_of(
            {
                "bytes": _bytes,
                "s3Location": _place,
                "text": _text,
                "content": check.sequence(_one_of({"text": _text}), least=1),
            }
        ),
        "context": check.string,
        "citations": exactly({"enabled": check.boolean}, "enabled"),
    },
    "name",
    "source",
)
_use = exactly({"toolUseId": _call_id, "name": _name, "input": check.mapping}, "toolUseId", "name", "input")
_results = check.sequence(
    _one_of({"text": check.string, "json": check.mapping, "image": _image, "document": _document})
)
_result = exactly(
    {"toolUseId": _call_id, "content": _results, "status": check.one_of("success", "error")}, "toolUseId", "content"
)
_reasoning = _one_of(
    {
        "reasoningText": exactly({"text": check.string, "signature": check.string}, "text"),
        "redactedContent": _bytes,
    }
)
_block = _one_of(
    {
        "text": _text,
        "image": _image,
        "document": _document,
        "toolUse": _use,
        "toolResult": _result,
        "reasoningContent": _reasoning,
        "cachePoint": _cache_point,
    }
)
_message = exactly(
    {"role": check.one_of("user", "assistant"), "content": check.sequence(_block, least=1)}, "role", "content"
)
_schema = exactly({"json": check.mapping}, "json")
_spec = exactly(
    {"name": _name, "description": check.name, "inputSchema": _schema, "strict": check.boolean}, "name", "inputSchema"
)
_tool = _one_of({"toolSpec": _spec, "cachePoint": _cache_point})
_choice = _one_of({"auto": exactly({}), "any": exactly({}), "tool": exactly({"name": _name}, "name")})
_format = exactly(
    {
        "type": check.one_of("json_schema"),
        "structure": _one_of(
            {
                "jsonSchema": exactly(
                    {"schema": check.string, "name": check.string, "description": check.string}, "schema"
                )
            }
        ),
    },
    "type",
    "structure",
)
FIELDS: Mapping[str, check.Check] = {
    "messages": check.sequence(_message, least=1),
    "system": check.sequence(_one_of({"text": check.name, "cachePoint": _cache_point})),
    "inferenceConfig": exactly(
        {
            "maxTokens": check.integer(1),
            "temperature": check.number(0, 1),
            "topP": check.number(0, 1),
            "stopSequences": check.sequence(check.name, most=2500),
        }
    ),
    "toolConfig": exactly({"tools": check.sequence(_tool, least=1), "toolChoice": _choice}, "tools"),
    "additionalModelRequestFields": check.mapping,
    "additionalModelResponseFieldPaths": check.sequence(check.name, most=10),
    "requestMetadata": check.texts,
    "performanceConfig": exactly({"latency": check.one_of("standard", "optimized")}),
    "serviceTier": exactly({"type": check.one_of("priority", "default", "flex", "reserved")}, "type"),
    "outputConfig": exactly({"textFormat": _format, "effort": check.string}),
}
"""Of a request's body; `modelId` stands in the path, and null is no value of any."""


def read(body: Mapping[str, Any], *, model: str, stream: bool) -> Question:
    """Check the body of a request and take from it what the answer depends on."""
    exactly(FIELDS, "messages")(body, "body")
    _refuse_nulls(body, "body")
    _check_turns(body["messages"], has_tools="toolConfig" in body)
    blocks = [block for message in body["messages"] for block in message["content"]] + body.get("system", [])
    first, *others = _called(body) or (None,)
    config = body.get("inferenceConfig", {})
    tools = body.get("toolConfig", {}).get("tools", [])
    return Question(
        model=model,
        stream=stream,
        prompt_tokens=sum(map(_tokens, blocks)),
        limit=config.get("maxTokens"),
        tool=first,
        also=tuple(one for one in others if one is not None),
        stops=tuple(config.get("stopSequences") or ()),
        schema=_wanted(body),
        marked=any("cachePoint" in one for one in (*blocks, *tools)),
    )


def _reason(reply: Reply) -> str:
    return STOP_REASONS[reply.finish] if reply.stopped_by is None else "stop_sequence"


def _refuse_nulls(value: Any, path: str) -> None:
    """Refuse null, which AWS's parsers take for an absent member or not, as they like; documents may have it."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in members:
        if one is None:
            raise check.Malformed(f"{path}.{name}: null is no value", path)
        if name not in {"input", "json", "additionalModelRequestFields"}:
            _refuse_nulls(one, f"{path}.{name}")


def _check_turns(messages: Sequence[Mapping[str, Any]], *, has_tools: bool) -> None:
    """Refuse turns that do not alternate from the user's on, and calls that are not answered at once."""
    if messages[0]["role"] != "user":
        raise check.Malformed(
            "A conversation must start with a user message. Try again with a conversation that starts with a user"
            " message."
        )
    called: set[str] = set()
    for number, message in enumerate(messages):
        if number and messages[number - 1]["role"] == message["role"]:
            raise check.Malformed(f"Roles must alternate between user and assistant: messages.{number}.role")
        uses = {block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block}
        answers = [block["toolResult"]["toolUseId"] for block in message["content"] if "toolResult" in block]
        if (uses or answers) and not has_tools:
            raise check.Malformed(
                "The toolConfig field must be defined when using toolUse and toolResult content blocks."
            )
        if (uses and message["role"] == "user") or (answers and message["role"] == "assistant"):
            raise check.Malformed(f"messages.{number}: such blocks are the other role's")
        if set(answers) != called or len(answers) != len(called):
            raise check.Malformed(
                f"Expected toolResult blocks at messages.{number}.content for the following Ids: {', '.join(called)}"
            )
        called = uses
    if called:
        raise check.Malformed("Expected toolResult blocks at the end of the conversation")


def _tokens(block: Mapping[str, Any]) -> int:
    if "text" in block:
        return tokens_of(block["text"])
    return 0 if "cachePoint" in block else IMAGE_TOKENS


def _called(body: Mapping[str, Any]) -> tuple[Tool, ...]:
    """Return the tools to call: the one that is named, else all at once, unless the last turn answers calls."""
    config = body.get("toolConfig")
    if config is None or any("toolResult" in block for block in body["messages"][-1]["content"]):
        return ()
    specs = [tool["toolSpec"] for tool in config["tools"] if "toolSpec" in tool]
    tools = {spec["name"]: Tool(name=spec["name"], parameters=spec["inputSchema"]["json"]) for spec in specs}
    if len(tools) != len(specs):
        raise check.Malformed("toolConfig.tools: the names of tools must be unique")
    for spec in specs:
        if spec["inputSchema"]["json"].get("type") != "object":
            raise check.Malformed(
                "The value at toolConfig.tools.0.toolSpec.inputSchema.json.type must be one of the following: object."
            )
    named = config.get("toolChoice", {}).get("tool", {}).get("name")
    if named is not None and named not in tools:
        raise check.Malformed(f"toolConfig.toolChoice.tool: got '{named}', which is no tool")
    return tuple(tools.values()) if named is None else (tools[named],)


def _wanted(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    written = body.get("outputConfig", {}).get("textFormat")
    if written is None:
        return None
    return check.parse(written["structure"]["jsonSchema"]["schema"].encode())


def whole(reply: Reply, question: Question) -> dict[str, Any]:
    """Shape an answer that does not stream."""
    content = [{"text": reply.text}] if reply.tool is None else [_use_of(reply)]
    return {
        "metrics": {"latencyMs": LATENCY_MS},
        "output": {"message": {"content": [*content, *_others(reply)], "role": "assistant"}},
        "stopReason": _reason(reply),
        **({} if reply.usage is None else {"usage": _usage(reply, question)}),
    }


def stream(reply: Reply, question: Question, *, tokens_per_chunk: int) -> Iterator[bytes]:
    """Shape the events of a streamed answer, one delta per token unless told otherwise."""
    event = event_stream.event
    yield event("messageStart", {"role": "assistant"})
    if reply.tool is not None:
        yield event("contentBlockStart", {"contentBlockIndex": 0, "start": _start(_use_of(reply))})
    for text in grouped(reply.pieces, tokens_per_chunk):
        delta = {"text": text} if reply.tool is None else {"toolUse": {"input": text}}
        yield event("contentBlockDelta", {"contentBlockIndex": 0, "delta": delta})
    yield event("contentBlockStop", {"contentBlockIndex": 0})
    for index, block in enumerate(_others(reply), 1):
        said = {"toolUse": {"input": json.dumps(block["toolUse"]["input"])}}
        yield event("contentBlockStart", {"contentBlockIndex": index, "start": _start(block)})
        yield event("contentBlockDelta", {"contentBlockIndex": index, "delta": said})
        yield event("contentBlockStop", {"contentBlockIndex": index})
    yield event("messageStop", {"stopReason": _reason(reply)})
    if reply.usage is not None:
        yield event("metadata", {"metrics": {"latencyMs": LATENCY_MS}, "usage": _usage(reply, question)})


def _use_of(reply: Reply) -> dict[str, Any]:
    if reply.tool is None:
        return {}
    return {"toolUse": {"input": json.loads(reply.text), "name": reply.tool.name, "toolUseId": f"tooluse_{reply.id}"}}


def _others(reply: Reply) -> list[dict[str, Any]]:
    return [
        {"toolUse": {"input": json.loads(arguments), "name": name, "toolUseId": f"tooluse_{reply.id}_{number}"}}
        for number, (name, arguments) in enumerate(reply.also.items())
    ]


def _start(block: Mapping[str, Any]) -> dict[str, Any]:
    return {"toolUse": {name: block["toolUse"][name] for name in ("name", "toolUseId")}}


def _usage(reply: Reply, question: Question) -> dict[str, int]:
    """Count tokens: those that went through the cache stand beside the input."""
    if reply.usage is None:
        return {}
    spent = reply.usage
    read = spent.cached if question.marked else 0
    written = min(WRITTEN, spent.prompt - read) if question.marked else 0
    return {
        "inputTokens": spent.prompt - read - written,
        "outputTokens": spent.completion,
        "totalTokens": spent.prompt + spent.completion,
        "cacheReadInputTokens": read,
        "cacheWriteInputTokens": written,
    }
