"""A client of HTTP/2 on a socket, for what clients of a library would never do."""

import socket
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

Settings = h2.settings.SettingCodes
PATIENCE_S = 30
PIECE = 32
WINDOW = 1 << 24
"""What may come of all answers together: Envoy drops what it cannot send of an answer to who is still sending."""


class Http2Client:
    """One connection; what has come stands in its members, by stream, after `hear`."""

    def __init__(self, port: int, *, settings: Mapping[Settings, int] | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self._http2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        if settings is not None:
            self._http2.local_settings = h2.settings.Settings(client=True, initial_values=dict(settings))
        self._http2.initiate_connection()
        self._http2.increment_flow_control_window(WINDOW)
        self._send()
        self.heads: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.resets: dict[int, int] = {}
        self.told: dict[int, int] = {}
        """The gateway's settings."""
        self.ended: int | None = None
        """Why the gateway gave the connection up: an error code."""
        self.hear_until(lambda: self.told)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def begin(self, path: str, key: str, *more: tuple[str, str], method: str = "POST", end: bool = False) -> int:
        """Send the headers of a request, `end` = and nothing more; its stream."""
        stream: int = self._http2.get_next_available_stream_id()
        headers = [
            (":method", method), (":scheme", "http"), (":path", path), (":authority", "x"),
            ("authorization", f"Bearer {key}"), *more,
        ]  # fmt: skip
        self._http2.send_headers(stream, headers, end_stream=end)
        self._send()
        return stream

    def send(self, stream: int, body: bytes, *, end: bool = False) -> None:
        """Send a part of a body that the windows let through."""
        self._http2.send_data(stream, body, end_stream=end)
        self._send()

    def hear_until(self, done: Callable[[], object]) -> None:
        """Read until that is so; it must be before the gateway is silent for `PATIENCE_S`."""
        while not done():
            self.hear()

    def hear(self) -> None:
        """Read what comes next."""
        try:
            data = self._socket.recv(65_536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise EOFError
        for at in range(0, len(data), PIECE):
            if self.ended is None:  # the library takes nothing behind that
                for event in self._http2.receive_data(data[at : at + PIECE]):
                    self._take(event)
        self._send()

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RemoteSettingsChanged():
                self.told.update({int(code): change.new_value for code, change in event.changed_settings.items()})
            case h2.events.ResponseReceived():
                self.heads[event.stream_id] = dict(event.headers)
            case h2.events.DataReceived():
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                self._http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamReset():
                self.resets[event.stream_id] = event.error_code
            case h2.events.ConnectionTerminated():
                self.ended = event.error_code

    def _send(self) -> None:
        self._socket.sendall(self._http2.data_to_send())
