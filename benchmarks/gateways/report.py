"""The comparison as a page: ratios first, absolute figures with their spread, the machine they were taken on."""

import math
import os
import platform
import statistics
from collections.abc import Mapping
from pathlib import Path

Figures = Mapping[str, Mapping[str, list[float]]]
Failures = Mapping[tuple[str, str], list[str]]
"""What went wrong, by contender and kind of load."""
HEAD = (
    "| gateway | requests/s per core | of bare Envoy | Fairlead is | CPU per request, us | of bare Envoy by CPU "
    "| rate | p50 ms | p99 ms | added p50 ms |"
)
LONGEST_CELL = 160
BEGIN, END = "<!-- gateways: begin (make bench) -->", "<!-- gateways: end -->"


def machine() -> str:
    """One line about where the figures were taken."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores, {model}, Linux {platform.release()}, Python {platform.python_version()}"


def _spread(values: list[float], digits: int) -> str:
    middle = f"{statistics.median(values):,.{digits}f}"
    return f"{middle} ({min(values):,.{digits}f} to {max(values):,.{digits}f})" if len(values) > 1 else middle


def _median(figures: Figures, name: str, key: str) -> float:
    """Return NaN for what was not measured."""
    values = figures.get(name, {}).get(key)
    return statistics.median(values) if values else float("nan")


def _ratio(number: float, of: float, digits: int, unit: str = "") -> str:
    """Write nothing where there is nothing to compare."""
    return f"{number / of:.{digits}f}{unit}" if of and math.isfinite(number / of) else ""


def _table(figures: Figures, failures: Failures, kind: str) -> list[str]:
    rows = [
        HEAD,
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    bare, ours = (_median(figures, name, f"{kind}.requests_per_second") for name in ("bare Envoy", "Fairlead"))
    bare_cpu = _median(figures, "bare Envoy", f"{kind}.cpu_us")
    direct = _median(figures, "direct", f"{kind}.p50_ms")
    for name, values in figures.items():
        failed = failures.get((name, kind), [])
        if f"{kind}.p50_ms" in values:
            most = statistics.median(values[f"{kind}.requests_per_second"])
            by_cpu = _ratio(bare_cpu, statistics.median(values[f"{kind}.cpu_us"]), 3)
            p50 = statistics.median(values[f"{kind}.p50_ms"])
            added = f"{p50 - direct:.2f}" if math.isfinite(direct) else ""
            rows.append(
                f"| {name} | {_spread(values[f'{kind}.requests_per_second'], 0)} | {_ratio(most, bare, 3)} "
                f"| {_ratio(ours, most, 2, 'x')} | {_spread(values[f'{kind}.cpu_us'], 0)} | {by_cpu} "
                f"| {statistics.median(values[f'{kind}.rate']):.0f} | {_spread(values[f'{kind}.p50_ms'], 2)} "
                f"| {_spread(values[f'{kind}.p99_ms'], 2)} | {added} |"
            )
            errors, lost = (int(sum(values[f"{kind}.{what}"])) for what in ("errors", "lost"))
            if errors or lost:
                rows.append(f"| | {errors} answers were no 200, {lost} did not come | | | | | | | | |")
            if failed:
                rows.append(f"| | {len(failed)} rounds failed: {_plain(failed[-1])} | | | | | | | | |")
        elif failed:
            rows.append(f"| {name} | failed: {_plain(failed[-1])} | | | | | | | | |")
    return rows


def _plain(text: str) -> str:
    """Make a cell of whatever a program has said."""
    return " ".join(text.replace("|", "/").split())[-LONGEST_CELL:]


def render(figures: Figures, failures: Failures, where: str, *, rounds: int, seconds: int) -> str:
    """Write the page's measured part, between its two markers."""
    silent = [
        name for name, values in figures.items() if "burst.p50_ms" not in values and (name, "burst") not in failures
    ]
    lines = [
        BEGIN,
        f"Machine: {where}. {rounds} interleaved rounds of {seconds} s for each figure: median (smallest to largest).",
        "",
        "### Chat completions, 1 KB in, 1 KB out",
        "",
        *_table(figures, failures, "json"),
        "",
        "### Streams of 100 chunks, in one burst",
        "",
        *_table(figures, failures, "burst"),
        "",
        "### Streams of 100 chunks, one write each, 1 ms apart",
        "",
        *_table(figures, failures, "events"),
        *([f"\nLeft out, since it answered this stream with 500: {', '.join(silent)}."] if silent else []),
        END,
    ]
    return "\n".join(lines)


def write(page: Path, text: str, begin: str = BEGIN, end: str = END) -> None:
    """Put the measured part into the page, where its two markers are; what stands around it stays."""
    old = page.read_text() if page.exists() else f"# Benchmarks\n\n{begin}\n{end}\n"
    before, _, rest = old.partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(before + text + after)
