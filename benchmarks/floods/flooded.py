"""One flood against one gateway, and what was seen."""

import asyncio
import multiprocessing
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.floods import clients
from benchmarks.floods.confined import Confined, confined
from benchmarks.floods.provider import Provider
from benchmarks.gateways.fairlead_gateway import command
from benchmarks.streams.running import Running, ready
from fairlead import ir

MIB = 1 << 20


def _provide(result: Connection) -> None:
    asyncio.run(Provider().serve(result.send))


def _flood(name: str, port: int, seconds: float, result: Connection) -> None:
    result.send(asyncio.run(clients.flood(clients.FLOODS[name], port, seconds)))


def _others(port: int, seconds: float, result: Connection) -> None:
    async def ask() -> clients.Outcome:
        outcome, until = clients.Outcome(), time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            while time.monotonic() < until:
                group.create_task(clients.small(port, outcome))
                await asyncio.sleep(0.05)
        return outcome

    result.send(asyncio.run(ask()))


def _beside(stack: ExitStack, work: Callable[..., None], *arguments: object) -> Connection:
    mine, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=work, args=(*arguments, theirs), daemon=True)
    process.start()
    stack.callback(process.kill)
    return mine


def run(name: str, memory: int, seconds: float, limits: ir.Limits, workers: int) -> str:
    """Flood one gateway, and say what was seen in a row of a table."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fl-flood-")))
        group = stack.enter_context(confined(memory))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        provider = _beside(stack, _provide).recv()
        started = command(port, provider, folder, limits=limits, memory_bytes=memory, workers=workers)
        log = stack.enter_context((folder / "envoy.log").open("wb"))
        process = subprocess.Popen(started, preexec_fn=group.join, stdout=log, stderr=log)  # noqa: PLW1509
        stack.callback(process.wait)
        stack.callback(process.kill)
        asyncio.run(ready(Running(pid=process.pid, port=port)))
        time.sleep(0.5)
        others = _beside(stack, _others, port, seconds + 2)
        flood = _beside(stack, _flood, name, port, seconds)
        most = _watch(group, process, (flood, others))
        after = sum(group.used()) if process.poll() is None else 0
        ends = flood.recv() if flood.poll(clients.PATIENCE_S) else clients.Outcome()
        theirs = others.recv() if others.poll(clients.PATIENCE_S) else clients.Outcome()
        alive = "lives" if process.poll() is None and not group.kills() else "KILLED"
    took = sorted(theirs.took_s)
    slow = took[len(took) * 99 // 100] if took else 0.0
    lost = ends.without_retry_after + theirs.without_retry_after
    cells = (
        memory // MIB, name, alive, *(one // MIB for one in most), after // MIB,
        _counted(ends.ends) + (f"; {lost} without retry-after" if lost else ""),
        f"{_counted(theirs.ends)}; p99 {slow * 1000:.0f} ms",
    )  # fmt: skip
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _counted(ends: Counter[str]) -> str:
    return ", ".join(f"{count:,} x {what}" for what, count in sorted(ends.items())) or "none"


def _watch(group: Confined, process: subprocess.Popen[bytes], waited: tuple[Connection, ...]) -> tuple[int, int, int]:
    """Return the most that was taken: without sockets, in sockets, and both at one moment."""
    memory = sockets = both = 0
    while process.poll() is None and not all(one.poll() for one in waited):
        now, standing = group.used()
        memory, sockets, both = max(memory, now), max(sockets, standing), max(both, now + standing)
        time.sleep(0.01)
    return memory, sockets, both
