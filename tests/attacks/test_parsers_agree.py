"""What the gateway sends on, every parser reads alike: Python's, and lenient ones in other languages.

The gateway decides by what it read; a provider whose parser reads another model, limit or count out of the same bytes
would answer with a model that the caller may not use, or with more than was reserved.
"""

import asyncio
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from echo import Echo
from filter_gateway import KEY, bootstrap
from gateway import EnvoyProcess
from json_bodies import READ
from lenient_bodies import bodies
from readers import READERS, REFUSED, Reader, said

pytestmark = pytest.mark.envoy

SEED = int(os.environ.get("FAIRLEAD_FUZZ_SEED", "20260601"))
COUNT = int(os.environ.get("FAIRLEAD_FUZZ_COUNT", "5000"))
IN_FLIGHT = 8
LEAST_SHARE = 0.15
"""Of the bodies that must get through, or the test shows nothing."""


@pytest.fixture(scope="module")
def forwarded() -> Sequence[bytes]:
    """Send all bodies through a gateway; what a provider got of them."""
    with Echo() as echo, EnvoyProcess(bootstrap(echo_port=echo.port)) as envoy:
        return asyncio.run(_send_all(envoy.port("in"), bodies(SEED, COUNT)))


async def _send_all(port: int, work: Iterator[bytes]) -> Sequence[bytes]:
    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(_send(port, work)) for _ in range(IN_FLIGHT)]
    return [body for caller in callers for body in caller.result()]


async def _send(port: int, work: Iterator[bytes]) -> list[bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    got = []
    for body in work:
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
        head += f"Authorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answered = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        _, _, rest = answered.lower().partition("\r\ncontent-length: ")
        content = await reader.readexactly(int(rest.partition("\r\n")[0]))
        if answered.startswith("HTTP/1.1 200 "):
            got.append(content.partition(b"\r\n\r\n")[2])
    writer.close()
    return got


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_no_parser_reads_another_way(forwarded: Sequence[bytes], reader: Reader, tmp_path: Path) -> None:
    assert len(forwarded) > LEAST_SHARE * COUNT
    found = reader.read(forwarded, READ, tmp_path)
    assert len(found) == len(forwarded)
    read = [one for one in zip(forwarded, found, strict=True) if one[1] != REFUSED]
    assert len(read) > LEAST_SHARE * COUNT
    for body, words in read:
        members = json.loads(body)
        for name, word in zip(READ, words.split(" "), strict=True):
            mine = said(members[name]) if name in members else "-"
            assert _kind(name, word, members.get(name)) == _kind(name, mine, members.get(name)), (
                f"seed {SEED}: {body!r}"
            )


def _kind(name: str, word: str, value: object) -> str:
    """Return what must be alike: of text that is no model, and of fractions, that it is such."""
    return word[0] if isinstance(value, float) or (isinstance(value, str) and name != "model") else word


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_these_parsers_are_lenient(reader: Reader, tmp_path: Path) -> None:
    # Else they would show no more than Python's.
    lenient = (b'{"model":/*"a",*/"chat"}', b"{'model':'chat'}", b'{"model":"chat",}')
    assert any(words != REFUSED for words in reader.read(lenient, ("model",), tmp_path))
