"""Where a budget server that runs as a child has its files and sockets."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where one budget server's files and sockets are. All absolute."""

    configuration: Path
    database: Path
    gateways: Path
    """One URL per line: where gateways show their counters."""
    answers_key: Path
    """What shared answers are sealed by."""
    log: Path
    rpc: Path
    usage: Path
    http: Path
