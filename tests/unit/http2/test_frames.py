"""Frames and headers, byte by byte, and what no client may send."""

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.http2 import frames, headers
from fairlead.http2.connection import GREETING, Connection
from fairlead.http2.errors import Code, ConnectionBrokenError
from fairlead.http2.frames import Setting, frame

HELLO = frames.PREFACE + frames.settings({})
AGREED = frame(frames.SETTINGS, frames.ACK, 0)
BLOCK = headers.block(None, {":method": "POST", ":scheme": "http", ":path": "/s/M", "content-type": "application/grpc"})
WHOLE = frames.END_HEADERS | frames.END_STREAM


def begun(stream: int = 1, flags: int = frames.END_HEADERS, block: bytes = BLOCK) -> bytes:
    return frame(frames.HEADERS, flags, stream, block)


def fields(**more: str) -> bytes:
    return headers.block(None, {":method": "POST", ":scheme": "http", ":path": "/", **more})


BROKEN = [
    (b"GET / HTTP/1.1\r\n", Code.PROTOCOL_ERROR, "another protocol"),
    (frames.PREFACE + begun(), Code.PROTOCOL_ERROR, "no settings first"),
    (HELLO + b"\xff\xff\xff" + bytes(6), Code.FRAME_SIZE_ERROR, "a frame that is too long"),
    (HELLO + begun(2), Code.PROTOCOL_ERROR, "an even stream"),
    (HELLO + begun(0), Code.PROTOCOL_ERROR, "stream 0"),
    (HELLO + begun(3) + begun(1), Code.PROTOCOL_ERROR, "a stream that goes back"),
    (HELLO + begun(1, WHOLE) + begun(1, WHOLE), Code.STREAM_CLOSED, "headers behind the end"),
    (HELLO + begun() + begun(), Code.PROTOCOL_ERROR, "trailers that end nothing"),
    (HELLO + begun() + begun(1, WHOLE), Code.PROTOCOL_ERROR, "trailers with a path"),
    (HELLO + begun(1, 0) + frame(frames.PING, 0, 0, bytes(8)), Code.PROTOCOL_ERROR, "a frame inside of headers"),
    (HELLO + begun(1, 0) + frame(frames.CONTINUATION, 4, 3, b"x"), Code.PROTOCOL_ERROR, "another stream's headers"),
    (HELLO + begun(1, 0) + frame(frames.CONTINUATION, 0, 1), Code.ENHANCE_YOUR_CALM, "headers in empty frames"),
    (HELLO + begun(1, 0) + 2 * frame(frames.CONTINUATION, 0, 1, bytes(16_000)), Code.ENHANCE_YOUR_CALM, "more headers"),
    (HELLO + frame(frames.CONTINUATION, 4, 1, b"x"), Code.PROTOCOL_ERROR, "headers that go on from nothing"),
    (HELLO + begun(1, frames.END_HEADERS | frames.PADDED, b"\xff" + BLOCK), Code.PROTOCOL_ERROR, "too much padding"),
    (HELLO + begun(1, WHOLE, b"\xff\xff\xff"), Code.COMPRESSION_ERROR, "headers that are cut"),
    (HELLO + begun(1, WHOLE, b"\x00\x01x\x7f" + b"\xff" * 7), Code.COMPRESSION_ERROR, "a length that is none"),
    (HELLO + AGREED + begun(1, WHOLE), Code.COMPRESSION_ERROR, "a table that should be gone"),
    (HELLO + AGREED + begun(1, WHOLE, b"\x3f\xe1\x1f" + BLOCK), Code.COMPRESSION_ERROR, "a table that nobody allowed"),
    (HELLO + AGREED + AGREED, Code.PROTOCOL_ERROR, "settings agreed to twice"),
    (HELLO + begun(1, WHOLE, fields(Upper="x")), Code.PROTOCOL_ERROR, "capitals"),
    (HELLO + begun(1, WHOLE, fields(connection="x")), Code.PROTOCOL_ERROR, "a header of HTTP/1"),
    (HELLO + begun(1, WHOLE, fields(x="y") + headers.block(200, {})), Code.PROTOCOL_ERROR, "a status, and late"),
    (HELLO + begun(1, WHOLE, headers.block(None, {"x": "y"})), Code.PROTOCOL_ERROR, "no path"),
    (HELLO + begun(1, WHOLE, b""), Code.PROTOCOL_ERROR, "nothing"),
    (HELLO + frame(frames.DATA, 0, 1, b"x"), Code.PROTOCOL_ERROR, "a body of nothing"),
    (HELLO + begun(1, WHOLE) + frame(frames.DATA, 0, 1, b"x"), Code.STREAM_CLOSED, "a body behind the end"),
    (HELLO + frame(frames.RST_STREAM, 0, 1, bytes(4)), Code.PROTOCOL_ERROR, "the end of nothing"),
    (HELLO + begun() + frame(frames.RST_STREAM, 0, 1, bytes(3)), Code.FRAME_SIZE_ERROR, "an end of 3 bytes"),
    (HELLO + frame(frames.SETTINGS, 0, 1), Code.PROTOCOL_ERROR, "settings of one stream"),
    (HELLO + frame(frames.SETTINGS, 0, 0, bytes(5)), Code.FRAME_SIZE_ERROR, "settings of 5 bytes"),
    (HELLO + frame(frames.SETTINGS, 1, 0, bytes(6)), Code.FRAME_SIZE_ERROR, "an agreement with content"),
    (HELLO + frames.settings({Setting.ENABLE_PUSH: 2}), Code.PROTOCOL_ERROR, "push: 2"),
    (HELLO + frames.settings({Setting.MAX_FRAME_SIZE: 1}), Code.PROTOCOL_ERROR, "frames of a byte"),
    (HELLO + frames.settings({Setting.INITIAL_WINDOW_SIZE: 2**31}), Code.FLOW_CONTROL_ERROR, "a window of 2 GiB"),
    (HELLO + frame(frames.PING, 0, 0, bytes(7)), Code.FRAME_SIZE_ERROR, "a ping of 7 bytes"),
    (HELLO + frame(frames.PING, 0, 1, bytes(8)), Code.PROTOCOL_ERROR, "a ping of one stream"),
    (HELLO + frame(frames.PUSH_PROMISE, 0, 1, bytes(4)), Code.PROTOCOL_ERROR, "a promise"),
    (HELLO + frame(frames.PRIORITY, 0, 1, bytes(4)), Code.FRAME_SIZE_ERROR, "a priority of 4 bytes"),
    (HELLO + frame(frames.PRIORITY, 0, 0, bytes(5)), Code.PROTOCOL_ERROR, "a priority of nothing"),
    (HELLO + frame(frames.GOAWAY, 0, 0, bytes(7)), Code.FRAME_SIZE_ERROR, "a goodbye of 7 bytes"),
    (HELLO + frames.window_update(0, 0), Code.PROTOCOL_ERROR, "a window that is no wider"),
    (HELLO + frames.window_update(1, 1), Code.PROTOCOL_ERROR, "a window of nothing"),
    (HELLO + 2 * frames.window_update(0, 2**31 - 1), Code.FLOW_CONTROL_ERROR, "a window that is too wide"),
    (
        HELLO + b"".join(begun(one) + 15 * frame(frames.DATA, 0, one, bytes(16_384)) for one in range(1, 45, 2)),
        Code.FLOW_CONTROL_ERROR,
        "more than the window lets through",
    ),
]


def send(server: Connection, sent: bytes, size: int) -> None:
    for at in range(0, len(sent), size):
        server.receive(sent[at : at + size])


@pytest.mark.parametrize(("sent", "code", "what"), BROKEN, ids=[what for _, _, what in BROKEN])
def test_what_no_client_may_send_breaks_the_connection(sent: bytes, code: Code, what: str) -> None:
    for size in (len(sent), 1) if len(sent) < 1_000 else (len(sent),):
        server = Connection()
        with pytest.raises(ConnectionBrokenError) as raised:
            send(server, sent, size)
        assert raised.value.code is code, what
        server.broken(raised.value)
        assert server.taken().startswith(GREETING)


@pytest.mark.parametrize(
    ("sent", "what"),
    [
        (frame(0x42, 7, 3, b"?"), "an unknown frame"),
        (frames.settings({Setting.MAX_HEADER_LIST_SIZE: 1}), "settings"),
        (frame(frames.SETTINGS, 0, 0, b"\0\x99" + bytes(4)), "unknown settings"),
        (frame(frames.PRIORITY, 0, 9, bytes(5)), "a priority"),
        (frame(frames.GOAWAY, 0, 0, bytes(8)), "a goodbye"),
        (begun(3, WHOLE) + frame(frames.RST_STREAM, 0, 3, bytes(4)) * 2, "an end, twice"),
        (begun(3, WHOLE) + frame(frames.RST_STREAM, 0, 3, bytes(4)) + frames.window_update(3, 9), "a late window"),
        (frame(frames.PING, 1, 0, b"unasked!"), "an answer to no ping"),
    ],
)
def test_what_means_nothing_is_passed_over(sent: bytes, what: str) -> None:
    server = Connection()
    found = server.receive(HELLO + sent + begun(11, WHOLE))
    assert [request.stream for request in found][-1] == 11, what


def test_a_ping_comes_back() -> None:
    server = Connection()
    server.receive(HELLO + frame(frames.PING, 0, 0, b"12345678"))
    assert server.taken().endswith(frame(frames.PING, frames.ACK, 0, b"12345678"))


def test_a_priority_and_padding_are_taken_off() -> None:
    server = Connection()
    flags = WHOLE | frames.PADDED | frames.WITH_PRIORITY
    (request,) = server.receive(HELLO + begun(1, flags, b"\x02" + bytes(5) + BLOCK + b"pp"))
    assert request.head.path == "/s/M"


@settings(max_examples=100)
@given(st.binary(max_size=400), st.booleans())
def test_random_bytes_are_taken_or_break_the_connection(sent: bytes, greeted: bool) -> None:
    server = Connection()
    try:
        server.receive((HELLO if greeted else b"") + sent)
    except ConnectionBrokenError as error:
        server.broken(error)
    assert server.taken()


FRAMES = st.builds(
    frame,
    st.integers(0, 10),
    st.sampled_from([0, 1, 4, 5, 8, 0x2D]),
    st.integers(0, 5),
    st.one_of(st.binary(max_size=12), st.just(BLOCK), st.just(bytes(8)), st.just(b"\0\0\0\1")),
)


@settings(max_examples=200)
@given(st.lists(FRAMES, max_size=12))
def test_random_frames_are_taken_or_break_the_connection(sent: list[bytes]) -> None:
    server = Connection()
    try:
        for request in server.receive(HELLO + b"".join(sent)):
            server.answer(request.stream, b"\x88", b"body", BLOCK)
    except ConnectionBrokenError as error:
        server.broken(error)
    assert server.taken()


TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1, max_size=300)


@settings(max_examples=30)
@given(st.dictionaries(TEXT, TEXT, max_size=5), st.none() | st.sampled_from([200, 415]))
def test_what_is_written_is_read_by_the_library(written: dict[str, str], status: int | None) -> None:
    expected = ([] if status is None else [(":status", str(status))]) + list(written.items())
    assert hpack.Decoder().decode(headers.block(status, written)) == expected
