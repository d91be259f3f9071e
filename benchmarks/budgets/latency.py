"""What budgets add to a request: gateways without any, with one of the caller, and with those of others.

    python -m benchmarks.budgets.latency [--rounds 9] [--seconds 4] [--rate 1000] [--store memory:]

An open loop at a fixed rate, counted from the moment a request was due. They take turns; what is added is the
median over the rounds of the difference of a round's two medians. Gateway and load have a core each, as in
`benchmarks.gateways`; the budget server takes what is free. That every request was checked in time, or took a unit of a
lease, is read from the server's own counters, else the figure would be that of a gateway which gives up.
"""

import argparse
import statistics
import subprocess
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.budgets.cost import cpu_s
from benchmarks.gateways import contenders, fairlead_gateway, upstream
from benchmarks.gateways.contenders import Contender, Running, free_port
from benchmarks.gateways.load import open_loop
from budget.client import metric
from budget.redis_server import RedisServer
from budget.server import Server
from fairlead import envoy
from fairlead.budget.configuration import BudgetConfiguration, RouteTerms, encode
from fairlead.budget.estimate import Rung
from fairlead.budget.policy import Policy, Scope
from fairlead.budget.price import USD, Price
from fairlead.budget.window import Every

HOUR_MS = 3_600_000


def _configuration() -> BudgetConfiguration:
    targets = [target.name for target in fairlead_gateway.gateway(1).targets]
    price = Price(input=180_000_000, output=250_000_000, cached_input=20_000_000)
    policy = Policy(
        name="bench/budget",
        scope=Scope.PER_CONSUMER,
        limit=1_000_000 * USD,
        window=Every(length_ms=24 * HOUR_MS),
        stages=(),
        routes=None,
    )
    return BudgetConfiguration(
        fail_closed=False,
        request_bytes=32 << 20,
        policies=(policy,),
        consumers={fairlead_gateway.CONSUMER: (policy.name,)},
        killed=frozenset(),
        routes={"bench/chat": RouteTerms(max_output_tokens=2000, downgrade_to=None, plans={"": tuple(targets)})},
        targets={
            name: Rung(price=price, max_output_tokens=8192, context_window=128_000, generates=True) for name in targets
        },
    )


def _start(stack: ExitStack, folder: Path, server: Server, revision: str) -> dict[str, Running]:
    static = folder / "upstream"
    ports = free_port(), free_port()
    process = subprocess.Popen(
        ["taskset", "-c", contenders.LOAD_CORE, *contenders.envoy(upstream.static_upstream(*ports), static)]
    )
    stack.callback(process.wait, 10)
    stack.callback(process.terminate)
    budget = envoy.BudgetServer(rpc=f"127.0.0.1:{server.rpc}", usage=f"127.0.0.1:{server.usage}")
    commands = {
        "without": fairlead_gateway.command,
        "with a budget": partial(fairlead_gateway.command, budget=budget, revision=revision),
        "beside budgets": partial(fairlead_gateway.command, budget=budget, bounded=False),
    }
    headers = {"authorization": f"Bearer {fairlead_gateway.CLIENT_KEY}"}
    return {
        name: stack.enter_context(
            Running(
                Contender(name=name, command=command, headers=lambda _port: headers),
                ports[0],
                folder / name.replace(" ", "-"),
                kind=contenders.JSON,
            )
        )
        for name, command in commands.items()
    }


def _asked(server: Server) -> tuple[float, float]:
    """Count the checks that were granted, and the units that were reported."""
    text = server.metrics()
    checked = metric(text, "fairlead_budget_checks_total", verdict="granted")
    return checked, metric(text, "fairlead_budget_lease_units_total", outcome="used")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--store", default="memory:", help="`memory:`, `sqlite:` or `redis:` (each its own)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fl-bench-") as place, ExitStack() as stack:
        folder = Path(place)
        store = {"sqlite:": f"sqlite:{folder / 'b.db'}"}.get(options.store, options.store)
        if store == "redis:":
            redis = RedisServer(folder)
            redis.start()
            stack.callback(redis.stop)
            store = redis.url
        generator = folder / "load"
        source = Path(contenders.__file__).with_name("load")
        subprocess.run(["go", "build", "-o", str(generator), "."], cwd=source, check=True)
        configuration, path = _configuration(), folder / "book.json"
        path.write_bytes(encode(configuration))
        server = stack.enter_context(Server(path, store))
        running = _start(stack, folder, server, configuration.lease_revision_of(fairlead_gateway.CONSUMER))
        began = {name: one.cpu_seconds() for name, one in running.items()}
        asked: dict[str, float] = {}
        before = _asked(server)
        figures: dict[str, list[tuple[float, float]]] = {name: [] for name in running}
        for _ in range(options.rounds):
            for name, one in running.items():
                before_round = cpu_s(server.process.pid)
                found = open_loop(one, folder, generator, rate=options.rate, seconds=options.seconds)
                if found.lost:
                    raise SystemExit(f"{found.lost} requests got no 200")
                figures[name].append((found.p50, found.p99))
                asked[name] = asked.get(name, 0) + cpu_s(server.process.pid) - before_round
        checked, leased = (after - earlier for after, earlier in zip(_asked(server), before, strict=True))
        sent = options.rounds * options.seconds * options.rate
        cpu = {name: (one.cpu_seconds() - began[name]) / sent for name, one in running.items()}
        cpu |= {f"budget server {name}": seconds / sent for name, seconds in asked.items() if name != "without"}
    print("| gateway | p50 ms | p99 ms |\n|---|---|---|")
    for name, pairs in figures.items():
        p50, p99 = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"| {name} | {p50:.2f} | {p99:.2f} |")
    print("CPU per request, us: " + ", ".join(f"{name} {seconds * 1e6:.0f}" for name, seconds in cpu.items()))
    for name in ("with a budget", "beside budgets"):
        added = (asked[0] - plain[0] for plain, asked in zip(figures["without"], figures[name], strict=True))
        low, middle, high = statistics.quantiles(added, n=4)
        print(f"added p50 {name}: {middle:.2f} ms (quartiles {low:.2f} to {high:.2f})")
    print(f"{checked:.0f} of {sent} were checked, {leased:.0f} took units of leases")


if __name__ == "__main__":
    main()
