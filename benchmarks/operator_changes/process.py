"""What a process has used until now, by the kernel's account. Linux only."""

import os
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one moment."""

    cpu_s: float
    """Of all its threads."""
    memory_mb: float
    """Resident, in 10^6 bytes, as `process_resident_memory_bytes` has it."""
    peak_mb: float


def figures(pid: int) -> Figures:
    """Read them; raises `OSError` when the process is gone."""
    proc = Path("/proc") / str(pid)
    ticks = (proc / "stat").read_text().rpartition(")")[2].split()
    peak = next(line for line in (proc / "status").read_text().splitlines() if line.startswith("VmHWM"))
    return Figures(
        cpu_s=(int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK"),
        memory_mb=int((proc / "statm").read_text().split()[1]) * _PAGE / 1e6,
        peak_mb=int(peak.split()[1]) * 1024 / 1e6,
    )
