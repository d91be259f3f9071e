"""What the plan for more than one machine multiplies, each part by itself: workers of a gateway, budget server, Redis.

Gateways of one worker and of two take turns, each with so many requests for a worker; what is compared is the CPU of a
request. If workers shared something, it would be dearer with two.
"""

import asyncio
import itertools
import json
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cpu import cpu_seconds
from benchmarks.gateways import contenders, fairlead_gateway, upstream
from benchmarks.gateways.contenders import EVENTS, JSON, Contender, Running, free_port
from benchmarks.gateways.load import open_loop
from budget import configurations
from budget.redis_server import BINARY, RedisServer
from budget.server import Gateway, Server

RATES = {JSON: 800, EVENTS: 60}
"""Requests a second for each worker: chats of 1 KB, and streams of 100 events, one write each."""
WORKERS = (1, 2)
AT_ONCE = 64
"""Requests that a budget server has at a time: it is kept busy."""
Costs = dict[str, dict[int, list[float]]]
"""Kind of load, workers -> microseconds of CPU per request, in each round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """Microseconds of CPU per request."""

    gateways: Costs
    budget_server: float
    redis: float | None
    """None: there is none on this machine."""

    def factor(self, kind: str) -> float:
        """Return how many times one worker's requests two workers answer with all of their CPU."""
        one, two = (self.gateways[kind][workers] for workers in WORKERS)
        return statistics.median(2 * before / after for before, after in zip(one, two, strict=True))


def measure(generator: Path, *, rounds: int = 5, seconds: int = 4, requests: int = 1000) -> Alone:
    """Measure everything once; `generator`: the load of `benchmarks.gateways`."""
    with tempfile.TemporaryDirectory(prefix="fl-alone-") as place:
        folder = Path(place)
        costs = {kind: _gateways(kind, folder / kind, generator, rounds, seconds) for kind in RATES}
        server, redis = asyncio.run(_budgets(folder, rounds, requests))
    return Alone(gateways=costs, budget_server=server, redis=redis)


def _gateways(kind: str, folder: Path, generator: Path, rounds: int, seconds: int) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    folder.mkdir()
    with ExitStack() as stack:
        port = stack.enter_context(_provider(kind, folder, generator))
        running = {workers: stack.enter_context(_gateway(kind, workers, port, folder)) for workers in WORKERS}
        for turn in range(rounds + 1):
            for workers, one in running.items():
                before = one.cpu_seconds()
                told = open_loop(one, folder, generator, rate=RATES[kind] * workers, seconds=seconds)
                spent = one.cpu_seconds() - before
                if turn:  # the first round warms up
                    found[workers].append(1e6 * spent / (RATES[kind] * workers * seconds - told.lost))
    return found


def _gateway(kind: str, workers: int, upstream_port: int, folder: Path) -> Running:
    def command(port: int, up: int, place: Path) -> list[str]:
        words = fairlead_gateway.command(port, up, place)
        at = words.index("--concurrency") + 1
        return [*words[:at], str(workers), *words[at + 1 :]]

    headers = {"authorization": f"Bearer {fairlead_gateway.CLIENT_KEY}"}
    contender = Contender(name=f"of {workers}", command=command, headers=lambda _port: headers)
    return Running(contender, upstream_port, folder / str(workers), kind=kind, cores="0-1")


@contextmanager
def _provider(kind: str, folder: Path, generator: Path) -> Iterator[int]:
    json_port, stream_port = free_port(), free_port()
    command = contenders.envoy(upstream.static_upstream(json_port, stream_port), folder / "upstream")
    if kind == EVENTS:
        body = folder / "events"
        body.write_text(upstream.stream_answer())
        command = [str(generator), "-serve", f"127.0.0.1:{stream_port}", "-body", str(body)]
    process = subprocess.Popen(command)
    try:
        yield json_port if kind == JSON else stream_port
    finally:
        process.terminate()
        process.wait(10)


async def _budgets(folder: Path, rounds: int, requests: int) -> tuple[float, float | None]:
    """Keep a budget server busy; return the CPU of a request, a check and a report, there and in its Redis."""
    configuration = configurations.write(folder / "book.json", 10**18)
    redis = RedisServer(folder) if BINARY else None
    with ExitStack() as stack:
        if redis is not None:
            redis.start()
            stack.callback(redis.stop)
        store = "memory:" if redis is None else redis.url
        server = stack.enter_context(Server(configuration, store, "--store-timeout", "20"))
        pids = [server.process.pid, *([] if redis is None else [redis.pid])]
        spent: list[list[float]] = []
        for turn in range(rounds + 1):
            before = [cpu_seconds(pid) for pid in pids]
            await _requests(server.rpc, requests, f"{turn}")
            after = [cpu_seconds(pid) for pid in pids]
            if turn:
                spent.append([1e6 * (now - was) / requests for was, now in zip(before, after, strict=True)])
        found = [statistics.median(column) for column in zip(*spent, strict=True)]
    return found[0], found[1] if redis is not None else None


async def _requests(port: int, count: int, label: str) -> None:
    gateway = Gateway(port)
    numbers = itertools.islice(itertools.count(), count)

    async def worker() -> None:
        for number in numbers:
            await gateway.check(f"{label}-{number}", patience_s=30)
            await gateway.report(f"{label}-{number}", patience_s=30)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    await gateway.close()


def build(folder: Path) -> Path:
    """Build the load of `benchmarks.gateways`."""
    source = Path(contenders.__file__).with_name("load")
    subprocess.run(["go", "build", "-o", str(folder / "load"), "."], cwd=source, check=True)
    return folder / "load"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place_of_load:
        measured = measure(build(Path(place_of_load)), rounds=2, seconds=2, requests=400)
    print(json.dumps({"gateways": measured.gateways, "server": measured.budget_server, "redis": measured.redis}))
