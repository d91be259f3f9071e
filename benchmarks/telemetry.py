"""What telemetry costs: CPU time of a gateway per request, with spans of some and metrics of all, against none.

    python -m benchmarks.telemetry [--rounds N]

CPU time of all threads, as in `benchmarks.streams`, whose load this is: a stream of ten events in one write. The
gateways take turns within every round, and a receiver takes all that they send.
"""

import argparse
import asyncio
import socket
import statistics
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from aiohttp import web

from benchmarks.gateways.fairlead_gateway import command
from benchmarks.streams.exchange import Exchange
from benchmarks.streams.loads import Load
from benchmarks.streams.running import Running, ready, start
from fairlead import ir

LOAD = Load(name="10 events, one write", events=10, burst=True, answers=500)
FIRST_PORT = 18_480
NONE = "no telemetry"
SAMPLES = {"metrics, no spans": 0, "metrics, 5 % with spans": 500, "metrics, all with spans": 10_000}


class Receiver:
    """Takes everything, and counts bytes."""

    def __init__(self) -> None:
        self.received = 0

    async def take(self, request: web.Request) -> web.Response:
        """Read one export."""
        self.received += len(await request.read())
        return web.Response()


async def measure(rounds: int) -> tuple[Mapping[str, list[float]], int]:
    """Return microseconds of CPU per request in each round, by gateway, and the bytes that the receiver got."""
    receiver, exchange = Receiver(), Exchange()
    application = web.Application(client_max_size=1 << 26)
    application.router.add_post("/v1/{signal}", receiver.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server = await exchange.serve(socket.create_server(("127.0.0.1", 0)))
    ports = [one.sockets[0].getsockname()[1] for one in (site._server, server)]  # type: ignore[union-attr]  # noqa: SLF001
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running = start(stack, _commands(folder, *ports), FIRST_PORT)
        costs = await _rounds(exchange, running, rounds)
    server.close()
    await runner.cleanup()
    return costs, receiver.received


def _commands(folder: Path, receiver: int, upstream: int) -> dict[str, list[str]]:
    told = {name: ir.Telemetry(host="127.0.0.1", port=receiver, grpc=False, sample=SAMPLES[name]) for name in SAMPLES}
    found = {}
    for port, (name, telemetry) in enumerate([(NONE, None), *told.items()], start=FIRST_PORT):
        own = folder / str(port)
        own.mkdir()
        found[name] = command(port, upstream, own, telemetry=telemetry)
    return found


async def _rounds(exchange: Exchange, running: Mapping[str, Running], rounds: int) -> dict[str, list[float]]:
    costs: dict[str, list[float]] = {name: [] for name in running}
    for one in running.values():
        await ready(one)
    for turn in range(rounds + 1):
        for name, one in running.items():
            found = [await exchange.cost(one, LOAD) for _ in range(LOAD.answers)]
            if turn:  # the first round warms everything
                costs[name].append(statistics.median(found))
    return costs


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    costs, received = asyncio.run(measure(parser.parse_args().rounds))
    if not received:
        raise SystemExit("the receiver got nothing: this measures no telemetry")
    print("| gateway | CPU per request, us: least, median | of none: least, median |\n|---|---|---|")
    for name, values in costs.items():
        ratios = (
            f"{min(values) / min(costs[NONE]):.2f}, {statistics.median(values) / statistics.median(costs[NONE]):.2f}"
        )
        print(f"| {name} | {min(values):,.0f}, {statistics.median(values):,.0f} | {ratios} |")


if __name__ == "__main__":
    main()
