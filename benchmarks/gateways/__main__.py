"""Run the comparison and write docs/benchmarks.md: `PEERS=<folder with the peers> python -m benchmarks.gateways`."""

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import click

from benchmarks.gateways import contenders, report, upstream
from benchmarks.gateways.contenders import BURST, CONTENDERS, EVENTS, JSON, Contender, FailedError, Running, free_port
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


def _provider(kind: str, folder: Path, generator: Path, stack: ExitStack) -> int:
    """Start what answers with this kind of load; return its port."""
    json_port, stream_port = free_port(), free_port()
    command = contenders.envoy(upstream.static_upstream(json_port, stream_port), folder)
    if kind == EVENTS:
        body = folder / "events"
        body.write_text(upstream.stream_answer())
        command = [str(generator), "-serve", f"127.0.0.1:{stream_port}", "-body", str(body)]
    process = subprocess.Popen(["taskset", "-c", contenders.LOAD_CORE, *command])
    stack.callback(process.wait, 10)
    stack.callback(process.terminate)
    return json_port if kind == JSON else stream_port


def _generator(folder: Path) -> Path:
    source = Path(__file__).with_name("load")
    subprocess.run(["go", "build", "-o", str(folder / "load"), "."], cwd=source, check=True)
    return folder / "load"


def measure(
    chosen: Iterable[Contender], rounds: int, seconds: int, folder: Path, generator: Path
) -> tuple[dict[str, dict[str, list[float]]], dict[tuple[str, str], list[str]]]:
    """Measure these contenders; return the figures by name, and what went wrong by name and kind of load."""
    figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    failures: dict[tuple[str, str], list[str]] = defaultdict(list)
    for kind in (JSON, BURST, EVENTS):
        with ExitStack() as stack:
            port = _provider(kind, folder / "upstream", generator, stack)
            running: list[Running] = []
            for contender in chosen:
                figures[contender.name] = figures[contender.name]  # a row, whatever comes
                if kind != JSON and not contender.streams:
                    continue
                click.echo(f"starting {contender.name}", err=True)
                place = folder / contender.name.replace(" ", "-")
                try:
                    running.append(stack.enter_context(Running(contender, port, place, kind=kind)))
                except (FailedError, OSError) as error:
                    failures[contender.name, kind].append(str(error))
            for number in range(rounds):
                for one in running:
                    name = one.contender.name
                    click.echo(f"round {number + 1}/{rounds}: {name}", err=True)
                    try:
                        _one(one, figures[name], folder, generator, seconds=seconds)
                    except FailedError as error:
                        failures[name, kind].append(str(error))
                    time.sleep(seconds)  # whoever shares the machine has waited
    return figures, failures


def _one(running: Running, into: dict[str, list[float]], folder: Path, generator: Path, *, seconds: int) -> None:
    kind = running.kind
    with suppress(FailedError):  # warms caches; whoever is slow has not failed yet
        closed_loop(running, folder, seconds=1)
    most = closed_loop(running, folder, seconds=seconds)
    rate = SLOW.get(running.contender.name, RATE) // (1 if kind == JSON else 5)
    at_rate = open_loop(running, folder, generator, rate=rate, seconds=seconds)
    into[f"{kind}.requests_per_second"].append(most.requests_per_second)  # a round counts as a whole, or not
    into[f"{kind}.cpu_us"].append(most.cpu_us_per_request)
    into[f"{kind}.errors"].append(most.errors)
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
        chosen = [contender for contender in CONTENDERS if not only or contender.name in only]
        figures, failures = measure(chosen, rounds, seconds, Path(folder), _generator(Path(folder)))
    machine = f"{report.machine()}, {'with' if alone else 'without'} real-time priority"
    text = report.render(figures, failures, machine, rounds=rounds, seconds=seconds)
    if write and not only:
        report.write(ROOT / "docs" / "benchmarks.md", text)
    medians: dict[str, Any] = {
        name: {key: statistics.median(values) for key, values in rows.items()} for name, rows in figures.items()
    }
    click.echo(text if output == "text" else json.dumps({"machine": machine, "medians": medians}, indent=2))


if __name__ == "__main__":
    main()
