"""A provider that fails in a way of its own, each time in the same: on a free port of the loopback."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE_S = 30
HANG, RESET = b"", b"reset"


def answer(status: int, body: bytes = b'{"error":{"message":"m"}}', *, promised: int = 0) -> bytes:
    """Make an answer; `promised` is a content length that it does not keep."""
    head = f"HTTP/1.1 {status} S\r\ncontent-type: application/json\r\nconnection: close\r\n"
    return f"{head}content-length: {promised or len(body)}\r\n\r\n".encode() + body


@contextmanager
def failing(way: bytes) -> Iterator[int]:
    """Serve so, and yield the port: `HANG` never answers, `RESET` reads and closes, else these bytes are sent."""
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE_S)
            held.append(connection)
            if way == HANG:
                continue
            _read(connection)
            if way != RESET:
                connection.sendall(way)
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for connection in held:
            connection.close()


def _read(connection: socket.socket) -> None:
    """Read one request to its end, so that closing is no reset of what is still to be read."""
    got = b""
    while b"\r\n\r\n" not in got:
        part = connection.recv(65_536)
        if not part:
            return
        got += part
    head, _, body = got.partition(b"\r\n\r\n")
    _, _, rest = head.lower().partition(b"content-length: ")
    left = int(rest.split(b"\r\n", 1)[0]) - len(body) if rest else 0
    while left > 0 and (part := connection.recv(left)):
        left -= len(part)
