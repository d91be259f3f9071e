"""Floods on HTTP/2: many requests at once on one connection, each with a body that is sent as fast as it is taken."""

import asyncio
import contextlib
import time

import hpack

from benchmarks.floods.outcome import PATH, PAUSE_S, Outcome
from benchmarks.gateways.fairlead_gateway import CLIENT_KEY

DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
END_STREAM = ACK = 1
END_HEADERS = 4
INITIAL_WINDOW = b"\0\4"
MOST_WAITING = 1 << 20


async def again(
    port: int, outcome: Outcome, until: float, body: bytes, *, count: int, unknown: bool, window: int = 1 << 24
) -> None:
    """Flood on one connection, and on the next when it is ended. `unknown`: nobody says how long bodies are.

    `window`: what may be sent of each answer; who lets nothing come asks each of them once.
    """
    headers = [
        (":method", "POST"), (":scheme", "http"), (":path", PATH), (":authority", "x"),
        ("authorization", f"Bearer {CLIENT_KEY}"), ("content-type", "application/json"),
    ]  # fmt: skip
    if not unknown:
        headers.append(("content-length", str(len(body))))
    while time.monotonic() < until:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    await _Flood(reader, writer, outcome, headers, body, answer_window=window).run(count)
            finally:
                writer.transport.abort()
        await asyncio.sleep(PAUSE_S)


class _Flood:
    """A connection, on which the next request begins when one has ended."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        outcome: Outcome,
        headers: list[tuple[str, str]],
        body: bytes,
        *,
        answer_window: int,
    ) -> None:
        self._reader, self._writer, self._outcome = reader, writer, outcome
        self._headers, self._body = headers, memoryview(body)
        self._answer_window = answer_window
        self._encoder, self._decoder = hpack.Encoder(), hpack.Decoder()
        self._window = self._initial = 65_535
        self._windows: dict[int, int] = {}
        self._sent: dict[int, int] = {}
        self._next = 1
        self._more = asyncio.Event()
        self._takes = {
            DATA: self._data, HEADERS: self._head, RESET: self._reset, SETTINGS: self._settings, PING: self._ping,
            GOAWAY: self._goaway, WINDOW: self._widen,
        }  # fmt: skip

    async def run(self, count: int) -> None:
        settings = INITIAL_WINDOW + self._answer_window.to_bytes(4, "big")
        self._writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(SETTINGS, 0, 0, settings))
        for _ in range(count):
            self._begin()
        sending = asyncio.create_task(self._send())
        try:
            while True:
                prefix = await self._reader.readexactly(9)
                payload = await self._reader.readexactly(int.from_bytes(prefix[:3], "big"))
                take = self._takes.get(prefix[3])
                if take is not None:
                    take(prefix[4], int.from_bytes(prefix[5:], "big"), payload)
                self._more.set()
        finally:
            sending.cancel()
            self._outcome.ends["open"] += len(self._sent)

    def _begin(self) -> None:
        stream, self._next = self._next, self._next + 2
        self._write(HEADERS, END_HEADERS, stream, self._encoder.encode(self._headers))
        self._windows[stream], self._sent[stream] = self._initial, 0

    def _end(self, stream: int) -> None:
        if self._sent.pop(stream, None) is not None:
            self._windows.pop(stream)
            if self._answer_window:
                self._begin()

    async def _send(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._more.clear()
                while self._send_some():
                    await self._writer.drain()
                await self._more.wait()

    def _send_some(self) -> bool:
        """Send a frame of each request that may; tell whether one did."""
        any_sent = False
        for stream, sent in list(self._sent.items()):
            if self._writer.transport.get_write_buffer_size() > MOST_WAITING:
                return True
            room = min(16_384, len(self._body) - sent, self._windows[stream], self._window)
            if room > 0:
                last = sent + room == len(self._body)
                self._write(DATA, END_STREAM if last else 0, stream, bytes(self._body[sent : sent + room]))
                self._sent[stream] += room
                self._windows[stream] -= room
                self._window -= room
                any_sent = True
        return any_sent

    def _write(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        self._writer.write(_frame(kind, flags, stream, payload))

    def _data(self, flags: int, stream: int, payload: bytes) -> None:
        if payload:
            self._write(WINDOW, 0, 0, len(payload).to_bytes(4, "big"))
        if flags & END_STREAM:
            self._end(stream)

    def _head(self, flags: int, stream: int, payload: bytes) -> None:
        said = {str(name): str(value) for name, value in self._decoder.decode(payload)}
        if ":status" in said:
            self._outcome.note(said[":status"], retry_after="retry-after" in said)
        if flags & END_STREAM:
            self._end(stream)

    def _reset(self, _flags: int, stream: int, _payload: bytes) -> None:
        if stream in self._sent:
            self._outcome.ends["reset"] += 1
        self._end(stream)

    def _settings(self, flags: int, _stream: int, payload: bytes) -> None:
        if flags & ACK:
            return
        for at in range(0, len(payload), 6):
            if payload[at : at + 2] == INITIAL_WINDOW:
                size = int.from_bytes(payload[at + 2 : at + 6], "big")
                self._windows = {one: room + size - self._initial for one, room in self._windows.items()}
                self._initial = size
        self._write(SETTINGS, ACK, 0, b"")

    def _ping(self, flags: int, _stream: int, payload: bytes) -> None:
        if not flags & ACK:
            self._write(PING, ACK, 0, payload)

    def _goaway(self, _flags: int, _stream: int, _payload: bytes) -> None:
        raise ConnectionResetError

    def _widen(self, _flags: int, stream: int, payload: bytes) -> None:
        more = int.from_bytes(payload, "big")
        if stream == 0:
            self._window += more
        elif stream in self._windows:
            self._windows[stream] += more


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload
