"""Says requests and answers in the other API's words by LiteLLM: `differ.py FILE FILE`, what comes in and goes out."""

import json
import sys
from pathlib import Path
from typing import Any

import httpx
import litellm
from litellm.llms.anthropic.chat.transformation import AnthropicConfig
from litellm.llms.anthropic.messages.adapters.transformation import LiteLLMAnthropicMessagesAdapter
from litellm.utils import get_optional_params

CLAUDE, GPT = "claude-sonnet-4-5", "gpt-4o"
ADAPTER = LiteLLMAnthropicMessagesAdapter()


def chat_request(body: Any) -> Any:
    messages = AnthropicConfig().translate_developer_role_to_system_role(
        body.pop("messages"), model=CLAUDE, custom_llm_provider="anthropic", api_base=None, model_info=None
    )
    body.pop("model")
    asked = {name: value for name, value in body.items() if value is not None}
    optional = get_optional_params(
        model=CLAUDE, custom_llm_provider="anthropic", messages=messages, drop_params=True, **asked
    )
    return AnthropicConfig().transform_request(CLAUDE, messages, optional, {}, {})


def messages_request(body: Any) -> Any:
    said, _ = ADAPTER.translate_anthropic_to_openai(body, custom_llm_provider="openai")
    return json.loads(json.dumps(dict(said), default=lambda one: one.model_dump()))


def chat_answer(answer: Any) -> Any:
    """An answer of Messages for a client of chat/completions."""
    raw = httpx.Response(200, json=answer)
    made = AnthropicConfig().transform_parsed_response(answer, raw, litellm.ModelResponse())
    return made.model_dump()


def messages_answer(answer: Any) -> Any:
    return dict(ADAPTER.translate_openai_response_to_anthropic(litellm.ModelResponse(**answer)))


DOES = {
    ("chat", "request"): chat_request,
    ("messages", "request"): messages_request,
    ("chat", "answer"): chat_answer,
    ("messages", "answer"): messages_answer,
}
found = []
for api, kind, body in json.loads(Path(sys.argv[1]).read_text()):
    try:
        found.append(DOES[api, kind](body))
    except Exception as error:  # noqa: BLE001  it has as many kinds as providers
        found.append({"refused": str(error).partition("\n")[0][:200]})
Path(sys.argv[2]).write_text(
    json.dumps(found, default=lambda one: one.model_dump() if hasattr(one, "model_dump") else str(one))
)
