"""What one client may do and when: a connection of HTTP/2 as its server sees it (RFC 9113). No I/O, no clock.

Bytes go in, whole requests come out; answers go in, bytes come out. Anything that no client may send breaks the
connection. What a client can make this side keep is bounded: so many streams, so many bytes of bodies that are not
whole, one block of headers.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from fairlead.http2 import frames, headers
from fairlead.http2.errors import Code, ConnectionBrokenError
from fairlead.http2.frames import Frame, FrameReader, Setting
from fairlead.http2.headers import Head, HeaderReader
from fairlead.http2.sending import Sending

MOST_STREAMS: Final = 10_000
LARGEST_BODY: Final = 1_250_000
"""Bytes of a request's body that are kept; of a longer one nothing is, and it says so."""
_STREAM_WINDOW = 2 * LARGEST_BODY
_WINDOW = 4 * LARGEST_BODY
"""Bytes of all bodies together that are not whole yet."""
_DRAIN_PING = b"fl-drain"
_PING_BYTES, _NUMBER_BYTES, _PRIORITY_BYTES, _GOAWAY_BYTES = 8, 4, 5, 8

GREETING: Final = frames.settings(
    {
        Setting.HEADER_TABLE_SIZE: 0,
        Setting.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
        Setting.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
        Setting.MAX_HEADER_LIST_SIZE: headers.LARGEST,
    }
) + frames.window_update(0, _WINDOW - frames.DEFAULT_WINDOW)


class Request(NamedTuple):
    """A request that has come to its end."""

    stream: int
    head: Head
    body: bytes | None
    """None: longer than `LARGEST_BODY`."""


class _Stream:
    """A request that has begun and has no whole answer."""

    __slots__ = ("body", "ended", "head", "kept", "received")

    def __init__(self, head: Head) -> None:
        self.head = head
        self.body: bytes | bytearray | None = b""
        self.received = 0
        """Bytes of flow control since its window was widened."""
        self.kept = 0
        """Those of them that the connection's window still counts."""
        self.ended = False


class Connection:
    """One connection."""

    def __init__(self) -> None:
        self._reader = FrameReader()
        self._headers = HeaderReader()
        self._sending = Sending()
        self._streams: dict[int, _Stream] = {}
        self._preface = b""
        self._greeted = False
        self._settled = False
        """The client has said what it is."""
        self._acknowledged = False
        self._last = 0
        """The newest stream."""
        self._refused: set[int] = set()
        """Streams that were refused, and of which more may be on its way."""
        self._answered: set[int] = set()
        """Streams whose answers wait for a window."""
        self._block: tuple[int, int, bytearray] | None = None
        """Stream, flags and content of headers that go on in the next frame."""
        self._received = 0
        """Bytes of flow control that the client was not given back yet."""
        self._returned = 0
        """Those of them that it may have back."""
        self._out: list[bytes] = [GREETING]
        self._requests: list[Request] = []
        self.is_drained = False
        """The client has heard that this side is about to go, and what it had sent before has arrived."""
        self._take: dict[int, Callable[[Frame], None]] = {
            frames.DATA: self._data,
            frames.HEADERS: self._head,
            frames.PRIORITY: _priority,
            frames.RST_STREAM: self._reset,
            frames.SETTINGS: self._settings,
            frames.PUSH_PROMISE: _push,
            frames.PING: self._ping,
            frames.GOAWAY: _goaway,
            frames.WINDOW_UPDATE: self._window_update,
            frames.CONTINUATION: self._continuation,
        }

    @property
    def is_greeted(self) -> bool:
        """Tell whether the client has begun as one of HTTP/2 does."""
        return self._settled

    @property
    def is_idle(self) -> bool:
        """Tell whether no answer is owed."""
        return not self._streams

    def receive(self, data: bytes) -> list[Request]:
        """Take what has come, and return the requests that are whole with it.

        Raises:
            ConnectionBrokenError: no client may send that; `broken` says goodbye.

        """
        if not self._greeted:
            data = self._begin(data)
        for frame in self._reader.read(data):
            if self._block is not None and (frame.kind != frames.CONTINUATION or frame.stream != self._block[0]):
                raise ConnectionBrokenError(Code.PROTOCOL_ERROR, "got another frame inside of headers")
            if not self._settled and frame.kind != frames.SETTINGS:
                raise ConnectionBrokenError(Code.PROTOCOL_ERROR, "got no settings first")
            take = self._take.get(frame.kind)
            if take is not None:
                take(frame)
        if self._returned * 2 > _WINDOW:
            self._out.append(frames.window_update(0, self._returned))
            self._received -= self._returned
            self._returned = 0
        found, self._requests = self._requests, []
        return found

    def answer(self, stream: int, head: bytes, body: bytes, trailers: bytes) -> None:
        """Answer a request, unless the client has given it up; `head` and `trailers` are blocks of headers."""
        if stream not in self._streams or stream in self._answered:
            return
        self._out.append(self._sending.answer(stream, head, body, trailers))
        if self._sending.is_waiting(stream):
            self._answered.add(stream)
        else:
            del self._streams[stream]

    def taken(self) -> bytes:
        """Return what is to be sent, once."""
        out, self._out = self._out, []
        return b"".join(out)

    def drain(self) -> None:
        """Ask the client to begin nothing more here; what it begins before it has heard of that is answered."""
        self._out.append(frames.goaway(frames.LARGEST_WINDOW, Code.NO_ERROR))
        self._out.append(frames.frame(frames.PING, 0, 0, _DRAIN_PING))

    def broken(self, error: ConnectionBrokenError) -> None:
        """Say why the connection is about to be closed."""
        self._out.append(frames.goaway(self._last, error.code, str(error)[:200]))

    def _begin(self, data: bytes) -> bytes:
        """Take the words by which each client begins. What does not begin so is no HTTP/2."""
        self._preface += data[: len(frames.PREFACE)]
        if not frames.PREFACE.startswith(self._preface[: len(frames.PREFACE)]):
            raise ConnectionBrokenError(Code.PROTOCOL_ERROR, "got no HTTP/2")
        if len(self._preface) < len(frames.PREFACE):
            return b""
        self._greeted = True
        rest = self._preface[len(frames.PREFACE) :]
        return rest + data[len(frames.PREFACE) :]

    def _data(self, frame: Frame) -> None:
        size = len(frame.payload)
        self._received += size
        if frame.stream in self._refused:
            self._returned += size
            self._forget_refused(frame)
            return
        stream = self._open(frame)
        stream.received += size
        if self._received > _WINDOW:
            raise ConnectionBrokenError(Code.FLOW_CONTROL_ERROR, "got more than the window lets through")
        self._keep(stream, frames.unpadded(frame.flags, frame.payload), size)
        if frame.flags & frames.END_STREAM:
            self._whole(frame.stream, stream)
        elif stream.received * 2 > _STREAM_WINDOW:  # never in a client's way: what is kept, the other window bounds
            self._out.append(frames.window_update(frame.stream, stream.received))
            stream.received = 0

    def _keep(self, stream: _Stream, content: bytes, size: int) -> None:
        """Add to a body, which took `size` bytes of the window; drop one that is too long."""
        if stream.body is not None and len(stream.body) + len(content) > LARGEST_BODY:
            stream.body = None
            self._returned += stream.kept
            stream.kept = 0
        if stream.body is None:
            self._returned += size
            return
        stream.kept += size
        if not stream.body:
            stream.body = content
        elif isinstance(stream.body, bytearray):
            stream.body += content
        else:
            stream.body = bytearray(stream.body + content)

    def _open(self, frame: Frame) -> _Stream:
        """Return the stream of a frame, whose request must go on."""
        stream = self._streams.get(frame.stream)
        if stream is not None and not stream.ended:
            return stream
        code = Code.PROTOCOL_ERROR if self._is_ahead(frame.stream) else Code.STREAM_CLOSED
        raise ConnectionBrokenError(code, f"got a part of request {frame.stream}, which does not go on")

    def _is_ahead(self, stream: int) -> bool:
        """Tell whether a client has not begun a stream, or never can."""
        return stream > self._last or stream % 2 == 0

    def _whole(self, number: int, stream: _Stream) -> None:
        stream.ended = True
        self._returned += stream.kept
        stream.kept = 0
        body = stream.body
        self._requests.append(Request(number, stream.head, bytes(body) if isinstance(body, bytearray) else body))
        stream.body = b""

    def _head(self, frame: Frame) -> None:
        block = frames.unpadded(frame.flags, frame.payload, priority=True)
        if frame.flags & frames.END_HEADERS:
            self._begun(frame.stream, frame.flags, block)
        else:
            self._block = (frame.stream, frame.flags, bytearray(block))

    def _continuation(self, frame: Frame) -> None:
        if self._block is None:
            raise ConnectionBrokenError(Code.PROTOCOL_ERROR, "got headers that go on, and none before")
        stream, flags, block = self._block
        block += frame.payload
        if len(block) > headers.LARGEST or not frame.payload:
            raise ConnectionBrokenError(Code.ENHANCE_YOUR_CALM, "got headers in too many bytes or frames")
        if frame.flags & frames.END_HEADERS:
            self._block = None
            self._begun(stream, flags, bytes(block))

    def _begun(self, number: int, flags: int, block: bytes) -> None:
        """Take the headers of a request, or those behind its body."""
        if number in self._refused:
            self._headers.trailers(block)
            self._refused.discard(number)
        elif number in self._streams:
            self._trailers(number, flags, block)
        elif not self._is_ahead(number) or number % 2 == 0:
            raise ConnectionBrokenError(Code.PROTOCOL_ERROR, f"got request {number} after {self._last}")
        else:
            self._last = number
            self._admit(number, flags, self._headers.head(block))

    def _admit(self, number: int, flags: int, head: Head) -> None:
        if self.is_drained or len(self._streams) >= MOST_STREAMS:
            if len(self._refused) >= MOST_STREAMS:
                raise ConnectionBrokenError(Code.ENHANCE_YOUR_CALM, "got too many requests at a time")
            self._out.append(frames.rst_stream(number, Code.REFUSED_STREAM))
            if not flags & frames.END_STREAM:
                self._refused.add(number)
            return
        stream = self._streams[number] = _Stream(head)
        if flags & frames.END_STREAM:
            self._whole(number, stream)

    def _trailers(self, number: int, flags: int, block: bytes) -> None:
        stream = self._streams[number]
        if stream.ended:
            raise ConnectionBrokenError(Code.STREAM_CLOSED, f"got headers behind request {number}")
        if not flags & frames.END_STREAM:
            raise ConnectionBrokenError(Code.PROTOCOL_ERROR, f"got headers in the middle of request {number}")
        self._headers.trailers(block)
        self._whole(number, stream)

    def _forget_refused(self, frame: Frame) -> None:
        if frame.kind == frames.RST_STREAM or frame.flags & frames.END_STREAM:
            self._refused.discard(frame.stream)

    def _reset(self, frame: Frame) -> None:
        _check_size(frame, _NUMBER_BYTES)
        if self._is_ahead(frame.stream):
            raise ConnectionBrokenError(Code.PROTOCOL_ERROR, f"got the end of request {frame.stream}, which is none")
        self._refused.discard(frame.stream)
        self._answered.discard(frame.stream)
        self._sending.forget(frame.stream)
        stream = self._streams.pop(frame.stream, None)
        if stream is not None:
            self._returned += stream.kept

    def _settings(self, frame: Frame) -> None:
        _check_connection(frame)
        if frame.flags & frames.ACK:
            _check_size(frame, 0)
            if self._acknowledged or not self._settled:
                raise ConnectionBrokenError(Code.PROTOCOL_ERROR, "got an answer to settings that nobody sent")
            self._acknowledged = True
            self._headers.agreed()
            return
        self._settled = True
        for name, value in frames.read_settings(frame.payload):
            self._set(name, value)
        self._out.append(frames.frame(frames.SETTINGS, frames.ACK, 0))

    def _set(self, name: int, value: int) -> None:
        """Heed what bounds this side; frames are never larger than every client takes, and no tables are kept."""
        if name == Setting.INITIAL_WINDOW_SIZE:
            if value > frames.LARGEST_WINDOW:
                raise ConnectionBrokenError(Code.FLOW_CONTROL_ERROR, f"got a window of {value} bytes")
            self._out.append(self._sending.begin_with(value))
            self._sweep()
        elif (name == Setting.ENABLE_PUSH and value > 1) or (
            name == Setting.MAX_FRAME_SIZE and not frames.LARGEST <= value < 1 << 24
        ):
            raise ConnectionBrokenError(Code.PROTOCOL_ERROR, f"got the setting {name} of {value}")

    def _ping(self, frame: Frame) -> None:
        _check_connection(frame)
        _check_size(frame, _PING_BYTES)
        if not frame.flags & frames.ACK:
            self._out.append(frames.frame(frames.PING, frames.ACK, 0, frame.payload))
        elif frame.payload == _DRAIN_PING and not self.is_drained:
            self.is_drained = True
            self._out.append(frames.goaway(self._last, Code.NO_ERROR))

    def _window_update(self, frame: Frame) -> None:
        _check_size(frame, _NUMBER_BYTES)
        increment = frames.number(frame.payload)
        if not increment:
            raise ConnectionBrokenError(Code.PROTOCOL_ERROR, "got a window that is no wider")
        if frame.stream and self._is_ahead(frame.stream):
            raise ConnectionBrokenError(Code.PROTOCOL_ERROR, f"got a window for request {frame.stream}, which is none")
        if not frame.stream or frame.stream in self._streams:
            self._out.append(self._sending.widen(frame.stream, increment))
            self._sweep()

    def _sweep(self) -> None:
        """Let go of answers that have gone out."""
        for stream in [one for one in self._answered if not self._sending.is_waiting(one)]:
            self._answered.discard(stream)
            del self._streams[stream]


def _priority(frame: Frame) -> None:
    _check_size(frame, _PRIORITY_BYTES)
    if not frame.stream:
        raise ConnectionBrokenError(Code.PROTOCOL_ERROR, "got a priority of no request")


def _push(_frame: Frame) -> None:
    raise ConnectionBrokenError(Code.PROTOCOL_ERROR, "got a promise, which only servers make")


def _goaway(frame: Frame) -> None:
    """Take note of nothing: a client that goes closes its connection when it has its answers."""
    _check_connection(frame)
    if len(frame.payload) < _GOAWAY_BYTES:
        raise ConnectionBrokenError(Code.FRAME_SIZE_ERROR, f"got a goodbye of {len(frame.payload)} bytes")


def _check_connection(frame: Frame) -> None:
    if frame.stream:
        raise ConnectionBrokenError(Code.PROTOCOL_ERROR, f"got for request {frame.stream} what is for all")


def _check_size(frame: Frame, size: int) -> None:
    if len(frame.payload) != size:
        raise ConnectionBrokenError(Code.FRAME_SIZE_ERROR, f"got {len(frame.payload)} bytes, want {size}")
