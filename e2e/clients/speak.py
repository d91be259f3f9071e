"""Has conversations by the official packages for Python: `speak.py FILE`, with what `make clients` installs.

The file is what `conversations.plan` makes; of each run it says what came of each turn, in lines of JSON.
"""

import inspect
import json
import sys
from pathlib import Path
from typing import Any

import anthropic
import openai

PLAN = json.loads(Path(sys.argv[1]).read_text())
heard: list[Any] = []
HOOKS: Any = {"event_hooks": {"response": [heard.append]}, "timeout": 60}
OPENAIS, ANTHROPICS = openai.DefaultHttpxClient(**HOOKS), anthropic.DefaultHttpxClient(**HOOKS)
CLIENTS: dict[tuple[str, str], Any] = {}


def client(api: str, key: str) -> Any:
    if (api, key) not in CLIENTS:
        if api == "chat":
            made: Any = openai.OpenAI(base_url=PLAN["base"] + "/v1", api_key=key, max_retries=0, http_client=OPENAIS)
        else:
            made = anthropic.Anthropic(base_url=PLAN["base"], api_key=key, max_retries=0, http_client=ANTHROPICS)
        CLIENTS[api, key] = made
    return CLIENTS[api, key]


def members(call: Any, asked: Any) -> Any:
    """Give what the package has no name for as what its documentation has for that."""
    known = inspect.signature(call).parameters
    others = {name: value for name, value in asked.items() if name not in known}
    return {name: value for name, value in asked.items() if name in known} | ({"extra_body": others} if others else {})


def chat(key: str, asked: Any, *, stream: bool) -> tuple[Any, Any]:
    completions = client("chat", key).chat.completions
    if stream:
        options = {"stream_options": {"include_usage": True}}
        with completions.stream(**members(completions.stream, asked | options)) as events:
            for _ in events:
                pass
            answer = events.current_completion_snapshot  # the final one raises where a limit ended it
    else:
        answer = completions.create(**members(completions.create, asked))
    choice = answer.choices[0]
    called = choice.message.tool_calls or []
    return choice.message, {
        "finish": choice.finish_reason,
        "text": choice.message.content or "",
        "calls": [[one.id, one.function.name, json.loads(one.function.arguments)] for one in called],
        "choices": len(answer.choices),
        "tokens": [answer.usage.prompt_tokens, answer.usage.completion_tokens],
    }


def messages(key: str, asked: Any, *, stream: bool) -> tuple[Any, Any]:
    made = client("messages", key).messages
    if stream:
        with made.stream(**members(made.stream, asked)) as events:
            for _ in events:
                pass
            answer = events.get_final_message()
    else:
        answer = made.create(**members(made.create, asked))
    blocks = answer.content
    usage = answer.usage
    said = {
        "finish": answer.stop_reason,
        "stopped_by": answer.stop_sequence,
        "text": "".join(one.text for one in blocks if one.type == "text"),
        "calls": [[one.id, one.name, one.input] for one in blocks if one.type == "tool_use"],
        "thinks": any(one.type == "thinking" and one.thinking and one.signature for one in blocks),
        "tokens": [usage.input_tokens + (usage.cache_read_input_tokens or 0), usage.output_tokens],
    }
    return {"role": "assistant", "content": blocks}, said


def turn(run: Any, one: Any, history: list[Any]) -> Any:
    heard.clear()
    asked = {"model": one["model"], "messages": history, **run["ask"], **one["ask"]}
    try:
        if one["counts"]:
            counted = client("messages", one["key"]).messages.count_tokens(model=one["model"], messages=history)
            return {"counted": counted.input_tokens}
        message, said = (chat if run["api"] == "chat" else messages)(one["key"], asked, stream=run["stream"])
    except (openai.APIError, anthropic.APIError) as error:
        body: Any = getattr(error, "body", None)
        kinds = [kind.__name__ for kind in type(error).__mro__]
        status = getattr(error, "status_code", None)
        return {"error": status, "kinds": kinds, "body": body, "message": str(error)}
    history.append(message)
    return said


def answered(run: Any, one: Any, calls: list[Any]) -> list[Any]:
    """Say what the user says in a turn."""
    if "say" in one:
        return [{"role": "user", "content": one["say"]}] if isinstance(one["say"], str) else one["say"]
    results = list(zip(calls, one["results"], strict=True))
    then = [one["then"]] if one.get("then") else []
    if run["api"] == "chat":
        said = [{"role": "tool", "tool_call_id": call[0], "content": content} for call, content in results]
        return said + [{"role": "user", "content": text} for text in then]
    told = [content if isinstance(content, dict) else {"content": content} for _, content in results]
    blocks = [
        {"type": "tool_result", "tool_use_id": call[0], **fields}
        for (call, _), fields in zip(results, told, strict=True)
    ]
    return [{"role": "user", "content": blocks + [{"type": "text", "text": text} for text in then]}]


for run in PLAN["runs"]:
    history: list[Any] = []
    calls: list[Any] = []
    for one in run["turns"]:
        if len(one.get("results", calls)) != len(calls):
            break  # the turn before went wrong
        history += answered(run, one, calls)
        said = turn(run, one, history)
        if "error" in said or "counted" in said:
            history.pop()
        calls = said.get("calls") or []
        headers = heard[-1].headers if heard else {}
        said["left_out"] = headers.get("x-fairlead-left-out", "")
        said["target"] = headers.get("x-fairlead-target", "")
        print(json.dumps({"run": run["name"], **said}))
