"""`POST /chat/completions` and the older `POST /completions`, in OpenAI's shape."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fairlead.demo.provider import check
from fairlead.demo.provider.reply import CREATED, Finish, Question, Reply, Tool, Usage, tokens_of
from fairlead.demo.provider.sse import data

FUNCTION_NAME = "[a-zA-Z0-9_-]{1,64}"
IMAGE_TOKENS = 85
"""What an image counts, whatever its size: the real API's figure at low detail."""

_part = check.shape(
    {
        "type": check.one_of("text", "image_url", "input_audio", "file", "refusal"),
        "text": check.string,
        "image_url": check.shape({"url": check.name, "detail": check.one_of("auto", "low", "high")}, "url"),
    },
    "type",
)
_content = check.either("a string or an array", {str: check.string, list: check.sequence(_part, least=1)})
_tool_call = check.shape(
    {
        "id": check.name,
        "type": check.one_of("function", "custom"),
        "function": check.shape({"name": check.name, "arguments": check.string}, "name", "arguments"),
    },
    "id",
    "type",
)
_message = check.shape(
    {
        "role": check.one_of("system", "developer", "user", "assistant", "tool", "function"),
        "content": _content,
        "name": check.string,
        "tool_calls": check.sequence(_tool_call, least=1),
        "tool_call_id": check.name,
    },
    "role",
)
_tool = check.shape(
    {
        "type": check.one_of("function"),
        "function": check.shape(
            {
                "name": check.matching(FUNCTION_NAME),
                "description": check.string,
                "parameters": check.mapping,
                "strict": check.boolean,
            },
            "name",
        ),
    },
    "type",
    "function",
)
_tool_choice = check.either(
    "a string or an object",
    {
        str: check.one_of("none", "auto", "required"),
        dict: check.shape({"type": check.string, "function": check.shape({"name": check.name}, "name")}, "type"),
    },
)
_format = check.shape(
    {
        "type": check.one_of("text", "json_object", "json_schema"),
        "json_schema": check.shape({"name": check.matching(FUNCTION_NAME), "schema": check.mapping}, "name"),
    },
    "type",
)
_stop = check.either("a string or an array", {str: check.string, list: check.sequence(check.string, most=4)})

_NO_PARAMETERS: Mapping[str, Any] = {"type": "object"}
COMMON: Mapping[str, check.Check] = {
    "model": check.name,
    "stream": check.boolean,
    "stream_options": check.shape({"include_usage": check.boolean}),
    "max_tokens": check.integer(1),
    "n": check.integer(1, 128),
    "temperature": check.number(0, 2),
    "top_p": check.number(0, 1),
    "presence_penalty": check.number(-2, 2),
    "frequency_penalty": check.number(-2, 2),
    "stop": _stop,
    "seed": check.integer(-(2**63), 2**63 - 1),
    "user": check.string,
    "logit_bias": check.mapping,
    "metadata": check.texts,
}
CHAT: Mapping[str, check.Check] = {
    **COMMON,
    "messages": check.sequence(_message, least=1),
    "max_completion_tokens": check.integer(1),
    "logprobs": check.boolean,
    "top_logprobs": check.integer(0, 20),
    "tools": check.sequence(_tool, least=1, most=128),
    "tool_choice": _tool_choice,
    "parallel_tool_calls": check.boolean,
    "response_format": _format,
    "reasoning_effort": check.one_of("none", "minimal", "low", "medium", "high", "xhigh"),
}
COMPLETION: Mapping[str, check.Check] = {
    **COMMON,
    "prompt": check.either("a string or an array", {str: check.string, list: check.sequence(check.string, least=1)}),
    "echo": check.boolean,
    "logprobs": check.integer(0, 5),
}


def read_chat(body: Mapping[str, Any]) -> Question:
    """Check the body of a chat request and take from it what the answer depends on."""
    check.fields(body, CHAT, required=("model", "messages"))
    for index, message in enumerate(body["messages"]):
        _check_message(message, f"messages[{index}]")
    _check_calls(body["messages"])
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        raise check.Malformed("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
    if body.get("tool_choice") not in (None, "none") and not body.get("tools"):
        raise check.Malformed("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    first, *others = _called(body) or (None,)
    return Question(
        model=body["model"],
        stream=body.get("stream") or False,
        include_usage=_include_usage(body),
        prompt_tokens=sum(_prompt_tokens(message) for message in body["messages"]),
        limit=body.get("max_completion_tokens") or body.get("max_tokens"),
        wanted=wanted(body),
        choices=body.get("n") or 1,
        tool=first,
        also=tuple(one for one in others if one is not None),
        stops=_stops(body),
        schema=_schema(body.get("response_format")),
    )


def read_completion(body: Mapping[str, Any]) -> Question:
    """Check the body of a completions request."""
    check.fields(body, COMPLETION, required=("model", "prompt"))
    prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
    return Question(
        model=body["model"],
        stream=body.get("stream") or False,
        include_usage=_include_usage(body),
        prompt_tokens=sum(tokens_of(prompt) for prompt in prompts),
        limit=body.get("max_tokens"),
        wanted=wanted(body),
        stops=_stops(body),
        choices=(body.get("n") or 1) * len(prompts),
    )


def _check_calls(messages: Sequence[Mapping[str, Any]]) -> None:
    """Refuse calls that are not answered at once, and answers to none."""
    waiting: list[str] = []
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                text = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                raise check.Malformed(f"Invalid parameter: {text}", f"messages.[{index}].role")
            waiting.remove(message["tool_call_id"])
            continue
        _check_answered(waiting)
        waiting = [one["id"] for one in message.get("tool_calls") or ()]
    _check_answered(waiting)


def _check_answered(waiting: Sequence[str]) -> None:
    if waiting:
        text = "An assistant message with 'tool_calls' must be followed by tool messages responding to each"
        raise check.Malformed(
            f"{text} 'tool_call_id'. The following did not have response messages: {', '.join(waiting)}", "messages"
        )


def _check_message(message: Mapping[str, Any], path: str) -> None:
    role, content = message["role"], message.get("content")
    if content is None and not (role == "assistant" and (message.get("tool_calls") or message.get("function_call"))):
        raise check.wrong(f"{path}.content", "a string or an array", None)
    if role == "tool" and message.get("tool_call_id") is None:
        raise check.Malformed(f"Missing required parameter: '{path}.tool_call_id'.", f"{path}.tool_call_id")
    parts = content if isinstance(content, list) else []
    for at, part in enumerate(parts):
        if part["type"] in ("text", "image_url") and part.get(part["type"]) is None:
            where = f"{path}.content[{at}].{part['type']}"
            raise check.Malformed(f"Missing required parameter: '{where}'.", where)


def _include_usage(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options")
    if options is None:
        return False
    if not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise check.Malformed(message, "stream_options")
    return bool(options.get("include_usage"))


def wanted(body: Mapping[str, Any]) -> int | None:
    """Read `metadata.completion_tokens`, which is how the replay asks for an answer of a given size."""
    number = (body.get("metadata") or {}).get("completion_tokens")
    return int(number) if number is not None and number.isdecimal() else None


def _prompt_tokens(message: Mapping[str, Any]) -> int:
    content = message.get("content")
    if isinstance(content, list):
        return sum(tokens_of(part["text"]) if "text" in part else IMAGE_TOKENS for part in content)
    return tokens_of(content or "")


def _stops(body: Mapping[str, Any]) -> tuple[str, ...]:
    stop = body.get("stop") or ()
    return (stop,) if isinstance(stop, str) else tuple(stop)


def _called(body: Mapping[str, Any]) -> tuple[Tool, ...]:
    """Return the tools to call: the one that is named, one alone where that is asked for, else all at once."""
    tools, choice = body.get("tools"), body.get("tool_choice")
    if not tools or choice == "none" or _is_answered(body["messages"]):
        return ()
    functions = {tool["function"]["name"]: tool["function"].get("parameters") or _NO_PARAMETERS for tool in tools}
    name = choice["function"]["name"] if isinstance(choice, dict) and "function" in choice else None
    if name is not None and name not in functions:
        raise check.Malformed(f"Tool choice '{name}' is not among 'tools'.", "tool_choice")
    named = [Tool(name=one, parameters=given) for one, given in functions.items() if name in {None, one}]
    return tuple(named if body.get("parallel_tool_calls", True) is not False else named[:1])


def _is_answered(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether the last calls have results, also where the user says something behind them."""
    roles = [message["role"] for message in messages]
    return "tool" in roles[len(roles) - roles[::-1].index("assistant") :] if "assistant" in roles else False


def _schema(response_format: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if response_format is None or response_format["type"] == "text":
        return None
    return (response_format.get("json_schema") or {}).get("schema") or {}


def whole_chat(reply: Reply) -> dict[str, Any]:
    """Shape the answer to a chat request that does not stream."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text, "refusal": None}
    if reply.tool is not None:
        message |= {"content": None, "tool_calls": [_tool_call_of(reply, reply.text), *_others(reply)]}
    choices = [
        {"index": index, "message": message, "logprobs": None, "finish_reason": reply.finish}
        for index in range(reply.choices)
    ]
    return {**_envelope(reply, "chatcmpl-", "chat.completion"), "choices": choices, **_usage(reply.usage)}


def stream_chat(reply: Reply, question: Question, *, tokens_per_chunk: int) -> Iterator[bytes]:
    """Shape the chunks of a streamed chat answer, one per token unless told otherwise."""
    head = _envelope(reply, "chatcmpl-", "chat.completion.chunk")
    if question.include_usage:
        head["usage"] = None

    def chunk(delta: Mapping[str, Any], finish: Finish | None = None) -> bytes:
        choices = [
            {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
            for index in range(reply.choices)
        ]
        return data({**head, "choices": choices})

    yield chunk({"role": "assistant", "content": "" if reply.tool is None else None, "refusal": None})
    if reply.tool is not None:
        yield chunk({"tool_calls": [{"index": 0, **_tool_call_of(reply, "")}]})
    for text in grouped(reply.pieces, tokens_per_chunk):
        if reply.tool is None:
            yield chunk({"content": text})
        else:
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": text}}]})
    for index, call in enumerate(_others(reply), 1):
        yield chunk({"tool_calls": [{"index": index, **call}]})
    yield chunk({}, reply.finish)
    yield from _end(head, reply, question)


def whole_completion(reply: Reply) -> dict[str, Any]:
    """Shape the answer to a completions request."""
    choices = [
        {"text": reply.text, "index": index, "logprobs": None, "finish_reason": reply.finish}
        for index in range(reply.choices)
    ]
    return {**_envelope(reply, "cmpl-", "text_completion"), "choices": choices, **_usage(reply.usage)}


def stream_completion(reply: Reply, question: Question, *, tokens_per_chunk: int) -> Iterator[bytes]:
    """Shape the chunks of a streamed completion."""
    head = _envelope(reply, "cmpl-", "text_completion")

    def chunk(text: str, finish: Finish | None = None) -> bytes:
        choices = [
            {"text": text, "index": index, "logprobs": None, "finish_reason": finish} for index in range(reply.choices)
        ]
        return data({**head, "choices": choices})

    for text in grouped(reply.pieces, tokens_per_chunk):
        yield chunk(text)
    yield chunk("", reply.finish)
    yield from _end(head, reply, question)


def _end(head: Mapping[str, Any], reply: Reply, question: Question) -> Iterator[bytes]:
    if question.include_usage and reply.usage is not None:
        yield data({**head, "choices": [], **_usage(reply.usage)})
    yield b"data: [DONE]\n\n"


def grouped(pieces: tuple[str, ...], size: int) -> Iterator[str]:
    """Join every `size` tokens into one text."""
    return ("".join(pieces[at : at + size]) for at in range(0, len(pieces), size))


def _envelope(reply: Reply, prefix: str, kind: str) -> dict[str, Any]:
    head: dict[str, Any] = {"id": prefix + reply.id, "object": kind, "created": CREATED, "model": reply.model}
    return {**head, "service_tier": "default", "system_fingerprint": "fp_simulated"}


def _tool_call_of(reply: Reply, arguments: str) -> dict[str, Any]:
    called = reply.tool.name if reply.tool is not None else ""
    return {"id": f"call_{reply.id}", "type": "function", "function": {"name": called, "arguments": arguments}}


def _others(reply: Reply) -> list[dict[str, Any]]:
    return [
        {"id": f"call_{reply.id}_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for number, (name, arguments) in enumerate(reply.also.items())
    ]


def _usage(usage: Usage | None) -> dict[str, Any]:
    if usage is None:
        return {}
    return {
        "usage": {
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "total_tokens": usage.prompt + usage.completion,
            "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }
    }
