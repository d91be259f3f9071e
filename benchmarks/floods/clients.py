"""Those who flood: each on a connection of its own, or as many streams of one, again and again until the end."""

import asyncio
import contextlib
import gzip
import time
from collections.abc import Callable, Coroutine

from benchmarks.floods.outcome import PATH, PAUSE_S, Outcome
from benchmarks.floods.streams import again
from benchmarks.gateways.fairlead_gateway import CLIENT_KEY

PART = 65_536
PATIENCE_S = 30


def body(size: int, seed: int, *, stream: bool = False) -> bytes:
    """Make a request of so many bytes."""
    said = b'{"model":"chat",%b"messages":[{"role":"user","content":"' % (b'"stream":true,' if stream else b"")
    end = b'"}],"seed":%d}' % seed
    return said + b"a" * max(1, size - len(said) - len(end)) + end


def head(length: int | None, encoding: str = "") -> bytes:
    """Make the head of a request; without a length its body is sent in chunks."""
    how = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    return (
        f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {CLIENT_KEY}\r\n"
        f"content-type: application/json\r\n{encoding}{how}\r\n\r\n"
    ).encode()


async def small(port: int, outcome: Outcome) -> None:
    """Ask for little, as others do."""
    begun = time.monotonic()
    said, later = "gone", False
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                asked = body(200, 1)
                writer.write(head(len(asked)) + asked)
                said, later = await _answer(reader)
            finally:
                writer.close()
    outcome.note(said, retry_after=later)
    outcome.took_s.append(time.monotonic() - begun)


async def _answer(reader: asyncio.StreamReader) -> tuple[str, bool]:
    """Read the head of an answer: its status, and whether it says when to come again."""
    answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    return answer.split(" ", 2)[1], "\r\nretry-after:" in answer


async def sender(port: int, outcome: Outcome, until: float, asked: bytes, *, chunked: bool, encoding: str = "") -> None:
    """Send a body on HTTP/1.1, as fast as it is taken, again and again."""
    view = memoryview(asked)
    while time.monotonic() < until:
        said, later = "cut", False
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writing = asyncio.create_task(
                    _write(writer, view, head(None if chunked else len(view), encoding), chunked=chunked)
                )
                try:
                    said, later = await _answer(reader)
                finally:
                    writing.cancel()
                    with contextlib.suppress(asyncio.CancelledError, OSError):
                        await writing
                    writer.transport.abort()
        outcome.note(said, retry_after=later)
        await asyncio.sleep(PAUSE_S if said != "200" else 0)


async def _write(writer: asyncio.StreamWriter, view: memoryview, first: bytes, *, chunked: bool) -> None:
    writer.write(first)
    for at in range(0, len(view), PART):
        part = view[at : at + PART]
        if chunked:
            writer.write(b"%x\r\n" % len(part))
        writer.write(part)
        if chunked:
            writer.write(b"\r\n")
        await writer.drain()
    if chunked:
        writer.write(b"0\r\n\r\n")


async def slow_reader(port: int, outcome: Outcome, until: float, asked: bytes) -> None:
    """Ask for much, and read nothing of it but its head."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(head(len(asked)) + asked)
        writer.transport.pause_reading()
        await asyncio.sleep(max(0.0, until - time.monotonic()))
        outcome.ends["held"] += 1
        writer.transport.abort()


async def idle(port: int, outcome: Outcome, until: float) -> None:
    """Connect, ask once, and stay."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
        asked = body(200, 1)
        writer.write(head(len(asked)) + asked)
        said, later = await _answer(reader)
        outcome.note(said, retry_after=later)
        await asyncio.sleep(max(0.0, until - time.monotonic()))
        writer.transport.abort()


Work = Callable[[int, Outcome, float], list[Coroutine[None, None, None]]]


def bodies(count: int, size: int, *, chunked: bool) -> Work:
    """Send so many bodies at once, each on a connection of its own."""
    asked = body(size, 4)
    return lambda port, outcome, until: [sender(port, outcome, until, asked, chunked=chunked) for _ in range(count)]


def packed(count: int, size: int) -> Work:
    """Send so many bodies at once, in gzip, where they are a thousandth of their size."""
    asked = gzip.compress(body(size, 4), 9)
    said = "content-encoding: gzip\r\n"
    return lambda port, outcome, until: [
        sender(port, outcome, until, asked, chunked=False, encoding=said) for _ in range(count)
    ]


def streams(connections: int, count: int, size: int, *, unknown: bool) -> Work:
    """Send so many bodies at once on each of some connections of HTTP/2."""
    asked = body(size, 4)
    return lambda port, outcome, until: [
        again(port, outcome, until, asked, count=count, unknown=unknown) for _ in range(connections)
    ]


def unread(connections: int, count: int, *, stream: bool) -> Work:
    """Ask for so many large answers at once on each of some connections of HTTP/2, and let none of them come."""
    asked = body(200, 3 if stream else 2, stream=stream)
    return lambda port, outcome, until: [
        again(port, outcome, until, asked, count=count, unknown=False, window=0) for _ in range(connections)
    ]


def sizes(connections: int, count: int, *mixed: int) -> Work:
    """Send so many bodies at once on each of some connections of HTTP/2; of each size on as many of them."""
    works = [streams(connections // len(mixed), count, size, unknown=False) for size in mixed]
    return lambda port, outcome, until: [one for work in works for one in work(port, outcome, until)]


def readers(count: int, *, stream: bool) -> Work:
    """Ask for so many large answers, and do not read them."""
    asked = body(200, 3 if stream else 2, stream=stream)
    return lambda port, outcome, until: [slow_reader(port, outcome, until, asked) for _ in range(count)]


def idlers(count: int) -> Work:
    """Ask on so many connections once, and keep them."""
    return lambda port, outcome, until: [idle(port, outcome, until) for _ in range(count)]


FLOODS: dict[str, Work] = {
    "one body of 16 MiB": bodies(1, (16 << 20) - 4096, chunked=False),
    "300 x 8 MB of unknown length": bodies(300, 8_000_000, chunked=True),
    "300 x 8 MB": bodies(300, 8_000_000, chunked=False),
    "300 x 8 MB in gzip": packed(300, 8_000_000),
    "100 x 16 MB of unknown length": bodies(100, 16_000_000, chunked=True),
    "1,000 x 0.9 MB of unknown length": bodies(1000, 900_000, chunked=True),
    "1,000 x 0.9 MB": bodies(1000, 900_000, chunked=False),
    "HTTP/2, 100 x 8 MB": streams(1, 100, 8_000_000, unknown=False),
    "HTTP/2, 100 x 8 MB of unknown length": streams(1, 100, 8_000_000, unknown=True),
    "HTTP/2, 30 x 100 x 0.9 MB": streams(30, 100, 900_000, unknown=False),
    "HTTP/2, 30 x 100 x 0.9 MB of unknown length": streams(30, 100, 900_000, unknown=True),
    "HTTP/2, 30 x 100 x 29 KB": streams(30, 100, 29_000, unknown=False),
    "HTTP/2, 30 x 100 x 9 KB": streams(30, 100, 9_000, unknown=False),
    "HTTP/2, 30 x 100 of 29 KB to 6 MB": sizes(30, 100, 29_000, 99_000, 299_000, 900_000, 1_900_000, 6_000_000),
    "300 who do not read 8 MB": readers(300, stream=False),
    "300 who do not read a stream": readers(300, stream=True),
    "HTTP/2, 20 x 100 who do not read 8 MB": unread(20, 100, stream=False),
    "HTTP/2, 20 x 100 who do not read a stream": unread(20, 100, stream=True),
    "5,000 idle connections": idlers(5000),
    "10,000 idle connections": idlers(10_000),
}


async def flood(work: Work, port: int, seconds: float) -> Outcome:
    """Flood for so long."""
    outcome = Outcome()
    await asyncio.gather(*work(port, outcome, time.monotonic() + seconds))
    return outcome
