"""What a connection does with a client that is right: the `h2` library's."""

import h2.errors
import h2.settings
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.http2 import connection, frames, headers, unary
from h2_client import HEADERS, PATH, H2Client

SIZES = st.lists(st.integers(min_value=1, max_value=2_000), max_size=20)
CALLS = st.lists(
    st.tuples(st.binary(max_size=20_000), st.binary(max_size=3_000), st.none() | st.integers(0, 255)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=25)
@given(calls=CALLS, sizes=SIZES, window=st.sampled_from([0, 100, 65_535]), turned=st.booleans())
def test_whatever_the_sizes_each_message_arrives_and_each_answer_goes_back(
    calls: list[tuple[bytes, bytes, int | None]], sizes: list[int], window: int, turned: bool
) -> None:
    pair = H2Client(window=window)
    streams = [pair.send(there, padding=padding) for there, _, padding in calls]
    pair.pass_on(sizes)
    assert [unary.message(request, PATH) for request in pair.requests] == [there for there, _, _ in calls]
    answers = list(zip(pair.requests, calls, strict=True))
    for request, (_, back, _) in reversed(answers) if turned else answers:
        pair.answer(request, back)
    pair.pass_on(sizes)
    for stream in streams:
        if stream not in pair.trailers:  # a window of nothing
            pair.client.increment_flow_control_window(50_000, stream)
    pair.pass_on(sizes)
    assert [pair.bodies[stream] for stream in streams] == [unary.framed(back) for _, back, _ in calls]
    assert all(pair.trailers[stream] == {"grpc-status": "0"} for stream in streams)
    assert all(pair.heads[stream] == {":status": "200", "content-type": "application/grpc"} for stream in streams)
    assert pair.server.is_idle


BLOCK = headers.block(None, {":method": "POST", ":scheme": "http", ":path": PATH})


def test_an_answer_that_is_larger_than_every_window_and_frame() -> None:
    pair = H2Client()
    stream = pair.send(b"ask")
    pair.pass_on()
    pair.answer(pair.requests[0], b"x" * 300_000)
    pair.pass_on()
    assert pair.bodies[stream] == unary.framed(b"x" * 300_000)
    assert pair.server.is_idle


def test_windows_are_given_back_however_much_comes() -> None:
    pair = H2Client()
    for _ in range(60):
        pair.send(b"x" * 200_000)
        pair.pass_on()
    assert len(pair.requests) == 60


def test_a_body_that_is_too_long_is_not_kept_and_says_so() -> None:
    pair = H2Client()
    pair.send(b"x" * (4 * connection.LARGEST_BODY))
    pair.send(b"small")
    pair.pass_on()
    long, small = pair.requests
    assert long.body is None
    with pytest.raises(unary.CallError) as raised:
        unary.message(long, PATH)
    assert raised.value.status is unary.Status.RESOURCE_EXHAUSTED
    assert unary.message(small, PATH) == b"small"


def test_bodies_that_never_end_are_bounded() -> None:
    pair = H2Client()
    sent = 0
    while True:
        try:
            pair.send(b"x" * 250_000, end=False)
        except AssertionError:  # nothing more is let through
            break
        sent += 1
    assert 0 < sent <= 4 * connection.LARGEST_BODY / 250_000


def test_a_request_that_is_given_up_gets_no_answer_and_gives_its_window_back() -> None:
    pair = H2Client()
    for _ in range(40):
        stream = pair.send(b"x" * 200_000, end=False)
        pair.client.reset_stream(stream)
        pair.pass_on()
    stream = pair.send(b"whole")
    pair.pass_on()
    pair.client.reset_stream(stream)
    pair.pass_on()
    pair.answer(pair.requests[0], b"late")
    assert pair.server.taken() == b""
    assert pair.server.is_idle


def test_headers_in_several_frames_and_trailers() -> None:
    pair = H2Client()
    stream = pair.client.get_next_available_stream_id()
    pair.client.send_headers(stream, [*HEADERS, *((f"x-{number}", "v" * 200) for number in range(50))])
    pair.client.send_data(stream, unary.framed(b"m"))
    pair.client.send_headers(stream, [("x-end", "1")], end_stream=True)
    pair.pass_on([7] * 3_000)
    assert [unary.message(request, PATH) for request in pair.requests] == [b"m"]


def test_headers_that_change_are_read_each_time() -> None:
    pair = H2Client()
    for number in range(200):
        stream = pair.client.get_next_available_stream_id()
        changed = [*HEADERS[:2], (":path", f"/{number}"), *HEADERS[3:], ("traceparent", f"{number}")]
        pair.client.send_headers(stream, changed, end_stream=True)
        pair.pass_on()
    assert [request.head.path for request in pair.requests] == [f"/{number}" for number in range(200)]


def test_a_drained_connection_answers_what_came_before_and_no_more() -> None:
    pair = H2Client()
    pair.send(b"before")
    pair.pass_on()
    pair.server.drain()
    late = pair.client.get_next_available_stream_id()
    pair.client.send_headers(late, HEADERS)  # on its way when the client hears of it
    pair.requests += pair.server.receive(pair.client.data_to_send())
    *_, (asked, payload) = sent(pair.server)
    assert asked == frames.PING
    # The library takes no ping behind a goodbye; it may be one's own.
    pair.server.receive(frames.frame(frames.PING, frames.ACK, 0, payload))
    assert pair.server.is_drained
    assert sent(pair.server) == [(frames.GOAWAY, late.to_bytes(4) + bytes(4))]
    pair.server.receive(frames.frame(frames.DATA, frames.END_STREAM, late, unary.framed(b"")))
    pair.server.receive(frames.frame(frames.HEADERS, 5, late + 2, BLOCK))
    assert sent(pair.server) == [(frames.RST_STREAM, bytes((0, 0, 0, h2.errors.ErrorCodes.REFUSED_STREAM)))]
    assert not pair.server.is_idle
    for request in pair.requests:
        pair.answer(request, b"answer")
    assert [kind for kind, _ in sent(pair.server)] == [frames.HEADERS, frames.DATA, frames.HEADERS]


def sent(server: connection.Connection) -> list[tuple[int, bytes]]:
    """What goes out: kinds of frames and their payloads."""
    return [(one.kind, one.payload) for one in frames.FrameReader().read(server.taken())]


def test_what_the_server_says_of_itself() -> None:
    pair = H2Client()
    pair.pass_on()
    told = pair.client.remote_settings
    assert told[h2.settings.SettingCodes.HEADER_TABLE_SIZE] == 0
    assert told[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] == connection.MOST_STREAMS
    assert pair.server.is_greeted


def test_more_streams_than_told_are_refused_for_another_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = H2Client()
    monkeypatch.setattr(connection, "MOST_STREAMS", 2)
    streams = [pair.client.get_next_available_stream_id() + 2 * number for number in range(3)]
    for stream in streams:
        pair.client.send_headers(stream, HEADERS)
        pair.client.send_data(stream, unary.framed(b"m"), end_stream=True)
    pair.pass_on()
    assert [request.stream for request in pair.requests] == streams[:2]
    assert pair.resets == {streams[2]: h2.errors.ErrorCodes.REFUSED_STREAM}
