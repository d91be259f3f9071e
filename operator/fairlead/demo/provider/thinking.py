"""What Anthropic's API takes of a request that lets the model think.

https://platform.claude.com/docs/en/build-with-claude/extended-thinking, and /adaptive-thinking and /effort beside it.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.demo.provider import blocks
from fairlead.demo.provider.check import Malformed, integer, one_of, string

EFFORTS = ("low", "medium", "high", "xhigh", "max")
LEAST_BUDGET = 1024
LEAST_TOP_P = 0.95

_display = one_of("summarized", "omitted")
mode = blocks.by_type(
    {
        "enabled": blocks.exactly(
            {"type": string, "budget_tokens": integer(LEAST_BUDGET), "display": _display}, "budget_tokens"
        ),
        "adaptive": blocks.exactly({"type": string, "display": _display}),
        "disabled": blocks.exactly({"type": string}),
    }
)


def check(body: Mapping[str, Any]) -> None:
    """Refuse what cannot stand beside thinking, and a budget without room for an answer, or thoughts to go on from."""
    thinks = body.get("thinking") or {"type": "disabled"}
    if thinks["type"] == "disabled":
        return
    _check_sampling(body)
    if (body.get("tool_choice") or {"type": "auto"})["type"] in {"any", "tool"}:
        raise Malformed("Thinking may not be enabled when tool_choice forces tool use.", "tool_choice")
    for one in (block for message in body["messages"] for block in _blocks(message)):
        if one["type"] == "thinking" and one["signature"] != signature(one["thinking"]):
            raise Malformed("Invalid `signature` in `thinking` block", "messages")
    if thinks["type"] != "enabled":
        return
    if thinks["budget_tokens"] >= body["max_tokens"]:
        raise Malformed("`max_tokens` must be greater than `thinking.budget_tokens`.", "max_tokens")
    if _is_thoughtless(body["messages"]):
        raise Malformed(
            "messages: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a"
            " final `assistant` message must start with a thinking block.",
            "messages",
        )


def signature(thought: str) -> str:
    """Sign a thought, so that one which comes back is known to be as it was."""
    return base64.b64encode(hashlib.sha256(thought.encode(errors="surrogatepass")).digest()).decode()


def _check_sampling(body: Mapping[str, Any]) -> None:
    if body.get("temperature") not in {None, 1}:
        raise Malformed("`temperature` may only be set to 1 when thinking is enabled.", "temperature")
    if body.get("top_k") is not None:
        raise Malformed("`top_k` must be unset when thinking is enabled.", "top_k")
    if body.get("top_p") is not None and body["top_p"] < LEAST_TOP_P:
        raise Malformed("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.", "top_p")


def _is_thoughtless(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a tool answers a call that the model made without a thought."""
    if not any(one["type"] == "tool_result" for one in _blocks(messages[-1])):
        return False
    called = next((one for one in reversed(messages) if one["role"] == "assistant"), None)
    first = next(iter(_blocks(called)), None) if called else None
    return first is not None and first["type"] not in {"thinking", "redacted_thinking"}


def _blocks(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [] if isinstance(message["content"], str) else message["content"]
