"""Run the comparison and write docs/benchmarks.md: `PEERS=<folder with the peers> python -m benchmarks.gateways`."""

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from benchmarks.gateways import contenders, report, upstream
from benchmarks.gateways.contenders import CONTENDERS, Running, free_port
from benchmarks.gateways.load import closed_loop, open_loop

ROOT = Path(__file__).resolve().parents[2]
SLOW = {"LiteLLM": 25, "Portkey": 100}
"""Rates in requests/s that these can follow; all others are measured at `RATE`."""
RATE = 1000


def _in_real_time() -> bool:
    """Put this process, and so all that it starts, before everything else on the machine; False = not allowed.

    `nice` does not do that: between sessions Linux shares cores by session, whatever the niceness.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        return False
    return True


def _upstream(folder: Path, stack: ExitStack) -> tuple[int, int]:
    ports = free_port(), free_port()
    command = contenders.envoy(upstream.static_upstream(*ports), folder)
    process = subprocess.Popen(["taskset", "-c", contenders.LOAD_CORE, *command])
    stack.callback(process.wait, 10)
    stack.callback(process.terminate)
    return ports


def _generator(folder: Path) -> Path:
    source = Path(__file__).with_name("load")
    subprocess.run(["go", "build", "-o", str(folder / "load"), "."], cwd=source, check=True)
    return folder / "load"


def _measure(rounds: int, seconds: int, only: tuple[str, ...], folder: Path) -> dict[str, dict[str, list[float]]]:
    figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    chosen = [contender for contender in CONTENDERS if not only or contender.name in only]
    generator = _generator(folder)
    for stream in (False, True):
        with ExitStack() as stack:
            json_port, stream_port = _upstream(folder / "upstream", stack)
            port = stream_port if stream else json_port
            running: list[Running] = []
            for contender in chosen:
                if stream and not contender.streams:
                    continue
                click.echo(f"starting {contender.name}", err=True)
                place = folder / contender.name.replace(" ", "-")
                running.append(stack.enter_context(Running(contender, port, place, stream=stream)))
            for number in range(rounds):
                for one in running:
                    click.echo(f"round {number + 1}/{rounds}: {one.contender.name}", err=True)
                    _one(one, figures[one.contender.name], folder, generator, seconds=seconds)
                    time.sleep(seconds)  # whoever shares the machine has waited
    return figures


def _one(running: Running, into: dict[str, list[float]], folder: Path, generator: Path, *, seconds: int) -> None:
    kind = "stream" if running.stream else "json"
    closed_loop(running, folder, seconds=1)
    most = closed_loop(running, folder, seconds=seconds)
    into[f"{kind}.requests_per_second"].append(most.requests_per_second)
    into[f"{kind}.cpu_us"].append(most.cpu_us_per_request)
    into[f"{kind}.errors"].append(most.errors)
    rate = SLOW.get(running.contender.name, RATE) // (5 if running.stream else 1)
    at_rate = open_loop(running, folder, generator, rate=rate, seconds=seconds)
    into[f"{kind}.rate"].append(rate)
    into[f"{kind}.p50_ms"].append(at_rate.p50)
    into[f"{kind}.p99_ms"].append(at_rate.p99)
    into[f"{kind}.first_byte_p50_ms"].append(at_rate.first_byte_p50)
    into[f"{kind}.lost"].append(at_rate.lost)


@click.command()
@click.option("--rounds", default=3, show_default=True, help="interleaved rounds")
@click.option("--seconds", default=4, show_default=True, help="length of one load")
@click.option("--only", multiple=True, help="a contender by name; may repeat")
@click.option("--write/--no-write", default=True, help="write docs/benchmarks.md")
@click.option("-o", "output", type=click.Choice(["text", "json"]), default="text")
def main(rounds: int, seconds: int, only: tuple[str, ...], *, write: bool, output: str) -> None:
    """Compare the gateways; figures are medians over the rounds, spread is smallest to largest."""
    os.environ.setdefault("PEERS", str(ROOT / "build" / "peers"))
    alone = _in_real_time()
    with tempfile.TemporaryDirectory() as folder:
        figures = _measure(rounds, seconds, only, Path(folder))
    machine = f"{report.machine()}, {'with' if alone else 'without'} real-time priority"
    text = report.render(figures, machine, rounds=rounds, seconds=seconds)
    if write and not only:
        report.write(ROOT / "docs" / "benchmarks.md", text)
    medians: dict[str, Any] = {
        name: {key: statistics.median(values) for key, values in rows.items()} for name, rows in figures.items()
    }
    click.echo(text if output == "text" else json.dumps({"machine": machine, "medians": medians}, indent=2))


main()
