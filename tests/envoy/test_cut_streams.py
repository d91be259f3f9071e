"""Streams cut at bytes of all kinds, in another API's words, as the official packages read them."""

from collections.abc import Iterator
from typing import Any

import pytest
from anthropic import Anthropic
from app_gateway import KEY
from cutting import GIVEN, PAIRS, TEXT, USES, CutProvider, Pair, breaks, cut_gateway, pieces
from openai import OpenAI
from running import Gateway

pytestmark = pytest.mark.envoy

QUESTION: Any = [{"role": "user", "content": "Where?"}]
CALLS = [(id_, name, GIVEN) for _, id_, name in USES]
PIECES, BREAKS = 43, 151
"""How far apart cuts are. Every byte is cut by the tests of the translators. A break takes a gateway 100 ms."""
LOST = "peer closed connection|Connection error|Server disconnected"


@pytest.fixture(scope="module")
def everybody() -> Iterator[tuple[Gateway, dict[str, CutProvider]]]:
    with cut_gateway() as made:
        yield made


class Reader:
    """A client of one API, over connections that it keeps."""

    def __init__(self, pair: Pair, running: Gateway) -> None:
        self.pair = pair
        address = f"http://127.0.0.1:{running.port}"
        self.client: Any = (
            OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0)
            if pair.api == "chat"
            else Anthropic(base_url=address, api_key=KEY, max_retries=0)
        )

    def read(self) -> tuple[str, list[tuple[str, str, str]], str | None]:
        """Read a stream event by event: the text, the calls, why it ended."""
        return self._chat() if self.pair.api == "chat" else self._messages()

    def _chat(self) -> tuple[str, list[tuple[str, str, str]], str | None]:
        text, calls, reason = "", {}, None
        for chunk in self.client.chat.completions.create(model="chat", messages=QUESTION, stream=True):
            (choice,) = chunk.choices
            text += choice.delta.content or ""
            for one in choice.delta.tool_calls or ():
                id_, name, given = calls.get(one.index, (one.id, one.function.name, ""))
                calls[one.index] = (id_, name, given + one.function.arguments)
            reason = choice.finish_reason or reason
        return text, list(calls.values()), reason

    def _messages(self) -> tuple[str, list[tuple[str, str, str]], str | None]:
        text, calls, given, reason = "", [], "", None
        for event in self.client.messages.create(model="messages", max_tokens=99, messages=QUESTION, stream=True):
            if event.type == "content_block_start":
                block, given = event.content_block, ""
            elif event.type == "content_block_delta":
                text += getattr(event.delta, "text", "")
                given += getattr(event.delta, "partial_json", "")
            elif event.type == "content_block_stop" and block.type == "tool_use":
                calls.append((block.id, block.name, given))
            elif event.type == "message_delta":
                reason = event.delta.stop_reason
        return text, calls, reason


@pytest.fixture(params=PAIRS, ids=lambda pair: pair.api)
def reader(request: pytest.FixtureRequest, everybody: tuple[Gateway, dict[str, CutProvider]]) -> Iterator[Reader]:
    made = Reader(request.param, everybody[0])
    with made.client:
        yield made


WHOLE = ("".join(TEXT), CALLS)
REASONS = {"chat": "tool_calls", "messages": "tool_use"}


def test_a_stream_that_comes_in_two_pieces_is_whole(
    reader: Reader, everybody: tuple[Gateway, dict[str, CutProvider]]
) -> None:
    provider, pair = everybody[1][reader.pair.api], reader.pair
    scripts = pieces(pair, PIECES)
    provider.scripts = iter(scripts)
    for _ in scripts:
        assert reader.read() == (*WHOLE, REASONS[pair.api])


def test_a_stream_that_breaks_has_no_end(reader: Reader, everybody: tuple[Gateway, dict[str, CutProvider]]) -> None:
    provider, pair = everybody[1][reader.pair.api], reader.pair
    scripts = breaks(pair, BREAKS)
    provider.scripts = iter(scripts)
    for script in scripts:
        with pytest.raises(Exception, match=LOST):
            pytest.fail(f"after {len(script.pieces[0])} bytes it ended well: {reader.read()}")
