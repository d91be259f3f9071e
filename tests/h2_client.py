"""A client of the `h2` library, which is strict by itself, talking to a `Connection` without any socket."""

from collections.abc import Iterable

import h2.config
import h2.connection
import h2.events
import h2.settings

from fairlead.http2 import unary
from fairlead.http2.connection import Connection, Request

PATH = "/service/Method"
HEADERS = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", PATH),
    (":authority", "budget"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
    ("grpc-timeout", "250m"),
]


class H2Client:
    """Both ends of a connection; bytes pass in pieces as a test likes."""

    def __init__(self, *, window: int | None = None) -> None:
        self.server = Connection()
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        if window is not None:
            told = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
            self.client.local_settings = h2.settings.Settings(client=True, initial_values=told)
        self.client.initiate_connection()
        self.requests: list[Request] = []
        self.bodies: dict[int, bytes] = {}
        self.heads: dict[int, dict[str, str]] = {}
        self.trailers: dict[int, dict[str, str]] = {}
        self.resets: dict[int, int] = {}
        self.ended: h2.events.ConnectionTerminated | None = None

    def pass_on(self, sizes: Iterable[int] = ()) -> None:
        """Let both sides hear each other until neither has anything to say."""
        pieces = iter(sizes)
        while True:
            there, back = self.client.data_to_send(), self.server.taken()
            if not there and not back:
                return
            while there:
                size = next(pieces, len(there))
                self.requests += self.server.receive(there[:size])
                there = there[size:]
            while back:
                size = next(pieces, len(back))
                self._hear(back[:size])
                back = back[size:]

    def _hear(self, data: bytes) -> None:
        for event in self.client.receive_data(data):
            match event:
                case h2.events.ResponseReceived():
                    self.heads[event.stream_id] = dict(event.headers)
                case h2.events.DataReceived():
                    self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                    self.client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case h2.events.TrailersReceived():
                    self.trailers[event.stream_id] = dict(event.headers)
                case h2.events.StreamReset():
                    self.resets[event.stream_id] = event.error_code
                case h2.events.ConnectionTerminated():
                    self.ended = event

    def send(self, message: bytes, *, padding: int | None = None, end: bool = True) -> int:
        """Begin a call, and send as much of it as the windows let through."""
        stream = self.client.get_next_available_stream_id()
        self.client.send_headers(stream, HEADERS)
        self.send_body(stream, unary.framed(message), padding=padding, end=end)
        return stream

    def send_body(self, stream: int, body: bytes, *, padding: int | None = None, end: bool = True) -> None:
        while body:
            self.pass_on()
            room = self.client.local_flow_control_window(stream) - (0 if padding is None else padding + 1)
            size = min(len(body), room, 16_000)
            assert size > 0, "the server lets nothing more through"
            self.client.send_data(stream, body[:size], pad_length=padding)
            body = body[size:]
        if end:
            self.client.end_stream(stream)

    def answer(self, request: Request, message: bytes) -> None:
        self.server.answer(request.stream, unary.OK_HEAD, unary.framed(message), unary.OK_TRAILERS)
