"""A provider that reads what comes, whatever its size, and answers after a second, or with as much as is asked for."""

import asyncio
import json
from collections.abc import Callable

SMALL = json.dumps(
    {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "vendor/flash",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
    }
).encode()
CHUNK = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "vendor/flash"}
WAIT_S = 1.0
LARGE = 8_000_000


def large() -> bytes:
    """Make an answer of 8 MB."""
    whole = json.loads(SMALL)
    whole["choices"][0]["message"]["content"] = "a" * (LARGE - len(SMALL))
    return json.dumps(whole).encode()


def events() -> bytes:
    """Make the events of a stream of 8 MB."""
    choice = {"index": 0, "delta": {"content": "a" * 200}, "finish_reason": None}
    one = b"data: " + json.dumps({**CHUNK, "choices": [choice]}).encode() + b"\n\n"
    return one * (LARGE // len(one)) + b"data: [DONE]\n\n"


class Provider:
    """Serves until its process ends. What it does says the number of tokens that is asked for: 1, 2 or 3."""

    def __init__(self) -> None:
        self._large, self._events = large(), events()

    async def serve(self, tell: Callable[[int], object]) -> None:
        """Serve for good, and tell at which port."""
        server = await asyncio.start_server(self._client, "127.0.0.1", 0, backlog=4096, limit=1 << 20)
        tell(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                ends = await self._body(reader, head)
                await self._answer(writer, ends)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _body(self, reader: asyncio.StreamReader, head: bytes) -> bytes:
        """Read a body and keep its last bytes."""
        _, _, rest = head.lower().partition(b"content-length: ")
        left, end = int(rest.split(b"\r\n", 1)[0]), b""
        while left:
            part = await reader.read(min(left, 1 << 20))
            if not part:
                raise ConnectionResetError
            left -= len(part)
            end = (end + part)[-64:]
        return end

    async def _answer(self, writer: asyncio.StreamWriter, end: bytes) -> None:
        kind, body = b"application/json", SMALL
        if b'"seed":2' in end or b'"seed": 2' in end:
            body = self._large
        elif b'"seed":3' in end or b'"seed": 3' in end:
            kind, body = b"text/event-stream", self._events
        elif b'"seed":4' in end or b'"seed": 4' in end:
            await asyncio.sleep(WAIT_S)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (kind, len(body)))
        for first in range(0, len(body), 65_536):
            writer.write(body[first : first + 65_536])
            await writer.drain()
