"""The comparison as a page: ratios first, absolute figures with their spread, the machine they were taken on."""

import os
import platform
import statistics
from collections.abc import Mapping
from pathlib import Path

Figures = Mapping[str, Mapping[str, list[float]]]
HEAD = (
    "| gateway | requests/s per core | of bare Envoy | Fairlead is | CPU per request, us | of bare Envoy by CPU "
    "| rate | p50 ms | p99 ms | added p50 ms |"
)
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
    return statistics.median(figures[name][key]) if name in figures else float("nan")


def _table(figures: Figures, kind: str) -> list[str]:
    rows = [
        HEAD,
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    bare, ours = (_median(figures, name, f"{kind}.requests_per_second") for name in ("bare Envoy", "Fairlead"))
    bare_cpu = _median(figures, "bare Envoy", f"{kind}.cpu_us")
    direct = _median(figures, "direct", f"{kind}.p50_ms")
    for name, values in figures.items():
        if f"{kind}.p50_ms" not in values:
            continue
        most = statistics.median(values[f"{kind}.requests_per_second"])
        cpu = statistics.median(values[f"{kind}.cpu_us"])
        by_cpu = f"{bare_cpu / cpu:.3f}" if cpu else ""
        rows.append(
            f"| {name} | {_spread(values[f'{kind}.requests_per_second'], 0)} | {most / bare:.3f} | {ours / most:.2f}x "
            f"| {_spread(values[f'{kind}.cpu_us'], 0)} | {by_cpu} | {statistics.median(values[f'{kind}.rate']):.0f} "
            f"| {_spread(values[f'{kind}.p50_ms'], 2)} | {_spread(values[f'{kind}.p99_ms'], 2)} "
            f"| {statistics.median(values[f'{kind}.p50_ms']) - direct:.2f} |"
        )
        errors, lost = (int(sum(values[f"{kind}.{what}"])) for what in ("errors", "lost"))
        if errors or lost:
            rows.append(f"| | {errors} answers were no 200, {lost} did not come | | | | | | | | |")
    return rows


def render(figures: Figures, where: str, *, rounds: int, seconds: int) -> str:
    """Write the page's measured part, between its two markers."""
    silent = [name for name, values in figures.items() if "stream.p50_ms" not in values]
    lines = [
        BEGIN,
        f"Machine: {where}. {rounds} interleaved rounds of {seconds} s for each figure: median (smallest to largest).",
        "",
        "### Chat completions, 1 KB in, 1 KB out",
        "",
        *_table(figures, "json"),
        "",
        "### Streams of 100 chunks",
        "",
        *_table(figures, "stream"),
        *([f"\nLeft out, since it answered this stream with 500: {', '.join(silent)}."] if silent else []),
        END,
    ]
    return "\n".join(lines)


def write(page: Path, text: str) -> None:
    """Put the measured part into the page; what stands around it stays."""
    old = page.read_text() if page.exists() else f"# Benchmarks\n\n{BEGIN}\n{END}\n"
    before, _, rest = old.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(before + text + after)
