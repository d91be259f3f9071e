"""A provider whose answers are written byte by byte: what, in which pieces, framed how."""

import socketserver
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from wire import PATIENCE_S, LoopbackServer

SSE, JSON = "text/event-stream", "application/json"
Read = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """An answer."""

    pieces: Sequence[bytes]
    content_type: str | None = SSE
    chunked: bool = True
    trailers: bytes = b""
    cut: bool = False
    """The connection breaks after the pieces."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """Beside those of the body."""

    def wire(self) -> list[bytes]:
        """The answer as it is sent, head first, then each piece, then what ends it."""
        head = b"HTTP/1.1 %d S\r\n" % self.status
        if self.content_type is not None:
            head += b"content-type: %s\r\n" % self.content_type.encode()
        head += b"".join(b"%s: %s\r\n" % (name.encode(), value.encode()) for name, value in self.headers.items())
        if not self.chunked:
            return [head + b"content-length: %d\r\n\r\n" % sum(map(len, self.pieces)), *self.pieces]
        framed = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in self.pieces if piece]
        end = [] if self.cut else [b"0\r\n" + self.trailers + b"\r\n"]
        return [head + b"transfer-encoding: chunked\r\n\r\n", *framed, *end]


class ScriptedProvider(LoopbackServer):
    """An HTTP/1.1 provider on a free port of the loopback that answers every request with `script`.

    With `read`, each piece is sent alone: `read(sent)` returns when the gateway has read so many bytes of the answer.
    """

    def __init__(self) -> None:
        self.script = Script(pieces=())
        self.read: Read | None = None
        provider = self

        class Connection(socketserver.StreamRequestHandler):
            timeout = PATIENCE_S
            disable_nagle_algorithm = True

            def handle(self) -> None:
                while self._request():
                    provider._answer(self.wfile.write)
                    if provider.script.cut:
                        return

            def _request(self) -> bool:
                length = 0
                while (line := self.rfile.readline()) not in (b"\r\n", b""):
                    name, _, value = line.lower().partition(b":")
                    length = int(value) if name == b"content-length" else length
                self.rfile.read(length)
                return line != b""

        super().__init__(Connection)

    def _answer(self, write: Callable[[bytes], object]) -> None:
        sent = 0
        for part in self.script.wire():
            write(part)
            sent += len(part)
            if self.read is not None:
                self.read(sent)
