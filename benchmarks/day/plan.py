"""What the goal needs, and a hundred times it: what was measured, each times a factor that stands beside it. Pure."""

import math
import re
import statistics
from dataclasses import dataclass

from benchmarks.day.alone import RATES, WORKERS, Alone
from benchmarks.day.shape import PEAK
from benchmarks.gateways.contenders import EVENTS, JSON

BEGIN, END = "<!-- plan: begin (make bench-day) -->", "<!-- plan: end -->"
BUSY = 0.7
"""Of a core that is planned with, the rest being for what comes unevenly."""
HALF, POD = 2 / 3, 2
"""The share of the spike that the region next to the lost one has; cores of a pod."""
PODS_OF_CLUSTER = 250
"""Of gateways, in a cluster of a region: their readiness, configuration and metrics are one operator's work."""
HUNDRED = 100
_OVER_LINES = re.MULTILINE | re.DOTALL
KINDS = {JSON: "a whole answer of 1 KB", EVENTS: "a stream of 100 events, one write each"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is multiplied."""

    gateway_ms: float
    """CPU of one of the trace's requests at the replay's gateways."""
    alone: Alone
    benchmarks: str = ""
    """The text of docs/benchmarks.md."""


def render(measured: Measured) -> str:
    """Write the plan, between its markers."""
    blocks = (
        _workers(measured.alone),
        _stores(measured.alone),
        _needs(measured, 1),
        _needs(measured, HUNDRED),
        _rows(measured.benchmarks),
    )
    return "\n".join([BEGIN, "\n\n".join("\n".join(block) for block in blocks), END])


def _workers(alone: Alone) -> list[str]:
    rows = ["| a gateway of | one worker, us | two workers, us | so two do the work of |", "|---|---|---|---|"]
    for kind, name in KINDS.items():
        one, two = (statistics.median(alone.gateways[kind][workers]) for workers in WORKERS)
        rate = RATES[kind]
        rows.append(f"| {name}, {rate}/s for each worker | {one:,.0f} | {two:,.0f} | {alone.factor(kind):.2f} |")
    return rows


def _stores(alone: Alone) -> list[str]:
    rows = ["| a request, which is a check and a report | CPU, us | for each core and second |", "|---|---|---|"]
    rows.append(f"| at a busy budget server | {alone.budget_server:,.0f} | {1e6 / alone.budget_server:,.0f} |")
    if alone.redis is not None:
        rows.append(f"| at its Redis | {alone.redis:,.0f} | {1e6 / alone.redis:,.0f} |")
    return rows


def _needs(measured: Measured, times: int) -> list[str]:
    rate, each, alone = PEAK * times, measured.gateway_ms, measured.alone
    rows = [f"| {rate:,.0f}/s | by | cores, busy | that is |", "|---|---|---|---|"]
    for name, share in (("the region that has the lost one's clients, too", HALF), ("the other one", 1 - HALF)):
        cores = rate * share * each / 1000
        pods = math.ceil(cores / BUSY / POD)
        clusters = math.ceil(pods / PODS_OF_CLUSTER)
        where = f", in {clusters} clusters" if clusters > 1 else ""
        part = f"gateways of {name}"
        rows.append(f"| {part} | {rate * share:,.0f}/s x {each:.1f} ms | {cores:,.1f} | {pods:,} pods{where} |")
    server = rate * alone.budget_server / 1e6
    count = math.ceil(server / BUSY)
    rows.append(
        f"| budget servers | {rate:,.0f}/s x {alone.budget_server:,.0f} us | {server:,.1f} | {count:,} processes |"
    )
    if alone.redis is not None:
        redis = rate * alone.redis / 1e6
        stores = math.ceil(redis / BUSY)
        most = BUSY * 1e6 / alone.redis
        told = f"{stores:,} {'store' if stores == 1 else 'stores'} of at most {most:,.0f} requests/s"
        rows.append(f"| Redis | {rate:,.0f}/s x {alone.redis:,.0f} us | {redis:,.1f} | {told} |")
    return rows


def _rows(benchmarks: str) -> list[str]:
    """Take what else a plan needs from the rows of another page; a row that is not there is told as that."""
    chat = re.search(r"### Chat completions.*?^\| Fairlead \|(?:[^|]*\|){3} ([\d,]+) ", benchmarks, _OVER_LINES)
    added = re.search(r"^\| 500/s \|.*\| ([\d,]+), ([\d,]+), ([\d,]+) \|$", benchmarks, re.MULTILINE)
    without, checked, server = (_number(one) for one in added.groups()) if added else (0, 0, 0)
    rows = ["| by rows of benchmarks | row | CPU |", "|---|---|---|"]
    page = "benchmarks.md"
    found = {
        f"a whole answer of 1 KB through a gateway without a budget | [Fairlead, chat completions]({page}"
        "#chat-completions-1-kb-in-1-kb-out)": _number(chat[1]) if chat else 0,
        f"what a budget adds to a gateway | [500/s]({page}#what-the-check-adds)": checked - without,
        f"a budget server, at the same time | [500/s]({page}#what-the-check-adds)": server,
    }
    return [*rows, *(f"| {name} | {f'{us:,} us' if us > 0 else 'see there'} |" for name, us in found.items())]


def _number(text: str) -> int:
    return int(text.replace(",", ""))
