"""An agent of the official package, run with what `make clients` installs: `agent.py BASE_URL MODEL KEY`.

It says what it saw in one line of JSON.
"""

import json
import sys
from typing import Any

from openai import BadRequestError, OpenAI

client = OpenAI(base_url=sys.argv[1], api_key=sys.argv[3], max_retries=0)
MODEL = sys.argv[2]
PICTURE = "data:image/png;base64,aGk="
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "Looks",
            "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
        },
    }
    for name in ("look", "find")
]


def turns(*, stream: bool) -> list[Any]:
    """Ask, answer every call, and ask again, until the model says something."""
    messages: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Where?"}, {"type": "image_url", "image_url": {"url": PICTURE}}],
        },
    ]
    seen: list[Any] = []
    for _ in range(3):
        asked: Any = {"model": MODEL, "messages": messages, "tools": TOOLS, "parallel_tool_calls": True}
        if stream:
            with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as events:
                answer: Any = events.get_final_completion()
        else:
            answer = client.chat.completions.create(**asked)
        (choice,) = answer.choices
        called = choice.message.tool_calls or []
        seen.append(
            {
                "finish": choice.finish_reason,
                "text": choice.message.content,
                "calls": [[one.function.name, json.loads(one.function.arguments)] for one in called],
                "tokens": answer.usage.total_tokens - answer.usage.prompt_tokens - answer.usage.completion_tokens,
                "model": answer.model,
            }
        )
        if not called:
            break
        messages.append(choice.message.model_dump())
        messages += [{"role": "tool", "tool_call_id": one.id, "content": "fine"} for one in called]
    return seen


def refusal(**members: Any) -> list[Any]:
    """Return what the package raises for a request."""
    try:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}], **members)
    except BadRequestError as error:
        body: Any = error.body
        return [type(error).__name__, error.status_code, body["code"], body["message"]]
    return []


print(
    json.dumps(
        {
            "whole": turns(stream=False),
            "stream": turns(stream=True),
            "refused": refusal(seed=7),
        }
    )
)
