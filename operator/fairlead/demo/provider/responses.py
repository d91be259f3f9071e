"""`POST /responses`, in the shape of OpenAI's Responses API."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any
from zlib import crc32

from fairlead.demo.provider import check
from fairlead.demo.provider.chat import FUNCTION_NAME, IMAGE_TOKENS, grouped, wanted
from fairlead.demo.provider.reply import CREATED, Finish, Question, Reply, Tool, tokens_of
from fairlead.demo.provider.sse import event

_part = check.shape({"type": check.name, "text": check.string, "image_url": check.string}, "type")
_item = check.shape(
    {
        "type": check.name,
        "role": check.one_of("user", "assistant", "system", "developer"),
        "content": check.either("a string or an array", {str: check.string, list: check.sequence(_part)}),
        "call_id": check.name,
        "name": check.name,
        "arguments": check.string,
    }
)
_tool = check.shape(
    {
        "type": check.name,
        "name": check.matching(FUNCTION_NAME),
        "description": check.string,
        "parameters": check.mapping,
        "strict": check.boolean,
    },
    "type",
)
_format = check.shape(
    {
        "type": check.one_of("text", "json_object", "json_schema"),
        "name": check.matching(FUNCTION_NAME),
        "schema": check.mapping,
    },
    "type",
)
FIELDS: Mapping[str, check.Check] = {
    "model": check.name,
    "input": check.either("a string or an array", {str: check.string, list: check.sequence(_item, least=1)}),
    "instructions": check.string,
    "stream": check.boolean,
    "stream_options": check.mapping,
    "max_output_tokens": check.integer(1),
    "temperature": check.number(0, 2),
    "top_p": check.number(0, 1),
    "tools": check.sequence(_tool, most=128),
    "tool_choice": check.either(
        "a string or an object",
        {str: check.one_of("none", "auto", "required"), dict: check.shape({"type": check.name}, "type")},
    ),
    "parallel_tool_calls": check.boolean,
    "store": check.boolean,
    "metadata": check.texts,
    "previous_response_id": check.name,
    "text": check.shape({"format": _format}),
    "truncation": check.one_of("auto", "disabled"),
    "user": check.string,
}


def read(body: Mapping[str, Any]) -> Question:
    """Check the body of a request and take from it what the answer depends on."""
    check.fields(body, FIELDS, required=("model", "input"))
    items = body["input"] if isinstance(body["input"], list) else [{"role": "user", "content": body["input"]}]
    for index, item in enumerate(items):
        if item.get("type", "message") == "message" and (item.get("role") is None or item.get("content") is None):
            raise check.Malformed(f"Missing required parameter: 'input[{index}].role' or 'content'.", "input")
    form = (body.get("text") or {}).get("format") or {"type": "text"}
    return Question(
        model=body["model"],
        stream=body.get("stream") or False,
        prompt_tokens=sum(map(_prompt_tokens, items)) + _extra_tokens(body.get("instructions")),
        limit=body.get("max_output_tokens"),
        wanted=wanted(body),
        tool=_called(body, items),
        schema=None if form["type"] == "text" else form.get("schema") or {},
        previous=body.get("previous_response_id"),
        stored=body.get("store") is not False,
    )


class Kept:
    """The answers that a provider keeps: what each of them, and all before it, had of tokens."""

    def __init__(self, region: str) -> None:
        self._made = f"{crc32(region.encode()):08x}"
        self._tokens: dict[str, int] = {}

    def gone_on_from(self, question: Question) -> Question:
        """Count what is kept as input; refuse what is not, in the real API's words."""
        if question.previous is None:
            return question
        if question.previous not in self._tokens:
            raise check.Malformed(f"Previous response with id '{question.previous}' not found.", "previous_response_id")
        return replace(question, prompt_tokens=question.prompt_tokens + self._tokens[question.previous])

    def keep(self, reply: Reply, question: Question) -> Reply:
        """Keep an answer, unless its request says not to, under an id that no other provider gives."""
        reply = replace(reply, id=f"{self._made}{reply.id}")
        if question.stored:
            self._tokens[f"resp_{reply.id}"] = question.prompt_tokens + len(reply.pieces)
        return reply


def _prompt_tokens(item: Mapping[str, Any]) -> int:
    content = item.get("content") or item.get("output") or item.get("arguments") or ""
    if isinstance(content, list):
        return sum(tokens_of(part["text"]) if "text" in part else IMAGE_TOKENS for part in content)
    return tokens_of(content)


def _extra_tokens(text: str | None) -> int:
    return tokens_of(text) if text else 0


def _called(body: Mapping[str, Any], items: list[Mapping[str, Any]]) -> Tool | None:
    functions = {tool.get("name"): tool for tool in body.get("tools") or [] if tool["type"] == "function"}
    if None in functions:
        raise check.Malformed("Missing required parameter: 'tools[0].name'.", "tools[0].name")
    choice = body.get("tool_choice")
    if not functions or choice == "none" or items[-1].get("type") == "function_call_output":
        return None
    called = choice.get("name") if isinstance(choice, dict) else next(iter(functions))
    if called not in functions:
        raise check.Malformed(f"Tool choice '{called}' not found in 'tools' parameter.", "tool_choice")
    return Tool(name=str(called), parameters=functions[called].get("parameters") or {})


def whole(reply: Reply, question: Question) -> dict[str, Any]:
    """Shape an answer that does not stream."""
    status = "incomplete" if reply.finish is Finish.LENGTH else "completed"
    return _response(reply, question, status=status, output=[_output(reply, status, reply.text)])


def stream(reply: Reply, question: Question, *, tokens_per_chunk: int) -> Iterator[bytes]:
    """Shape the events of a streamed answer, one delta per token unless told otherwise."""
    numbers = count()

    def send(kind: str, **rest: Any) -> bytes:
        return event({"type": kind, "sequence_number": next(numbers), **rest})

    begun = _response(reply, question, status="in_progress", output=[])
    yield send("response.created", response=begun)
    yield send("response.in_progress", response=begun)
    item = _output(reply, "in_progress", "")
    at = {"item_id": item["id"], "output_index": 0}
    if reply.tool is None:
        item["content"] = []
    yield send("response.output_item.added", output_index=0, item=item)
    if reply.tool is None:
        yield from _text_events(send, at, reply, tokens_per_chunk)
    else:
        kind = "response.function_call_arguments"
        for text in grouped(reply.pieces, tokens_per_chunk):
            yield send(f"{kind}.delta", **at, delta=text)
        yield send(f"{kind}.done", **at, name=reply.tool.name, arguments=reply.text)
    ended = whole(reply, question)
    yield send("response.output_item.done", output_index=0, item=ended["output"][0])
    yield send(f"response.{ended['status']}", response=ended)


def _text_events(send: Any, at: Mapping[str, Any], reply: Reply, tokens_per_chunk: int) -> Iterator[bytes]:
    at = {**at, "content_index": 0}
    yield send("response.content_part.added", **at, part=_text(""))
    for text in grouped(reply.pieces, tokens_per_chunk):
        yield send("response.output_text.delta", **at, delta=text, logprobs=[])
    yield send("response.output_text.done", **at, text=reply.text, logprobs=[])
    yield send("response.content_part.done", **at, part=_text(reply.text))


def _text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _output(reply: Reply, status: str, text: str) -> dict[str, Any]:
    if reply.tool is None:
        item = {"id": f"msg_{reply.id}", "type": "message", "role": "assistant", "content": [_text(text)]}
    else:
        item = {"id": f"fc_{reply.id}", "type": "function_call", "call_id": f"call_{reply.id}"}
        item |= {"name": reply.tool.name, "arguments": text}
    return {**item, "status": status}


def _response(reply: Reply, question: Question, *, status: str, output: list[Any]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": f"resp_{reply.id}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": None,
        "max_output_tokens": question.limit,
        "model": reply.model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": question.previous,
        "reasoning": {"effort": None, "summary": None},
        "store": question.stored,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "metadata": {},
    }
    if status != "in_progress" and reply.usage is not None:
        body["usage"] = {
            "input_tokens": reply.usage.prompt,
            "input_tokens_details": {"cached_tokens": reply.usage.cached},
            "output_tokens": reply.usage.completion,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": reply.usage.prompt + reply.usage.completion,
        }
    return body
