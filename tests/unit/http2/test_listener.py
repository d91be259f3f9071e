"""Real sockets: gRPC's own client, clients that give up, that do not read, that speak something else, and the end."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import uvloop

from fairlead.http2 import frames, headers, listener, unary
from fairlead.http2.listener import Handler, Listener, Service
from fairlead.http2.unary import CallError, Status
from h2_client import HEADERS

PATH = "/service/Method"
PATIENCE_S = 20
HELLO = frames.PREFACE + frames.settings({})
BLOCK = headers.block(None, dict(HEADERS[:3]) | {"content-type": "application/grpc"})


def call(stream: int, message: bytes) -> bytes:
    head = frames.frame(frames.HEADERS, frames.END_HEADERS, stream, BLOCK)
    return head + frames.frame(frames.DATA, frames.END_STREAM, stream, unary.framed(message))


class Serving:
    """A listener on a port of its own, and what it was told."""

    def __init__(self, handle: Handler, *, most: int = 100) -> None:
        self.broken: list[str] = []
        self.crowded = 0
        service = Service(handlers={PATH: handle}, broken=self.broken.append, crowded=self._note_crowd)
        self.listener = Listener(service, most=most)

    def _note_crowd(self) -> None:
        self.crowded += 1

    async def start(self, address: str = "127.0.0.1:0") -> str:
        port = await self.listener.start(address)
        return f"127.0.0.1:{port}" if port else address

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = (await self.start()).partition(":")
        return await asyncio.open_connection(host, int(port))


async def is_cut(reader: asyncio.StreamReader) -> None:
    """Wait for the end of a connection, orderly or not."""
    with contextlib.suppress(ConnectionError):
        while await reader.read(1_000):
            pass


async def echo(message: bytes) -> bytes:
    return message


class GrpcClient:
    """gRPC's own client, in threads of its own: its asyncio is bound to one loop for each process."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address)

    async def ask(self, message: bytes, *, path: str = PATH, patience_s: float = PATIENCE_S) -> bytes:
        answer: bytes = await asyncio.to_thread(self._channel.unary_unary(path), message, timeout=patience_s)
        return answer

    def close(self) -> None:
        self._channel.close()


def run(story: Callable[[], Awaitable[None]], loop: Any = uvloop.new_event_loop) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await story()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(in_time())


@pytest.mark.parametrize("loop", [None, uvloop.new_event_loop])
@pytest.mark.parametrize("unix", [False, True])
def test_grpc_s_own_client_is_answered(tmp_path: Path, loop: Any, unix: bool) -> None:
    async def story() -> None:
        serving = Serving(echo)
        address = await serving.start(f"unix:{tmp_path}/rpc.sock" if unix else "127.0.0.1:0")
        client = GrpcClient(address)
        messages = [b"x" * size for size in range(0, 100_000, 2_500)]
        assert await asyncio.gather(*map(client.ask, messages)) == messages
        await serving.listener.stop(1)
        client.close()
        assert serving.broken == []

    run(story, loop)


def test_a_handler_that_fails_fails_its_call_alone() -> None:
    async def handle(message: bytes) -> bytes:
        if message == b"told":
            raise CallError(Status.FAILED_PRECONDITION, "the store is away: 100 %")
        if message == b"bug":
            raise KeyError(message)
        return message

    async def story() -> None:
        serving = Serving(handle)
        client = GrpcClient(await serving.start())
        asked: list[Any] = [client.ask(message) for message in (b"told", b"bug", b"good")]
        told, bug, good, other = await asyncio.gather(
            *asked, client.ask(b"", path="/service/Other"), return_exceptions=True
        )
        assert (told.code(), told.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "the store is away: 100 %")
        assert (bug.code(), other.code()) == (grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNIMPLEMENTED)
        assert good == b"good"
        client.close()
        await serving.listener.stop(1)

    run(story)


def test_who_gives_up_cancels_nothing() -> None:
    began, done, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handle(message: bytes) -> bytes:
        began.set()
        await go_on.wait()
        done.set()
        return message

    async def story() -> None:
        serving = Serving(handle)
        reader, writer = await serving.connect()
        writer.write(HELLO + call(1, b"m") + frames.rst_stream(1, frames.Code.NO_ERROR))
        await began.wait()
        writer.close()
        go_on.set()
        await done.wait()
        assert await reader.read(100)
        await serving.listener.stop(1)

    run(story)


@pytest.mark.parametrize("sent", [b"GET /v1/usage HTTP/1.1\r\n\r\n", HELLO + frames.window_update(0, 0)])
def test_what_is_no_http2_is_counted_and_closed(sent: bytes) -> None:
    async def story() -> None:
        serving = Serving(echo)
        reader, writer = await serving.connect()
        writer.write(sent)
        *_, last = frames.FrameReader().read(await reader.read())
        assert last.kind == frames.GOAWAY
        assert len(serving.broken) == 1
        writer.close()
        await serving.listener.stop(1)

    run(story)


def test_the_end_waits_for_calls_that_are_under_way() -> None:
    began, go_on = asyncio.Event(), asyncio.Event()

    async def handle(message: bytes) -> bytes:
        began.set()
        await go_on.wait()
        return message

    async def story() -> None:
        serving = Serving(handle)
        client = GrpcClient(await serving.start())
        call = asyncio.ensure_future(client.ask(b"m"))
        await began.wait()
        ending = asyncio.ensure_future(serving.listener.stop(PATIENCE_S))
        await asyncio.sleep(0)
        go_on.set()
        assert await call == b"m"
        await ending
        with pytest.raises(grpc.RpcError):
            await client.ask(b"late", patience_s=1)
        client.close()

    run(story)


def test_the_end_does_not_wait_for_ever() -> None:
    async def story() -> None:
        serving = Serving(lambda _: asyncio.get_running_loop().create_future())
        reader, writer = await serving.connect()
        writer.write(HELLO + call(1, b"m"))
        await reader.readexactly(10)
        await serving.listener.stop(0.05)
        await is_cut(reader)
        writer.close()

    run(story)


def test_who_does_not_read_is_not_read_and_then_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "_SLOW_S", 0.2)
    answered = 0

    async def handle(_: bytes) -> bytes:
        nonlocal answered
        answered += 1
        return b"x" * 16_000

    async def story() -> None:
        serving = Serving(handle)
        _, writer = await serving.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads, too
        wide = frames.settings({frames.Setting.INITIAL_WINDOW_SIZE: 2**31 - 1}) + frames.window_update(
            0, 2**31 - 65_536
        )
        writer.write(frames.PREFACE + wide)
        given_up = False
        try:
            for stream in range(1, 2_000_001, 2):
                writer.write(call(stream, b"m"))
                await writer.drain()
        except ConnectionError:
            given_up = True
        finally:
            writer.transport.abort()
        assert given_up
        assert answered < 5_000, "nobody reads more than that"
        await serving.listener.stop(1)

    run(story, None)  # uvloop waits for ever for what was written, when it ends


def test_who_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "_GREETING_S", 0.05)

    async def story() -> None:
        serving = Serving(echo)
        reader, writer = await serving.connect()
        await is_cut(reader)
        writer.close()
        await serving.listener.stop(1)

    run(story)


def test_a_port_that_is_taken_is_an_error() -> None:
    async def story() -> None:
        serving = Serving(echo)
        address = await serving.start()
        with pytest.raises(OSError, match="in use"):
            await Serving(echo).start(address)
        await serving.listener.stop(1)

    run(story)


def test_a_new_connection_takes_the_place_of_the_longest_silent() -> None:
    async def story() -> None:
        serving = Serving(echo, most=2)
        host, _, port = (await serving.start()).partition(":")
        first, second = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
        for reader, writer in (second, first):
            writer.write(HELLO + call(1, b"m"))
            while b"m" not in await reader.read(1_000):
                pass
        third = await asyncio.open_connection(host, int(port))
        await is_cut(second[0])
        assert serving.crowded == 1
        for reader, writer, stream in ((*first, 3), (*third, 1)):
            writer.write((HELLO if stream == 1 else b"") + call(stream, b"again"))
            while b"again" not in await reader.read(1_000):
                pass
        for _, writer in (first, second, third):
            writer.close()
        await serving.listener.stop(1)

    run(story)


def test_no_connection_that_is_owed_an_answer_makes_room() -> None:
    async def story() -> None:
        serving = Serving(lambda _: asyncio.get_running_loop().create_future(), most=1)
        host, _, port = (await serving.start()).partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(HELLO + call(1, b"m"))
        answered = frames.FrameReader()
        while not any(
            one.kind == frames.SETTINGS and one.flags & frames.ACK for one in answered.read(await reader.read(100))
        ):
            pass
        late = await asyncio.open_connection(host, int(port))
        await is_cut(late[0])
        assert serving.crowded == 1
        assert not reader.at_eof()
        for one in (writer, late[1]):
            one.close()
        await serving.listener.stop(0.05)

    run(story)
