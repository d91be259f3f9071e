"""A task that is cancelled while its answer arrives prints no traceback, with the library that reads socket files."""

import asyncio
import logging
import socket
from pathlib import Path

import anyio
import pytest

from fairlead.adapters import signals


async def cancelled_as_it_reads(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        stream = await anyio.connect_unix(str(path))
        other, _ = listener.accept()
        reading = asyncio.create_task(stream.receive())  # type: ignore[arg-type]
        for _ in range(5):
            await asyncio.sleep(0)
        other.send(b"x")
        await asyncio.sleep(0)  # the loop has seen it, and its callback stands behind this step
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        other.close()
        await stream.aclose()


@pytest.mark.parametrize("left_out", [True, False])
def test_who_was_cancelled_as_it_reads_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, left_out: bool
) -> None:
    async def run() -> None:
        if left_out:
            signals.leave_out_strays(asyncio.get_running_loop())
        await cancelled_as_it_reads(tmp_path / "s")

    with caplog.at_level(logging.ERROR, logger="asyncio"):
        asyncio.run(run())
    assert ("invalid state" in caplog.text) is not left_out, "or the library has mended it: take the module away"


def test_any_other_error_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        signals.leave_out_strays(loop)
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)

    with caplog.at_level(logging.ERROR, logger="asyncio"):
        asyncio.run(run())
    assert "ZeroDivisionError" in caplog.text
