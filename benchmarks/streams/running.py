"""Gateways that are measured, as processes."""

import asyncio
import os
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

FIRST_PORT = 18_470
PATIENCE_S = 60
REAL_TIME = ("chrt", "-r", "1") if os.geteuid() == 0 else ()
"""Whoever shares the machine takes nothing away, where that is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A gateway that is measured."""

    pid: int
    port: int


def start(stack: ExitStack, commands: Mapping[str, list[str]], first_port: int = FIRST_PORT) -> dict[str, Running]:
    """Start gateways, each at the next port, until the stack ends."""
    running = {}
    for number, (name, command) in enumerate(commands.items()):
        process = stack.enter_context(subprocess.Popen([*REAL_TIME, *command]))
        stack.callback(process.terminate)
        running[name] = Running(pid=process.pid, port=first_port + number)
    return running


async def ready(gateway: Running) -> None:
    """Wait until a gateway accepts connections."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
