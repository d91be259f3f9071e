"""What a library takes of the CPU to answer one unary call with a constant.

    pip install grpclib hypercorn granian h2
    PYTHONPATH=. python -m benchmarks.budgets.transports [--calls 4000] [--rounds 9] [--at-once 64] [NAME ...]

Servers take turns within each round, asked by one client of gRPC's own; what is compared is the CPU time of the
server's processes, a median over the rounds. A library that is not installed, or that answers no such call, has a row
that says so.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
from pathlib import Path

import grpc

from benchmarks.budgets.cost import cpu_s
from benchmarks.budgets.transports.serve import SERVERS
from fairlead.budgetserver.messages import METHOD, SERVICE, Request, Response
from ports import free_port

MESSAGE = "bench/client 0f3a5bb8-2c60-9a3e-8f9d-0b3c9a0f4f11 chat 812 bench/chat 900 1 - false"
_READY_S = 15
_CALL_S = 5


class Candidate:
    """One server, in a process of its own."""

    def __init__(self, name: str) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "benchmarks.budgets.transports.serve", name, str(self.port)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.port}")
        self._call = self._channel.unary_unary(
            f"/{SERVICE}/{METHOD}",
            request_serializer=Request.SerializeToString,
            response_deserializer=Response.FromString,
        )
        self._request = Request(domain="fairlead")
        self._request.descriptors.add().entries.add(key="check", value=MESSAGE)

    async def answers(self) -> str:
        """Return why it cannot take part; empty when it can."""
        try:
            await self._call(self._request, wait_for_ready=True, timeout=_READY_S)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}"
        return ""

    async def us_per_call(self, calls: int, at_once: int) -> float:
        """Return the microseconds of CPU for one call."""
        numbers = iter(range(calls))

        async def worker() -> None:
            for _ in numbers:
                await self._call(self._request, timeout=_CALL_S)

        before = self._cpu_s()
        await asyncio.gather(*(worker() for _ in range(at_once)))
        return (self._cpu_s() - before) / calls * 1e6

    def _cpu_s(self) -> float:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return sum(cpu_s(int(pid)) for pid in (self.process.pid, *children))

    async def stop(self) -> None:
        """End it."""
        await self._channel.close()
        self.process.terminate()
        self.process.wait(_READY_S)


async def _measure(names: list[str], calls: int, rounds: int, at_once: int) -> None:
    running: dict[str, Candidate] = {}
    figures: dict[str, list[float]] = {}
    try:
        for name in names:
            candidate = Candidate(name)
            if why := await candidate.answers():
                await candidate.stop()
                print(f"| {name} | no answer: {why[:100]} |")
            else:
                running[name] = candidate
        for turn in range(rounds + 1):
            for name, candidate in list(running.items()):
                try:
                    found = await candidate.us_per_call(calls, at_once)
                except grpc.aio.AioRpcError as error:
                    print(f"| {name} | broke off: {error.code().name}: {error.details()} |")
                    await running.pop(name).stop()
                    figures.pop(name, None)
                    continue
                if turn:  # the first round warms up
                    figures.setdefault(name, []).append(found)
    finally:
        for candidate in running.values():
            await candidate.stop()
    for name, values in figures.items():
        low, middle, high = statistics.quantiles(values, n=4)
        print(f"| {name} | {middle:.0f} | {low:.0f} to {high:.0f} |")


def main() -> None:
    """Print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(SERVERS))
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--at-once", type=int, default=64)
    options = parser.parse_args()
    print("| server | us of CPU per call | quartiles |\n|---|---|---|")
    asyncio.run(_measure(options.names, options.calls, options.rounds, options.at_once))


if __name__ == "__main__":
    main()
