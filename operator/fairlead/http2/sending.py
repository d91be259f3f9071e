"""How much of an answer a client lets through: the windows of flow control on the way out (RFC 9113, section 5.2)."""

from fairlead.http2.errors import Code, ConnectionBrokenError
from fairlead.http2.frames import (
    DATA,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    LARGEST,
    LARGEST_WINDOW,
    frame,
)


class Sending:
    """Answers on their way out; what a window does not let through waits, in the order in which it came."""

    def __init__(self) -> None:
        self._window = DEFAULT_WINDOW
        self._first = DEFAULT_WINDOW
        self._windows: dict[int, int] = {}
        """Of streams that differ from `_first`."""
        self._waiting: dict[int, tuple[bytes, bytes]] = {}
        """Stream -> what is left of its body, and its trailers."""

    def answer(self, stream: int, head: bytes, body: bytes, trailers: bytes) -> bytes:
        """Return what can go out now of an answer; `head` and `trailers` are blocks of headers."""
        begun = frame(HEADERS, END_HEADERS, stream, head)
        size = len(body)
        if size > LARGEST or self._waiting or size > self._window or size > self._windows.get(stream, self._first):
            self._waiting[stream] = (body, trailers)
            return begun + self._let_through()
        self._window -= size
        self._windows.pop(stream, None)
        content = frame(DATA, 0, stream, body) if body else b""
        return begun + content + frame(HEADERS, END_HEADERS | END_STREAM, stream, trailers)

    def widen(self, stream: int, increment: int) -> bytes:
        """Take a WINDOW_UPDATE: of a stream that is known, or (0) of all. Returns what can go out now."""
        if stream:
            self._windows[stream] = _sum(self._windows.get(stream, self._first), increment)
        else:
            self._window = _sum(self._window, increment)
        return self._let_through() if self._waiting else b""

    def begin_with(self, window: int) -> bytes:
        """Take another window for every stream, those that are open included. Returns what can go out now."""
        change, self._first = window - self._first, window
        self._windows = {stream: _sum(left, change) for stream, left in self._windows.items()}
        return self._let_through() if self._waiting else b""

    def forget(self, stream: int) -> None:
        """Drop what waits of a stream that the client has ended."""
        self._waiting.pop(stream, None)
        self._windows.pop(stream, None)

    def is_waiting(self, stream: int) -> bool:
        """Tell whether a part of an answer is still to go out."""
        return stream in self._waiting

    def _let_through(self) -> bytes:
        sent = []
        for stream in list(self._waiting):
            body, trailers = self._waiting[stream]
            window = self._windows.get(stream, self._first)
            while body and min(self._window, window) > 0:
                part = body[: min(LARGEST, self._window, window)]
                sent.append(frame(DATA, 0, stream, part))
                body = body[len(part) :]
                self._window -= len(part)
                window -= len(part)
            if body:
                self._waiting[stream], self._windows[stream] = (body, trailers), window
            else:
                sent.append(frame(HEADERS, END_HEADERS | END_STREAM, stream, trailers))
                self.forget(stream)
        return b"".join(sent)


def _sum(window: int, change: int) -> int:
    if window + change > LARGEST_WINDOW:
        raise ConnectionBrokenError(Code.FLOW_CONTROL_ERROR, f"got a window of {window + change} bytes")
    return window + change
