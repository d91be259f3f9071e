"""The request filter against Python's JSON parser, on generated bodies through a real Envoy: no difference."""

import asyncio
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterator

import pytest
from filter_gateway import KEY
from json_bodies import bodies
from request_reference import OWN, RefusedError, expected, members

pytestmark = pytest.mark.envoy

SEED = int(os.environ.get("FAIRLEAD_FUZZ_SEED", "20260601"))
COUNT = int(os.environ.get("FAIRLEAD_FUZZ_COUNT", "5000"))
IN_FLIGHT = 8
PATHS = ("/v1/chat/completions",) * 4 + tuple(OWN)
INTERNAL = ("x-metadata-model", "x-metadata-stream", "x-route")


@pytest.mark.timeout(7200)
def test_no_difference_to_python(filter_port: int) -> None:
    seen = asyncio.run(_compare(filter_port))
    assert sum(seen.values()) == COUNT
    # The bodies are worth it: every outcome was there, often.
    for outcome, least in {
        "forwarded": 0.15,
        "invalid_json": 0.01,
        "no JSON": 0.2,
        "model_not_found": 0.01,
        "unsupported_endpoint": 0.01,
        "invalid_model": 0.005,
        "missing_model": 0.005,
        "invalid_stream": 0.005,
        "invalid_stream_options": 0.001,
        "invalid_max_tokens": 0.005,
    }.items():
        assert seen[outcome] >= least * COUNT, seen


async def _compare(port: int) -> Counter[str]:
    """Send all bodies over a few kept connections; count what came of them."""
    work = zip(bodies(SEED, COUNT), itertools.cycle(PATHS))
    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(_caller(port, work)) for _ in range(IN_FLIGHT)]
    return sum((caller.result() for caller in callers), Counter())


async def _caller(port: int, work: Iterator[tuple[bytes, str]]) -> Counter[str]:
    seen: Counter[str] = Counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        for body, path in work:
            head = (
                f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            status, headers, answer = await _answer(reader)
            try:
                seen[_judge(body, path, status, headers, answer)] += 1
            except AssertionError as difference:
                raise AssertionError(f"seed {SEED}, {path}: {body!r}\ngot {status} {answer!r}") from difference
    finally:
        writer.close()
        await writer.wait_closed()
    return seen


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:-2])
    return int(lines[0].split(" ")[1]), headers, await reader.readexactly(int(headers["content-length"]))


def _judge(body: bytes, path: str, status: int, headers: dict[str, str], answer: bytes) -> str:
    """Compare one answer with what Python makes of the body; name the outcome.

    Raises:
        AssertionError: they differ.

    """
    try:
        wanted = expected(body.decode(), path)
    except ValueError:
        assert status == 400
        assert _code(path, answer) in ("invalid_json", "")
        return "no JSON"
    except RefusedError as refused:
        code = str(refused)
        assert status == (404 if code in ("model_not_found", "unsupported_endpoint") else 400)
        assert _code(path, answer) in (code, "")
        return code
    assert status == 200
    forwarded = answer.partition(b"\r\n\r\n")[2]
    assert tuple(members(forwarded.decode())) == wanted.members
    assert _told(headers) == (wanted.model, str(wanted.stream).lower(), wanted.route)
    return "forwarded"


def _code(path: str, answer: bytes) -> str:
    """Return the code of an error; Anthropic's API has none."""
    error = json.loads(answer)["error"]
    return "" if path == "/v1/messages" else str(error["code"])


def _told(headers: dict[str, str]) -> tuple[str, ...]:
    return tuple(headers[name] for name in INTERNAL)
