"""The budget server's CPU per request, against a `grpc.aio` server that answers the same thing to everybody.

    python -m benchmarks.budgets.cost [--requests 1000] [--rounds 15]

A request is a check and a report: two calls. With leases, one in 32 is checked, and gets room for 31 others, whose
reports come together. Servers take turns within each round, on the same machine, from one client; what is compared is
the CPU time that the server's process took (a core does one second of it per second), so the client may be slower than
the server. For the constant server calls are counted, for the others requests: 0.5 would be a server that does its work
for nothing. The ratio is the median over the rounds of a round's own ratio, so that a noisy machine is noisy for all.
Redis' own CPU is not the budget server's, and not counted.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import grpc

from budget import configurations
from budget.redis_server import BINARY, RedisServer
from budget.server import Gateway, Server, told
from fairlead.budget.lease import MOST
from fairlead.budgetserver.messages import METHOD, OK, SERVICE, Request, Response
from ports import free_port

CONCURRENCY = 64
LOOPS = {"constant": "asyncio", "constant, uvloop": "uvloop"}
Rows = dict[str, list[tuple[float, float]]]
"""Server -> per round: done per second of CPU, done per second seen."""


class Constant:
    """The server that everything is compared with."""

    def __init__(self, loop: str) -> None:
        self.rpc = free_port()
        script = str(Path(__file__).with_name("constant.py"))
        self.process = subprocess.Popen([sys.executable, script, str(self.rpc), loop])

    async def ready(self) -> "Constant":
        """Wait until it answers."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.rpc}") as channel:
            call = channel.unary_unary(
                f"/{SERVICE}/{METHOD}",
                request_serializer=Request.SerializeToString,
                response_deserializer=Response.FromString,
            )
            await call(Request(), wait_for_ready=True, timeout=20)
        return self

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


def cpu_s(pid: int) -> float:
    """Return the seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _drive(count: int, work: Callable[[int], Awaitable[Any]]) -> None:
    """Do `count` pieces of work, so many at a time."""
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await work(number)

    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))


async def _requests(port: int, count: int, label: str) -> int:
    gateway = Gateway(port)

    async def one(number: int) -> None:
        name = f"{label}-{number}"
        answer = await gateway.check(name, patience_s=30)
        if answer.overall_code != OK:
            raise RuntimeError(answer)
        await gateway.report(name, patience_s=30)

    await _drive(count, one)
    await gateway.close()
    return count


async def _leased(port: int, count: int, label: str) -> int:
    """Let each check ask for as many units as a lease has, but one; all of them are used, and reported together."""
    gateway = Gateway(port)

    async def one(number: int) -> None:
        name = f"{label}-{number}"
        lease = await gateway.lease(name, units=MOST - 1)
        if not lease:
            raise RuntimeError("no lease")
        await gateway.report(name, patience_s=30)
        await gateway.export(*(told(f"{name}-{unit}", f"{lease}.{unit}") for unit in range(1, MOST)), patience_s=30)

    leases = -(-count // MOST)
    await _drive(leases, one)
    await gateway.close()
    return leases * MOST


async def _calls(port: int, count: int) -> int:
    gateway = Gateway(port)
    await _drive(2 * count, lambda number: gateway.check(f"r{number}", patience_s=30))
    await gateway.close()
    return 2 * count


async def _measure(count: int, rounds: int, folder: Path, stores: dict[str, str]) -> Rows:
    configuration = configurations.write(folder / "book.json", 10**18)
    constants = {name: await Constant(loop).ready() for name, loop in LOOPS.items()}
    servers = {
        name: Server(configuration, address, "--store-timeout", "20").start() for name, address in stores.items()
    }
    rows: Rows = {}
    try:
        for turn in range(rounds + 1):
            works = [(name, server, partial(_calls, server.rpc, count)) for name, server in constants.items()]
            for name, server in servers.items():
                works.append((name, server, partial(_requests, server.rpc, count, f"{turn}")))
                works.append((f"{name}, leases", server, partial(_leased, server.rpc, count, f"{turn}-leased")))
            for name, server, work in works:
                before, began = cpu_s(server.process.pid), time.perf_counter()
                done = await work()
                seconds, used = time.perf_counter() - began, cpu_s(server.process.pid) - before
                if turn:  # the first round warms up
                    rows.setdefault(name, []).append((done / used, done / seconds))
    finally:
        for server in (constants | servers).values():
            server.stop()
    return rows


def _print(rows: Rows) -> None:
    print("| server | per second of CPU | of the constant one | quartiles | per second seen |\n|---|---|---|---|---|")
    for name, pairs in rows.items():
        ratios = [pair[0] / base[0] for pair, base in zip(pairs, rows["constant"], strict=True)]
        low, ratio, high = statistics.quantiles(ratios, n=4)
        per_core, seen = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"| {name} | {per_core:,.0f} | {ratio:.2f} | {low:.2f} to {high:.2f} | {seen:,.0f} |")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fl-bench-"))
    stores = {"memory": "memory:", "SQLite": f"sqlite:{folder / 'b.db'}"}
    redis = RedisServer(folder) if BINARY else None
    if redis:
        redis.start()
        stores["Redis"] = redis.url
    try:
        _print(asyncio.run(_measure(options.requests, options.rounds, folder, stores)))
    finally:
        if redis:
            redis.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
