"""Streams of both APIs that are cut at a byte: in two pieces, or for good, where the connection breaks."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from app_gateway import for_app
from running import Gateway
from scripted import Script, ScriptedProvider

from builders import endpoint, model, provider, route, target

TEXT = ("Ok", ' "é"', "\u2028\\n", " 😀")
GIVEN = '{"city": "San é\\n"}'
USES = ((1, "a", "look"), (2, "b", "find"))


def _chat() -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": text} for text in TEXT)]
    for index, id_, name in USES:
        call = {"index": index - 1, "id": id_, "type": "function", "function": {"name": name, "arguments": ""}}
        rest = [{"index": index - 1, "function": {"arguments": part}} for part in (GIVEN[:5], GIVEN[5:])]
        deltas += [{"tool_calls": [one]} for one in (call, *rest)]
    said = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    said.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    said.append({**head, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}})
    texts = [json.dumps(one, ensure_ascii=False) for one in said]
    return "".join(f"data: {text}\n\n" for text in [*texts, "[DONE]"]).encode()


def _messages() -> bytes:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None}
    usage = {"input_tokens": 3, "output_tokens": 1}
    said: list[dict[str, Any]] = [{"type": "message_start", "message": {**message, "usage": usage}}]

    def block(index: int, start: dict[str, Any], deltas: list[dict[str, Any]]) -> None:
        said.append({"type": "content_block_start", "index": index, "content_block": start})
        said.extend({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
        said.append({"type": "content_block_stop", "index": index})

    block(0, {"type": "text", "text": ""}, [{"type": "text_delta", "text": text} for text in TEXT])
    for index, id_, name in USES:
        parts = [{"type": "input_json_delta", "partial_json": part} for part in (GIVEN[:5], GIVEN[5:])]
        block(index, {"type": "tool_use", "id": id_, "name": name, "input": {}}, parts)
    said.append({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}})
    said.append({"type": "message_stop"})
    return "".join(f"event: {one['type']}\ndata: {json.dumps(one, ensure_ascii=False)}\n\n" for one in said).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A client's API, and the provider's stream in the other one's words."""

    api: str
    stream: bytes
    spec: dict[str, str]


PAIRS = (
    Pair(api="messages", stream=_chat(), spec={"messages": "Translate"}),
    Pair(api="chat", stream=_messages(), spec={"protocol": "Anthropic", "chatCompletions": "Translate"}),
)


class CutProvider(ScriptedProvider):
    """Answers each request by the next of `scripts`; the gateway reads its first piece before the next one is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: Iterator[Script] = iter(())
        self.came: Callable[[], int] = int
        """How many bytes the gateway has of providers."""

    def _answer(self, write: Callable[[bytes], object]) -> None:
        self.script = next(self.scripts)
        before, first = self.came(), sum(map(len, self.script.wire()[:2]))

        def read(sent: int) -> None:
            while not self.script.cut and sent <= first and self.came() < before + sent:
                pass  # each look is a request to the gateway

        self.read = read
        super()._answer(write)


def breaks(pair: Pair, step: int, start: int = 0) -> list[Script]:
    """Break the connection before every so many bytes."""
    return [Script(pieces=[pair.stream[:at]], cut=True) for at in range(start, len(pair.stream), step)]


def pieces(pair: Pair, step: int, start: int = 1) -> list[Script]:
    """Send the stream in two pieces."""
    return [Script(pieces=[pair.stream[:at], pair.stream[at:]]) for at in range(start, len(pair.stream), step)]


@contextmanager
def cut_gateway() -> Iterator[tuple[Gateway, dict[str, CutProvider]]]:
    """Run a gateway with a route for each pair, by the client's API."""
    with ExitStack() as stack:
        providers = {pair.api: stack.enter_context(CutProvider()) for pair in PAIRS}
        resources: list[dict[str, Any]] = []
        for pair in PAIRS:
            address = f"http://127.0.0.1:{providers[pair.api].port}/v1"
            api = endpoint("api", "us", baseURL=address, credential={"secretName": "p", "key": "key"})
            never = {"consecutiveFailures": 100}
            resources.append(
                provider(pair.api, endpoints=[api], models=[model("m")], circuitBreaker=never, **pair.spec)
            )
            resources.append(route(pair.api, target(pair.api, "m"), maxAttempts=1))
        running = stack.enter_context(for_app(*resources))
        for one in providers.values():
            one.came = lambda: sum(running.envoy.counters("^cluster.*upstream_cx_rx_bytes_total$").values())
        yield running, providers
