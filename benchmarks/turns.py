"""Gateways take turns: CPU time of Envoy per request, as ratios to a plain route within a round.

Each turn has a connection of its own: one that idles while the others take theirs may be closed meanwhile. Shown are
the median of all rounds, and the quartiles.
"""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks.cpu import cpu_seconds
from benchmarks.request_filter import connection

TIMES = {1_000: 400, 30_000: 200}
"""How often a body of so many bytes is sent in a turn."""
Costs: TypeAlias = dict[tuple[int, str], list[float]]


@dataclass(frozen=True, slots=True)
class Gateway:
    """One that takes turns."""

    pid: int
    port: int
    headers: str = ""
    """More header lines of each request, each with its end."""


def take(gateways: Mapping[str, Gateway], rounds: int, chat: Callable[[int], bytes]) -> Costs:
    """Return microseconds of CPU per request, by size of the body and name of the gateway, a figure for each round."""
    costs: Costs = {(size, name): [] for size in TIMES for name in gateways}
    order = list(gateways.items())
    for turn in range(rounds + 1):
        start = turn % len(order)
        for size, times in TIMES.items():
            body = chat(size)
            for name, one in order[start:] + order[:start]:
                head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-alice\r\n"
                request = f"{head}{one.headers}Content-Length: {len(body)}\r\n\r\n".encode() + body
                with connection(one.port) as send:
                    before = cpu_seconds(one.pid)
                    send(request, times)
                    spent = cpu_seconds(one.pid) - before
                if turn:  # the first round warms caches, connections and the compiler of LuaJIT
                    costs[size, name].append(spent / times * 1e6)
    return costs


def table(costs: Costs, plain: str) -> str:
    """Write a row for each size and gateway, the plain one's first; two rounds at least."""
    rows = [f"| body | route | us of CPU | to {plain} | quartiles |", "|---|---|---|---|---|"]
    for size, name in sorted(costs, key=lambda key: (key[0], key[1] != plain)):
        yardstick = costs[size, plain]
        ratios = [mine / other for mine, other in zip(costs[size, name], yardstick, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        spent = statistics.median(costs[size, name])
        rows.append(f"| {size // 1000} KB | {name} | {spent:.0f} | {middle:.2f}x | {low:.2f} to {high:.2f} |")
    return "\n".join(rows)
